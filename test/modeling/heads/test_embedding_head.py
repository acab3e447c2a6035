import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.modeling.heads import EmbeddingHead, build_heads
from fastreid.utils.checkpoint.names import to_torch_name

TARGETS = np.array([0, 2, 1, 4], np.int32)
OPTIONS = {
    "feat_dim": 8,
    "embedding_dim": 0,
    "num_classes": 5,
    "neck_feat": "before",
    "pool_type": "GlobalAvgPool",
    "cls_type": "Linear",
    "scale": 1.0,
    "margin": 0.0,
    "with_bnneck": True,
    "norm_type": "BN",
}


@pytest.fixture
def features():
    return np.random.RandomState(0).randn(4, 8, 3, 2).astype(np.float32)


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """A failed compile leaves a folder rank_0 behind, where the test may write."""
    monkeypatch.chdir(tmp_path)


def test_the_shift_of_the_neck_is_frozen_and_the_classifier_is_not():
    head = EmbeddingHead(**OPTIONS)
    trainable = {to_torch_name(p.name): p.requires_grad for p in head.get_parameters()}
    assert trainable["bottleneck.0.weight"]
    assert not trainable["bottleneck.0.bias"]
    assert trainable["weight"]


@pytest.mark.parametrize(("norm", "trained"), [("GN", True), ("FrozenBN", False)])
def test_other_norms_of_the_neck_train_what_fast_reid_trains(norm, trained):
    head = EmbeddingHead(**{**OPTIONS, "feat_dim": 64, "norm_type": norm})
    trainable = {to_torch_name(p.name): p.requires_grad for p in head.get_parameters()}
    assert trainable["bottleneck.0.weight"] == trained
    assert trainable["bottleneck.0.bias"] == trained
    rows = head.set_train(False)(Tensor(np.ones((2, 64, 3, 2), np.float32)))
    assert rows.shape == (2, 64)


def test_the_classifier_starts_normal():
    weight = EmbeddingHead(**{**OPTIONS, "feat_dim": 200, "num_classes": 300}).weight
    assert weight.asnumpy().std() == pytest.approx(0.01, rel=0.02)


def test_a_head_is_built_from_the_config(features):
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.FEAT_DIM = 8
    cfg.MODEL.HEADS.NAME = "EmbeddingHead"
    cfg.MODEL.HEADS.NUM_CLASSES = 5
    cfg.MODEL.HEADS.EMBEDDING_DIM = 6
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.MODEL.HEADS.CLS_LAYER = "CircleSoftmax"
    cfg.MODEL.HEADS.SCALE = 64
    head = build_heads(cfg)
    assert isinstance(head, EmbeddingHead)
    assert head.weight.shape == (5, 6)
    assert head.cls_layer.s == 64
    assert head.set_train(False)(Tensor(features)).shape == (4, 6)


def test_without_classes_a_head_evaluates_but_does_not_train(mode, features, in_tmp_path):
    head = EmbeddingHead(**{**OPTIONS, "num_classes": 0})
    assert "weight" not in [parameter.name for parameter in head.get_parameters()]
    assert head.set_train(False)(Tensor(features)).shape == (4, 8)
    with pytest.raises(ValueError, match=r"NUM_CLASSES is 0, so this head cannot train"):
        head.set_train()(Tensor(features), Tensor(TARGETS))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"neck_feat": "middle"}, r"NECK_FEAT 'middle' is unknown; .*'before', 'after'"),
        ({"pool_type": "GeM"}, r"POOL_LAYER 'GeM' is unknown"),
        ({"cls_type": "Soft"}, r"CLS_LAYER 'Soft' is unknown"),
    ],
)
def test_an_unknown_choice_names_its_key(option, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingHead(**{**OPTIONS, **option})


def test_targets_are_int32(features):
    outputs = EmbeddingHead(**OPTIONS).set_train()(Tensor(features), Tensor(TARGETS, ms.int32))
    assert outputs["cls_outputs"].dtype == ms.float32
