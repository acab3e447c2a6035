import numpy as np
import pytest

from fastreid.utils.checkpoint.recognition.candidates import Candidate
from fastreid.utils.checkpoint.recognition.choice import choose

SHAPES = {"backbone.conv1.weight": (2, 3), "heads.bias": (2,)}


def weights(start="", value=0.0, shapes=None):
    shapes = SHAPES if shapes is None else shapes
    return {f"{start}{name}": np.full(shape, value) for name, shape in shapes.items()}


def candidates(**sets):
    return [Candidate(key_path, values, {}) for key_path, values in sets.items()]


def chosen(*sets, expected=SHAPES, wanted=""):
    return choose(sets, expected, "w.pth", wanted=wanted)


def test_the_fitting_mapping_is_selected_even_if_others_are_larger():
    large = weights(shapes={f"layer{i}.weight": (2,) for i in range(9)})
    choice = chosen(*candidates(discriminator=large, model=weights()))
    assert (choice.key_path, sorted(choice.weights)) == ("model", sorted(SHAPES))


def test_the_shapes_decide_between_two_of_the_same_names():
    other = weights(shapes={name: (7,) for name in SHAPES})
    assert chosen(*candidates(a=other, b=weights())).key_path == "b"


@pytest.mark.parametrize("expected", [SHAPES, None])
def test_two_fitting_mappings_with_different_values_are_an_error(expected):
    with pytest.raises(ValueError, match=r"w\.pth has several .*: 'model', 'ema'\. .* w\.pth::ema"):
        chosen(*candidates(model=weights(), ema=weights(value=1)), expected=expected)
    same = candidates(model=weights(), ema=weights())
    assert chosen(*same, expected=expected).key_path == "model"


def test_values_are_compared_under_current_names():
    new = {"backbone.conv1.weight": (2, 3), "heads.bottleneck.0.bias": (2,)}
    old = {"backbone.conv1.weight": np.zeros((2, 3)), "heads.bnneck.bias": np.zeros(2)}
    other = {**old, "heads.bnneck.bias": np.ones(2)}
    with pytest.raises(ValueError, match="'model', 'ema'"):
        chosen(*candidates(model=old, ema=other), expected=new)


def test_without_a_model_a_set_with_more_names_is_another_set():
    fewer = {name: value for name, value in weights().items() if name != "heads.bias"}
    with pytest.raises(ValueError, match="'part', 'whole'"):
        chosen(*candidates(part=fewer, whole=weights()), expected=None)


@pytest.mark.parametrize("expected", [SHAPES, None])
def test_the_user_can_select_the_top_level(expected):
    sets = [Candidate("", weights(), {}), Candidate("ema", weights(value=1), {})]
    with pytest.raises(ValueError, match=r"'\.' \(the file itself\), 'ema'"):
        chosen(*sets, expected=expected)
    assert chosen(*sets, expected=expected, wanted=".").weights["heads.bias"].tolist() == [0, 0]


@pytest.mark.parametrize("expected", [SHAPES, None])
def test_the_user_can_select_a_mapping(expected):
    sets = candidates(model=weights(), ema=weights(value=1))
    choice = chosen(*sets, expected=expected, wanted="ema")
    assert choice.weights["heads.bias"].tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"no weights at 'x'; it has weights at: ema, model\."):
        chosen(*sets, expected=expected, wanted="x")


def test_the_best_mapping_is_selected_if_none_fits():
    other = weights(shapes={"backbone.conv1.weight": (9, 9), "other.weight": (3,)})
    assert chosen(Candidate("", other, {})).weights == other
    closest = candidates(far=weights(shapes={"x.weight": (2,)}), near=other)
    assert chosen(*closest).key_path == "near"


def test_two_nearly_fitting_mappings_with_different_values_are_an_error():
    more = {**SHAPES, "heads.p": (1,)}
    with pytest.raises(ValueError, match="several sets of weights"):
        chosen(*candidates(model=weights(), ema=weights(value=1)), expected=more)


def test_names_of_old_releases_count_as_current_ones():
    new = {"backbone.conv1.weight": (2, 3), "heads.bottleneck.0.bias": (2,)}
    old = {"backbone.conv1.weight": (2, 3), "heads.bnneck.bias": (2,)}
    aside = weights(shapes={"backbone.conv1.weight": (2, 3), "b.weight": (2,), "c.weight": (2,)})
    sets = candidates(aside=aside, old=weights(shapes=old))
    assert chosen(*sets, expected=new).key_path == "old"


