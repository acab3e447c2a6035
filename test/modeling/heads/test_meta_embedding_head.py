import numpy as np
import pytest
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.modeling.heads import MetaEmbeddingHead, build_heads, classes_per_domain
from fastreid.utils.checkpoint.names import to_torch_name

OPTIONS = {
    "feat_dim": 8,
    "embedding_dim": 0,
    "classes_per_domain": [3, 2],
    "neck_feat": "after",
    "pool_type": "GlobalAvgPool",
    "cls_type": "Linear",
    "scale": 1.0,
    "margin": 0.0,
    "with_bnneck": True,
}


@pytest.fixture
def features():
    """Negative values occur, as they do behind the last stage."""
    return np.random.RandomState(0).randn(4, 8, 3, 2).astype(np.float32)


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """A failed compile leaves a folder rank_0 behind, where the test may write."""
    monkeypatch.chdir(tmp_path)


def test_every_domain_has_its_logits_and_its_first_label(features):
    head = MetaEmbeddingHead(**{**OPTIONS, "classes_per_domain": [2, 3, 4]})
    assert head.first_labels == (0, 2, 5)
    assert head.num_domains == 3
    outputs = head.set_train()(Tensor(features), Tensor(np.array([0, 2, 5, 8], np.int32)))
    assert [block.shape for block in outputs["cls_outputs"]] == [(4, 2), (4, 3), (4, 4)]
    assert [block.shape for block in outputs["pred_class_logits"]] == [(4, 2), (4, 3), (4, 4)]
    assert outputs["center_distances"].shape == (4,)


def test_the_shift_of_the_neck_is_frozen_and_all_else_learns():
    head = MetaEmbeddingHead(**OPTIONS)
    frozen = {to_torch_name(p.name) for p in head.get_parameters() if not p.requires_grad}
    assert frozen == {f"bottleneck.0.{leaf}" for leaf in ("bias", "running_mean", "running_var")}


def test_classifiers_and_centres_start_normal():
    head = MetaEmbeddingHead(**{**OPTIONS, "feat_dim": 200, "classes_per_domain": [300, 200]})
    for parameter in (head.classifiers[0].weight, head.classifiers[1].weight, head.center.centers):
        assert parameter.asnumpy().std() == pytest.approx(0.01, rel=0.03)


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.FEAT_DIM = 8
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.MODEL.HEADS.WITH_BNNECK = True
    return cfg


def set_numbered(cfg, *counts):
    for i, count in enumerate(counts):
        setattr(cfg.MODEL.HEADS, f"NUM_CLASSES{i + 1}", count)


def test_a_head_is_built_from_the_config(cfg, features):
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [5, 4, 3, 2]
    cfg.MODEL.HEADS.EMBEDDING_DIM = 6
    cfg.MODEL.HEADS.SCALE = 64
    head = build_heads(cfg)
    assert isinstance(head, MetaEmbeddingHead)
    assert [c.weight.shape for c in head.classifiers] == [(5, 6), (4, 6), (3, 6), (2, 6)]
    assert head.center.centers.shape == (14, 6)
    assert head.cls_layers[0].s == 64
    assert head.set_train(False)(Tensor(features)).shape == (4, 6)


def test_upstreams_numbered_counts_are_accepted(cfg):
    set_numbered(cfg, 5, 4, 3)
    assert classes_per_domain(cfg) == [5, 4, 3]
    set_numbered(cfg, 5, 4, 0)
    assert classes_per_domain(cfg) == [5, 4]


def test_the_list_of_counts_wins_over_the_numbered_ones(cfg):
    set_numbered(cfg, 5, 4, 3)
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [7, 6]
    assert classes_per_domain(cfg) == [7, 6]


@pytest.mark.parametrize("counts", [[5], [5, 1]], ids=["one domain", "one identity"])
def test_a_single_domain_or_identity_is_refused(cfg, counts):
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = counts
    with pytest.raises(ValueError, match=r"two or more source domains .* is \[5(, 1)?\]"):
        classes_per_domain(cfg)


def test_without_classes_a_head_evaluates_but_does_not_train(mode, cfg, features, in_tmp_path):
    head = build_heads(cfg)
    names = [to_torch_name(p.name) for p in head.get_parameters()]
    assert not [name for name in names if name.startswith(("weight", "center"))]
    assert head.set_train(False)(Tensor(features)).shape == (4, 8)
    with pytest.raises(ValueError, match=r"CLASSES_PER_DOMAIN is empty, so this head cannot train"):
        head.set_train()(Tensor(features), Tensor(np.zeros(4, np.int32)))


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
        MetaEmbeddingHead(**{**OPTIONS, **option})
