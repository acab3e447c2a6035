import numpy as np
import pytest
import torch
from mindspore import Tensor, nn, ops
from torch.nn import functional

from fastreid.config import get_cfg
from fastreid.modeling.heads import MetaEmbeddingHead, build_heads, classes_per_domain
from fastreid.utils.torch_weights import to_torch_name
from test.layers.against_torch import assert_close, assert_same, copy_weights, randomize

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
VARIANTS = {
    "two domains": {},
    "four domains": {"classes_per_domain": [2, 3, 2, 4]},
    "before": {"neck_feat": "before", "scale": 3.0},
    "reduced": {"embedding_dim": 6},
    "without norm": {"with_bnneck": False},
    "GeM": {"pool_type": "GeneralizedMeanPooling"},
    "cosine": {"cls_type": "CosSoftmax", "scale": 16.0, "margin": 0.3},
    "circle": {"cls_type": "CircleSoftmax", "scale": 8.0, "margin": 0.35},
}


class Centers(torch.nn.Module):
    def __init__(self, num_classes, channels):
        super().__init__()
        self.centers = torch.nn.Parameter(torch.zeros(num_classes, channels))


class TorchMetaHead(torch.nn.Module):
    """The head in torch, its outputs side by side."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        self.counts = options["classes_per_domain"]
        channels = options["embedding_dim"] or options["feat_dim"]
        layers = []
        if options["embedding_dim"]:
            layers.append(torch.nn.Conv2d(options["feat_dim"], channels, 1, bias=False))
        if options["with_bnneck"]:
            layers.append(torch.nn.BatchNorm2d(channels))
            layers[-1].bias.requires_grad_(False)
        self.bottleneck = torch.nn.Sequential(*layers)
        for i, count in enumerate(self.counts):
            setattr(self, f"weight{i + 1}", torch.nn.Linear(channels, count, bias=False))
        self.center = Centers(sum(self.counts), channels)

    def forward(self, x, targets=None):
        if self.options["pool_type"] == "GlobalAvgPool":
            pooled = x.mean((2, 3), keepdim=True)
        else:
            pooled = x.clamp(min=1e-6).pow(3).mean((2, 3), keepdim=True).pow(1 / 3)
        neck = self.bottleneck(pooled).flatten(1)
        if not self.training:
            return neck
        scale, margin = self.options["scale"], self.options["margin"]
        outputs, plain, first = [], [], 0
        for i, count in enumerate(self.counts):
            weight, features = getattr(self, f"weight{i + 1}").weight, neck
            if self.options["cls_type"] != "Linear":
                weight, features = functional.normalize(weight), functional.normalize(neck)
            logits = features @ weight.T
            # Rows of other domains keep some class here; the losses never look at them.
            local = (targets.long() - first).clamp(0, count - 1)
            one_hot = functional.one_hot(local, count)
            if self.options["cls_type"] == "CircleSoftmax":
                fixed = logits.detach()
                own = torch.relu(1 + margin - fixed) * (logits - (1 - margin))
                other = torch.relu(fixed + margin) * (logits - margin)
                outputs.append(torch.where(one_hot > 0, own, other) * scale)
            else:
                outputs.append((logits - one_hot * margin) * scale)
            plain.append(logits * scale)
            first += count
        distances = (neck[:, None] - self.center.centers[None]).pow(2).sum(-1)
        before = self.options["neck_feat"] == "before"
        metric = pooled.flatten(1) if before else functional.normalize(neck)
        return torch.cat((*outputs, *plain, distances, metric), 1)


class Joined(nn.Cell):
    """The training outputs side by side, so that gradients can be taken of all at once."""

    def __init__(self, head):
        super().__init__(auto_prefix=False)
        self.head = head

    def construct(self, features, targets):
        outputs = self.head(features, targets)
        parts = outputs["cls_outputs"] + outputs["pred_class_logits"]
        return ops.cat(parts + (outputs["center_distmat"], outputs["features"]), 1)


@pytest.fixture
def features():
    """Negative values occur, as they do behind the last stage."""
    return np.random.RandomState(0).randn(4, 8, 3, 2).astype(np.float32)


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """A failed compile leaves a folder rank_0 behind, where the test may write."""
    monkeypatch.chdir(tmp_path)


def pair(variant):
    options = {**OPTIONS, **VARIANTS[variant]}
    module = randomize(TorchMetaHead(options))
    cell = MetaEmbeddingHead(**options)
    copy_weights(cell, module)
    return cell, module


def targets_of(variant):
    """Global classes, the first and the last among them, of several domains."""
    total = sum({**OPTIONS, **VARIANTS[variant]}["classes_per_domain"])
    return np.array([0, total - 1, 3, 2], np.int32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_outputs_and_their_gradients_are_those_of_torch(mode, features, variant):
    cell, module = pair(variant)
    targets = targets_of(variant)
    assert_same(Joined(cell).set_train(), module.train(), features, targets, tolerance=5e-5)


@pytest.mark.parametrize("variant", ["four domains", "reduced", "GeM"])
def test_evaluation_returns_the_neck_feature_as_it_is(mode, features, variant):
    cell, module = pair(variant)
    want = module.eval()(torch.tensor(features)).detach().numpy()
    assert_close(cell.set_train(False)(Tensor(features)).asnumpy(), want, 5e-6)


def test_every_domain_has_its_logits_and_its_first_label(features):
    head = MetaEmbeddingHead(**{**OPTIONS, "classes_per_domain": [2, 3, 4]})
    assert head.first_labels == (0, 2, 5)
    assert head.num_domains == 3
    outputs = head.set_train()(Tensor(features), Tensor(np.array([0, 2, 5, 8], np.int32)))
    assert [block.shape for block in outputs["cls_outputs"]] == [(4, 2), (4, 3), (4, 4)]
    assert [block.shape for block in outputs["pred_class_logits"]] == [(4, 2), (4, 3), (4, 4)]
    assert outputs["center_distmat"].shape == (4, 9)


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
