"""The pass of `update_bn_stats` updates running statistics of all architectures, nothing else."""

import mindspore as ms
import numpy as np
import pytest

from fastreid.modeling import build_model
from fastreid.utils.precision_bn import get_bn_modules, update_bn_stats
from test.modeling.meta_arch.distill_models import (
    DISTILLER,
    EMA,
    OVERHAUL,
    SMALL,
    STAGES,
    batch,
    config,
    values,
    write_teacher,
)
from test.modeling.meta_arch.mgn_models import WORDS as MGN
from test.small_backbones import ONE_ADAPTIVE_STAGE

MOCO = ("MODEL.META_ARCHITECTURE", "MoCo", "MODEL.QUEUE_SIZE", 20)
ACL = (
    *("MODEL.BACKBONE.PRETRAIN", False, "MODEL.HEADS.NAME", "MetaEmbeddingHead"),
    *("MODEL.META_ARCHITECTURE", "ACL", "MODEL.HEADS.WITH_BNNECK", True),
    *("MODEL.HEADS.CLASSES_PER_DOMAIN", [3, 2], *ONE_ADAPTIVE_STAGE),
)


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def assert_updates_statistics_only(model, size=(32, 16), idle=()):
    """All norms but idle ones have new statistics; other values, and those of teachers, stay.

    Idle are those whose names begin with one of these texts.
    """
    teachers = getattr(model, "teachers", ())
    before, taught = values(model), [values(teacher) for teacher in teachers]
    data = [batch(seed) for seed in range(2)]
    for each in data:
        each["images"] = np.resize(each["images"], (8, 3, *size))
    update_bn_stats(model, data, 2)
    names = {p.name for norm in get_bn_modules(model) for p in norm.get_parameters()}
    moving = {name for name in names if ".moving" in name}
    expected = {name for name in moving if not name.startswith(tuple(idle))}
    after = values(model)
    changed = {name for name in after if not np.allclose(before[name], after[name], atol=1e-6)}
    assert changed == expected
    assert len(expected) >= 6
    for teacher, kept in zip(teachers, taught):
        for name, value in values(teacher).items():
            np.testing.assert_array_equal(value, kept[name], err_msg=name)


def test_the_pass_of_a_baseline(pynative):
    assert_updates_statistics_only(build_model(config(*SMALL)))


def test_the_pass_of_moco_stores_no_keys(mode):
    assert_updates_statistics_only(build_model(config(*SMALL, *MOCO)))


def test_the_pass_of_a_distiller_does_not_move_its_teacher(tmp_path, mode):
    words = (*SMALL, *DISTILLER, *EMA, *write_teacher(tmp_path, *SMALL))
    model = build_model(config(*words))
    assert_updates_statistics_only(model)
    assert model.checkpointables["moving_teacher"].state_dict()["is_started"] == 0


def test_the_pass_of_a_distiller_does_not_run_its_teachers(tmp_path, pynative):
    runs = []
    model = build_model(config(*SMALL, *DISTILLER, *write_teacher(tmp_path, *SMALL)))
    model.teachers[0].backbone.register_forward_pre_hook(lambda *_: runs.append("teacher"))
    model.backbone.register_forward_pre_hook(lambda *_: runs.append("student"))
    update_bn_stats(model, [batch()], 1)
    assert runs == ["student"]


def test_the_pass_of_overhaul_distillation_leaves_the_connectors_out(tmp_path, pynative):
    words = (*STAGES, *OVERHAUL, *EMA, *write_teacher(tmp_path, *STAGES))
    assert_updates_statistics_only(build_model(config(*words)), idle=["connectors_"])


def test_the_pass_of_acl(pynative):
    # The norm whose output upstream does not use does not run.
    assert_updates_statistics_only(build_model(config(*ACL)), idle=["backbone.stages.0.map."])


def test_the_pass_of_mgn(pynative):
    assert_updates_statistics_only(build_model(config(*MGN)), size=(80, 32))
