import numpy as np
import pytest

from fastreid.utils.checkpoint.release_names import (
    RELEASES,
    is_auxiliary,
    to_current_names,
    to_release_names,
)

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def norm(name):
    return {f"{name}.{leaf}": index for index, leaf in enumerate(NORM)}


BACKBONE = {"backbone.conv1.weight": 10, **norm("backbone.layer1.0.bn1.BN")}
PIXELS = {"pixel_mean": 20, "pixel_std": 21}
POWER = {"heads.pool_layer.p": 22}
CONVOLUTION = {"heads.bottleneck.0.weight": 30}
# Current names by the names in a release.
LAYOUTS = {
    "0.1.1 (#427, #486)": (
        {
            **PIXELS,
            **BACKBONE,
            **POWER,
            **norm("heads.bnneck"),
            "heads.classifier.weight": 31,
        },
        {**PIXELS, **BACKBONE, **POWER, **norm("heads.bottleneck.0"), "heads.weight": 31},
    ),
    "0.1.1 without a neck": (
        {**BACKBONE, "heads.classifier.weight": 31},
        {**BACKBONE, "heads.weight": 31},
    ),
    "the neck after an embedding": (
        {**CONVOLUTION, **norm("heads.bnneck"), "heads.classifier.weight": 31},
        {**CONVOLUTION, **norm("heads.bottleneck.1"), "heads.weight": 31},
    ),
    "the zoo, neck renamed (#617, #693)": (
        {
            **PIXELS,
            **{k: v for k, v in norm("heads.bottleneck.0").items() if "num_batches" not in k},
            "heads.bnneck.num_batches_tracked": 4,
            "heads.classifier.weight": 31,
        },
        {**PIXELS, **norm("heads.bottleneck.0"), "heads.weight": 31},
    ),
    "1.0 (#352)": (
        {**PIXELS, **BACKBONE, **norm("heads.bottleneck.0"), "heads.classifier.weight": 31},
        {**PIXELS, **BACKBONE, **norm("heads.bottleneck.0"), "heads.weight": 31},
    ),
    "MGN of 0.1.1 (#352, #508)": (
        {**norm("b1_head.bnneck"), **norm("b21_head.bnneck"), "b21_head.classifier.weight": 31},
        {
            **norm("b1_head.bottleneck.0"),
            **norm("b21_head.bottleneck.0"),
            "b21_head.weight": 31,
        },
    ),
}
TODAY = {
    "today's": {**BACKBONE, **POWER, **norm("heads.bottleneck.0"), "heads.weight": 31},
    "an embedding": {**CONVOLUTION, **norm("heads.bottleneck.1"), "heads.weight": 31},
    "no neck": {**BACKBONE, "heads.weight": 31},
    "ACL": {"heads.weight1.weight": 1, "heads.weight2.weight": 2, "heads.center.centers": 3},
    "ImageNet": {"conv1.weight": 1, "fc.weight": 2, "classifier.weight": 3, "bnneck.weight": 4},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_of_older_releases_become_current_ones_in_the_same_order(layout):
    old, today = LAYOUTS[layout]
    current, notes = to_current_names(old)
    assert list(current.items()) == list(today.items())
    assert len(notes) == 1
    assert notes[0].startswith("Names of an older fast-reid: ")


def test_the_note_names_each_rule_with_the_number_of_tensors():
    _, notes = to_current_names(LAYOUTS["0.1.1 (#427, #486)"][0])
    assert notes == [
        "Names of an older fast-reid: heads.bnneck is heads.bottleneck.0 (5), "
        "heads.classifier.weight is heads.weight (1)"
    ]


@pytest.mark.parametrize("layout", TODAY)
def test_current_names_and_names_of_other_networks_are_unchanged(layout):
    current, notes = to_current_names(TODAY[layout])
    assert list(current.items()) == list(TODAY[layout].items())
    assert notes == []


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("layout", [name for name in TODAY if name != "ImageNet"])
def test_names_survive_a_round_trip_through_a_release(layout, release):
    today = TODAY[layout]
    old = to_release_names(today, release)
    assert list(old.values()) == list(today.values())
    assert list(to_current_names(old)[0].items()) == list(today.items())
    assert ("heads.classifier.weight" in old) == ("heads.weight" in today)
    assert ("heads.bnneck.running_mean" in old) == (
        release == "0.1.1" and any("running_mean" in k for k in today if k.startswith("heads"))
    )


@pytest.mark.parametrize(
    ("layout", "release"),
    [
        ("0.1.1 (#427, #486)", "0.1.1"),
        ("0.1.1 without a neck", "0.1.1"),
        ("the neck after an embedding", "0.1.1"),
        ("1.0 (#352)", "1.0"),
        ("MGN of 0.1.1 (#352, #508)", "0.1.1"),
    ],
)
def test_old_names_survive_a_round_trip_through_current_names(layout, release):
    old, _ = LAYOUTS[layout]
    assert to_release_names(to_current_names(old)[0], release) == old


def test_an_unknown_release_names_the_known_ones():
    with pytest.raises(ValueError, match=r"fast-reid 2\.0 are not known; known are 0\.1\.1, 1\.0"):
        to_release_names({}, "2.0")


def test_a_tensor_under_both_names_is_taken_once_where_it_is_the_same():
    same = {"heads.classifier.weight": np.ones(2), "heads.weight": np.ones(2)}
    current, _ = to_current_names(same)
    assert list(current) == ["heads.weight"]


def test_two_different_tensors_for_one_name_are_kept_and_reported():
    other = {"heads.bnneck.weight": np.ones(2), "heads.bottleneck.0.weight": np.zeros(2)}
    other["heads.bottleneck.0.running_mean"] = np.zeros(2)
    current, notes = to_current_names(other)
    assert list(current) == list(other)
    assert notes == [
        "heads.bnneck.weight and heads.bottleneck.0.weight are names of the same tensor, but the "
        "values differ"
    ]


def test_the_second_norm_of_a_reduction_head_is_not_renamed():
    head = {**CONVOLUTION, **norm("heads.bottleneck.1"), **norm("heads.bnneck")}
    current, notes = to_current_names(head)
    assert list(current) == list(head)
    assert notes == []


def test_the_argument_is_not_changed():
    old = dict(LAYOUTS["0.1.1 (#427, #486)"][0])
    to_current_names(old)
    assert old == LAYOUTS["0.1.1 (#427, #486)"][0]


def test_tensors_without_effect_on_features_are_recognized_by_name():
    beside = ["pixel_mean", "pixel_std", "bn1.num_batches_tracked", "memory.queue_ptr"]
    weights = ["heads.weight", "backbone.bn1.running_mean", "heads.pool_layer.p", "mean.pixel_mean"]
    assert [name for name in beside + weights if is_auxiliary(name)] == beside
