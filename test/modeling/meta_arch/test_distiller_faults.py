import pytest

from fastreid.modeling import build_model
from test.modeling.meta_arch.distill_models import (
    CLASSES,
    DISTILLER,
    EMA,
    OVERHAUL,
    SMALL,
    STAGES,
    config,
    taught_by,
    write_teacher,
)
from test.small_backbones import TWO_ADAPTIVE_STAGES


def refused(*words, error=ValueError, match):
    with pytest.raises(error, match=match):
        build_model(config(*words))


def test_a_student_without_a_teacher_names_the_keys():
    match = r"Distiller needs a teacher: set KD\.MODEL_CONFIG and KD\.MODEL_WEIGHTS, or KD\.EMA"
    refused(*SMALL, *DISTILLER, match=match)


def test_configs_and_weights_must_be_as_many():
    kd = ("KD.MODEL_CONFIG", ["a.yaml", "b.yaml"], "KD.MODEL_WEIGHTS", ["a.pth"])
    refused(*SMALL, *DISTILLER, *kd, match=r"MODEL_CONFIG has 2 entries and KD\.MODEL_WEIGHTS 1")


def test_missing_files_are_named_with_their_keys(tmp_path):
    kd = write_teacher(tmp_path, *SMALL)
    (config_file,), (weights,) = kd[1], kd[3]
    gone = str(tmp_path / "gone")
    for files, match in (
        ((gone, weights), rf"KD\.MODEL_CONFIG\[0\] {gone} does not exist; set it to"),
        ((config_file, gone), rf"KD\.MODEL_WEIGHTS\[0\] {gone} does not exist; set it to"),
        ((config_file, weights, gone, weights), r"KD\.MODEL_CONFIG\[1\] .*gone does not exist"),
    ):
        refused(*SMALL, *DISTILLER, *taught_by(*files), error=FileNotFoundError, match=match)


def test_a_teacher_of_other_classes_is_refused_by_its_config_or_its_weights(tmp_path):
    words = (*SMALL, "MODEL.HEADS.NUM_CLASSES", 7)
    kd = write_teacher(tmp_path, *words)
    match = rf"KD\.MODEL_CONFIG\[0\] .*teacher has 7 classes .*student {CLASSES}.* same identities"
    refused(*SMALL, *DISTILLER, *kd, match=match)
    kd = write_teacher(tmp_path, *words, saved=0)
    match = (
        rf"KD\.MODEL_WEIGHTS\[0\] .* teacher of KD\.MODEL_CONFIG\[0\] with the student's {CLASSES} "
        r"classes: .*heads\.weight \(7, 16\), the model has \(4, 16\)"
    )
    refused(*SMALL, *DISTILLER, *kd, match=match)


def test_weights_of_another_network_are_refused(tmp_path):
    small, stages = write_teacher(tmp_path / "a", *SMALL), write_teacher(tmp_path / "b", *STAGES)
    kd = taught_by(small[1][0], stages[3][0])
    refused(*SMALL, *DISTILLER, *kd, match=r"KD\.MODEL_WEIGHTS\[0\] .*missing")


def test_teachers_of_other_architectures_are_refused(tmp_path):
    path = tmp_path / "other.yaml"
    for words, name in (
        (("MODEL.META_ARCHITECTURE", "MGN"), "MGN"),
        (("MODEL.HEADS.NAME", "MetaEmbeddingHead", *TWO_ADAPTIVE_STAGES), "ACL"),
    ):
        path.write_text(config(*words).dump(), encoding="utf-8")
        match = rf"KD\.MODEL_CONFIG\[0\] .*META_ARCHITECTURE is {name}; a teacher must be a Baselin"
        refused(*SMALL, *DISTILLER, *taught_by(path, path), match=match)


def test_maps_of_stages_need_a_backbone_that_gives_them(tmp_path):
    stages, small = write_teacher(tmp_path, *STAGES), write_teacher(tmp_path, *SMALL, seed=1)
    match = "DistillerOverhaul: {} needs MODEL.BACKBONE.NAME build_resnet_backbone_distill"
    refused(*SMALL, *OVERHAUL, *stages, match=match.format("the student"))
    refused(*STAGES, *OVERHAUL, *small, match=match.format("teacher 0"))


def test_maps_of_other_sizes_are_refused(tmp_path):
    kd = write_teacher(tmp_path, *STAGES, "MODEL.BACKBONE.LAST_STRIDE", 2)
    match = r"teacher 1 have other sizes .*\(1, 2, 2, 2\) and \(1, 2, 2, 1\)\. Set .*LAST_STRIDE"
    refused(*STAGES, *OVERHAUL, *EMA, *kd, match=match)


@pytest.mark.parametrize("momentum", [-0.1, 1.5])
def test_a_share_of_the_moving_teacher_is_a_fraction(momentum):
    with pytest.raises(ValueError, match=r"KD\.EMA\.MOMENTUM is .*from 0 to 1"):
        config("KD.EMA.MOMENTUM", momentum)
