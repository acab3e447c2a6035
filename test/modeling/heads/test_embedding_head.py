import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import Tensor, nn, ops
from torch.nn import functional

from fastreid.config import get_cfg
from fastreid.modeling.heads import EmbeddingHead, build_heads
from fastreid.utils.torch_weights import to_torch_name
from test.layers.against_torch import assert_close, assert_same, copy_weights, randomize

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
VARIANTS = {
    "bagtricks": {},
    "after": {"neck_feat": "after", "scale": 3.0},
    "reduced": {"embedding_dim": 6},
    "reduced without norm": {"embedding_dim": 6, "with_bnneck": False},
    "bare": {"with_bnneck": False},
    "cosine": {"cls_type": "CosSoftmax", "scale": 16.0, "margin": 0.3, "neck_feat": "after"},
}


class TorchHead(torch.nn.Module):
    """The head in torch."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        channels = options["embedding_dim"] or options["feat_dim"]
        layers = []
        if options["embedding_dim"]:
            layers.append(torch.nn.Conv2d(options["feat_dim"], channels, 1, bias=False))
        if options["with_bnneck"]:
            layers.append(torch.nn.BatchNorm2d(channels))
            layers[-1].bias.requires_grad_(False)
        self.bottleneck = torch.nn.Sequential(*layers)
        self.weight = torch.nn.Parameter(torch.zeros(options["num_classes"], channels))

    def forward(self, x, targets=None):
        pooled = x.mean((2, 3), keepdim=True)
        neck = self.bottleneck(pooled).flatten(1)
        if not self.training:
            return neck
        weight, features = self.weight, neck
        if self.options["cls_type"] != "Linear":
            weight, features = functional.normalize(weight), functional.normalize(neck)
        logits = features @ weight.T
        margins = functional.one_hot(targets.long(), logits.shape[1]) * self.options["margin"]
        metric = neck if self.options["neck_feat"] == "after" else pooled.flatten(1)
        scale = self.options["scale"]
        return torch.cat(((logits - margins) * scale, logits * scale, metric), 1)


class Joined(nn.Cell):
    """The training outputs side by side, so that gradients can be taken of all at once."""

    def __init__(self, head):
        super().__init__(auto_prefix=False)
        self.head = head

    def construct(self, features, targets):
        outputs = self.head(features, targets)
        parts = (outputs["cls_outputs"], outputs["pred_class_logits"], outputs["features"])
        return ops.cat(parts, 1)


@pytest.fixture
def features():
    return np.random.RandomState(0).randn(4, 8, 3, 2).astype(np.float32)


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """A failed compile leaves a folder rank_0 behind, where the test may write."""
    monkeypatch.chdir(tmp_path)


def pair(variant):
    options = {**OPTIONS, **VARIANTS[variant]}
    module = randomize(TorchHead(options))
    cell = EmbeddingHead(**options)
    copy_weights(cell, module)
    return cell, module


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_outputs_and_their_gradients_are_those_of_torch(mode, features, variant):
    cell, module = pair(variant)
    assert_same(Joined(cell).set_train(), module.train(), features, TARGETS, tolerance=3e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_evaluation_returns_the_neck_feature_as_it_is(mode, features, variant):
    cell, module = pair(variant)
    want = module.eval()(torch.tensor(features)).detach().numpy()
    assert_close(cell.set_train(False)(Tensor(features)).asnumpy(), want)


def test_the_shift_of_the_neck_is_frozen_and_the_classifier_is_not():
    head = EmbeddingHead(**OPTIONS)
    trainable = {to_torch_name(p.name): p.requires_grad for p in head.get_parameters()}
    assert trainable["bottleneck.0.weight"]
    assert not trainable["bottleneck.0.bias"]
    assert trainable["weight"]


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
