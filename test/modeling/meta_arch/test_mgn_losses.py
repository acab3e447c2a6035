import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.modeling.meta_arch.mgn_losses import build_mgn_losses
from test.modeling.meta_arch.mgn_models import HEADS, mgn_config

TARGETS = np.array([0, 0, 1, 1, 2, 2], np.int32)


@pytest.fixture(autouse=True)
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def cross_entropy(logits):
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return -logs[np.arange(len(TARGETS)), TARGETS].mean()


def triplet(features, margin):
    """Batch-hard triplet loss."""
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    same = TARGETS[:, None] == TARGETS[None]
    farthest = np.where(same, distances, 0).max(1)
    nearest = np.where(same, np.inf, distances).min(1)
    return np.maximum(0, farthest - nearest + margin).mean()


def test_every_head_classifies_and_whole_maps_and_joined_strips_get_the_triplet_loss():
    rng = np.random.RandomState(0)
    logits = {head: rng.randn(6, 4).astype(np.float32) for head in HEADS}
    features = {head: rng.randn(6, 5).astype(np.float32) for head in HEADS}
    cfg = mgn_config(
        *("MODEL.LOSSES.CE.EPSILON", 0.0, "MODEL.LOSSES.CE.SCALE", 2.0),
        *("MODEL.LOSSES.TRI.MARGIN", 0.5, "MODEL.LOSSES.TRI.SCALE", 3.0),
        *("MODEL.LOSSES.TRI.HARD_MINING", True),
    )
    criterion = build_mgn_losses(cfg)
    outputs = {
        "cls_outputs": tuple(Tensor(logits[head]) for head in HEADS),
        "features": tuple(Tensor(features[head]) for head in HEADS),
    }
    losses = criterion(outputs, Tensor(TARGETS))
    got = {name: loss.asnumpy() for name, loss in zip(criterion.names, losses)}
    joined = {
        "b22": np.concatenate([features["b21"], features["b22"]], 1),
        "b33": np.concatenate([features["b31"], features["b32"], features["b33"]], 1),
    }
    want = {f"loss_cls_{head}": 2.0 * cross_entropy(logits[head]) / 8 for head in HEADS}
    for end in ("b1", "b2", "b3", "b22", "b33"):
        want[f"loss_triplet_{end}"] = 3.0 * triplet(joined.get(end, features[end]), 0.5) / 5
    assert list(got) == list(want)
    np.testing.assert_allclose(list(got.values()), list(want.values()), rtol=1e-5)


def test_one_of_the_two_losses_is_enough():
    names = build_mgn_losses(mgn_config("MODEL.LOSSES.NAME", ("TripletLoss",))).names
    assert names == tuple(f"loss_triplet_{end}" for end in ("b1", "b2", "b3", "b22", "b33"))


def test_other_losses_have_no_effect_and_a_warning_says_so(caplog):
    words = ("MODEL.LOSSES.NAME", ("CrossEntropyLoss", "CircleLoss", "Cosface"))
    assert len(build_mgn_losses(mgn_config(*words)).names) == len(HEADS)
    assert "CircleLoss, Cosface in MODEL.LOSSES.NAME has no effect" in caplog.text


def test_a_model_without_any_of_its_losses_is_refused():
    with pytest.raises(ValueError, match="MGN has no loss CircleLoss; name one or both of Cross"):
        build_mgn_losses(mgn_config("MODEL.LOSSES.NAME", ("CircleLoss",)))
