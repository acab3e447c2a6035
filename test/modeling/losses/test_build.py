import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.config import get_cfg
from fastreid.modeling.losses import (
    LOSS_REGISTRY,
    CrossEntropyLoss,
    build_losses,
    check_loss,
    cross_entropy_loss,
    domain_cross_entropy_loss,
    pairwise_circleloss,
    pairwise_cosface,
    triplet_loss,
)

NAMES = ("CrossEntropyLoss", "TripletLoss", "CircleLoss", "Cosface")
TARGETS = np.array([0, 0, 1, 2], np.int32)


@pytest.fixture
def cfg():
    cfg = get_cfg()
    losses = cfg.MODEL.LOSSES
    losses.NAME = NAMES
    losses.CE.EPSILON, losses.CE.SCALE = 0.1, 0.5
    losses.TRI.MARGIN, losses.TRI.HARD_MINING, losses.TRI.SCALE = 0.2, True, 3.0
    losses.CIRCLE.MARGIN, losses.CIRCLE.GAMMA, losses.CIRCLE.SCALE = 0.3, 16, 0.1
    losses.COSFACE.MARGIN, losses.COSFACE.GAMMA, losses.COSFACE.SCALE = 0.4, 8, 2.0
    return cfg


@pytest.fixture
def outputs():
    rng = np.random.RandomState(0)
    return {
        "cls_outputs": Tensor(rng.randn(4, 3).astype(np.float32)),
        "features": Tensor(rng.randn(4, 5).astype(np.float32)),
    }


class AllLosses(nn.Cell):
    """The losses of a batch, as a model's criterion gives them."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def construct(self, logits, features, targets):
        outputs = {"cls_outputs": logits, "features": features}
        values = ()
        for loss in self.losses:
            values = values + (loss(outputs, targets),)
        return values


def test_every_loss_takes_its_settings_and_its_scale_from_the_config(mode, cfg, outputs):
    losses = build_losses(cfg)
    targets = Tensor(TARGETS)
    logits, features = outputs["cls_outputs"], outputs["features"]
    got = [float(v.asnumpy()) for v in AllLosses(losses)(logits, features, targets)]
    want = [
        0.5 * cross_entropy_loss(logits, targets, 0.1),
        3.0 * triplet_loss(features, targets, 0.2, False, True),
        0.1 * pairwise_circleloss(features, targets, 0.3, 16),
        2.0 * pairwise_cosface(features, targets, 0.4, 8),
    ]
    np.testing.assert_allclose(got, [float(value.asnumpy()) for value in want], rtol=1e-5)


def test_losses_come_in_the_order_of_the_config_with_their_log_names(cfg):
    cfg.MODEL.LOSSES.NAME = NAMES[::-1]
    keys = [loss.key for loss in build_losses(cfg)]
    assert keys == ["loss_cosface", "loss_circle", "loss_triplet", "loss_cls"]


def test_the_registry_has_exactly_these_losses():
    assert sorted(name for name, _ in LOSS_REGISTRY) == sorted(NAMES)


def test_with_first_labels_the_cross_entropy_goes_domain_by_domain(mode, cfg):
    rng = np.random.RandomState(2)
    logits = (
        Tensor(rng.randn(4, 2).astype(np.float32)),
        Tensor(rng.randn(4, 1 + 2).astype(np.float32)),
    )
    loss = CrossEntropyLoss(cfg, first_labels=(0, 2))
    targets = Tensor(np.array([0, 1, 4, 2], np.int32))
    got = loss({"cls_outputs": logits}, targets)
    want = 0.5 * domain_cross_entropy_loss(logits, targets, (0, 2), 0.1, 0.2)
    assert float(got.asnumpy()) == pytest.approx(float(want.asnumpy()), rel=1e-6)


def test_only_losses_that_declare_it_get_the_first_labels(cfg):
    first, *others = build_losses(cfg, first_labels=(0, 2))
    assert first.first_labels == (0, 2)
    assert not any(hasattr(loss, "first_labels") for loss in others)
    assert build_losses(cfg)[0].first_labels == ()


@pytest.mark.parametrize("loss", [nn.Cell(), "loss", None])
def test_an_entry_that_is_not_a_loss_is_refused(loss):
    message = r"loss Mine must be a mindspore.nn.Cell with an attribute key, .* it is (Cell|str|No)"
    with pytest.raises(ValueError, match=message):
        check_loss("Mine", loss)


def test_an_unknown_loss_names_the_near_one(cfg):
    cfg.MODEL.LOSSES.NAME = ("TripletLos",)
    with pytest.raises(KeyError, match=r"LOSS registry has no 'TripletLos'.*'TripletLoss'"):
        build_losses(cfg)