@pytest.mark.parametrize(
    ("start", "dropped"),
    [
        ("module.", ("module.",)),
        ("module.module.", ("module.",)),
        ("_orig_mod.module.", ("module.", "_orig_mod.")),
        ("net.inner.", ("net.inner.",)),
        ("model.model.", ("model.model.",)),
        ("module.model.", ("module.", "model.")),
        ("model._orig_mod.module.", ("module.", "_orig_mod.", "model.")),
        ("", ()),
    ],
)
def test_wrappers_are_removed_from_names(start, dropped):
    choice = chosen(Candidate("", weights(start), {}))
    assert (sorted(choice.weights), choice.dropped) == (sorted(SHAPES), dropped)


@pytest.mark.parametrize(
    ("start", "dropped"),
    [
        ("model.", ("model.",)),
        ("model.model.", ("model.",)),
        ("model.module.", ("module.", "model.")),
        ("_orig_mod.net.module.model.", ("module.", "_orig_mod.", "net.", "model.")),
        ("inner.", ()),
    ],
)
def test_without_a_model_prefixes_are_removed_repeatedly(start, dropped):
    choice = chosen(Candidate("", weights(start), {}), expected=None)
    kept = "inner." if start == "inner." else ""
    assert (sorted(choice.weights), choice.dropped) == (sorted(weights(kept)), dropped)


def test_a_file_without_tensors_is_chosen_as_it_is():
    assert chosen(Candidate("", {}, {}), expected=None).weights == {}


@pytest.mark.parametrize("wrapper", ["_orig_mod", "module", "_orig_mod.module"])
def test_a_wrapper_inside_a_name_is_removed(wrapper):
    names = {f"backbone.{wrapper}.conv1.weight": (2, 3), "heads.bias": (2,)}
    assert sorted(chosen(Candidate("", weights(shapes=names), {})).weights) == sorted(SHAPES)


def test_a_prefix_that_the_model_has_is_kept():
    # ImageNet weights in a complete model: the names of the backbone begin with "backbone.".
    choice = chosen(Candidate("", {**weights(), "fc.weight": np.ones((5, 2))}, {}))
    assert choice.dropped == ()
    assert "fc.weight" in choice.weights
    bare = {"conv1.weight": (2, 3)}
    choice = chosen(Candidate("", weights(), {}), expected=bare)
    assert (list(choice.weights), choice.ignored) == (["conv1.weight"], 1)


def test_two_networks_in_one_mapping_are_distinguished_by_prefix():
    both = Candidate("model", {**weights("student."), **weights("teacher.", value=1)}, {})
    with pytest.raises(ValueError, match=r"'model/student', 'model/teacher'"):
        chosen(both)
    for wanted in ("model/teacher", "model/teacher."):
        assert chosen(both, wanted=wanted).weights["heads.bias"].tolist() == [1, 1]


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.module."])
def test_the_key_path_that_a_message_proposes_can_be_given(wrapper):
    names = {**weights(f"{wrapper}student."), **weights(f"{wrapper}teacher.", value=1)}
    both = Candidate("model", names, {})
    with pytest.raises(ValueError, match="for example w.pth::model/teacher$"):
        chosen(both)
    assert chosen(both, wanted="model/teacher").weights["heads.bias"].tolist() == [1, 1]


def test_names_with_and_without_a_wrapper_are_refused():
    with pytest.raises(ValueError, match=r"w\.pth: Tensors with and without the prefix 'module\.'"):
        chosen(Candidate("", {**weights(), **weights("module.")}, {}), expected=None)


def test_a_weight_that_cannot_be_read_is_named_only_if_it_is_among_those_taken():
    broken = Candidate("ema", {}, {name: "a tensor of the type QInt8Storage" for name in SHAPES})
    assert chosen(Candidate("model", weights(), {}), broken).key_path == "model"
    with pytest.raises(
        ValueError, match=r"'backbone\.conv1\.weight' is a tensor of the type QInt8"
    ):
        chosen(Candidate("model", {}, {}), broken)


def test_without_a_model_much_smaller_mappings_are_ignored():
    large = weights(shapes={f"layer{i}.weight": (2,) for i in range(9)})
    loss = {"centers": np.ones((4, 2)), "scale.weight": np.ones(2)}
    assert chosen(*candidates(loss=loss, net=large), expected=None).key_path == "net"
    with pytest.raises(ValueError, match="'net', 'other'"):
        chosen(
            *candidates(net=large, other=weights("a.", shapes=dict.fromkeys(large, (3,)))),
            expected=None,
        )


def test_single_numbers_that_are_not_weights_are_ignored():
    choice = chosen(Candidate("", {**weights(), "best": np.array(0.5)}, {}))
    assert sorted(choice.weights) == sorted(SHAPES)
