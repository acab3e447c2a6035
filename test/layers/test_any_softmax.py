import numpy as np
import pytest
import torch
from torch.nn import functional

from fastreid.layers import LinearSoftmax, get_cls_layer

from .against_torch import assert_close, assert_same, ours

SCALE, MARGIN = 16.0, 0.35
TARGETS = np.array([0, 3, 8, -1, 2, 5], np.int32)


class Reference(torch.nn.Module):
    """Each variant by its formula, element by element, in torch."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, cosines, targets):
        is_true = targets[:, None] == torch.arange(cosines.shape[1])
        return SCALE * torch.where(is_true, self.true(cosines), self.other(cosines))

    def true(self, c):
        weight = functional.relu(1 + MARGIN - c.detach())
        return {
            "Linear": c,
            "CosSoftmax": c - MARGIN,
            "ArcSoftmax": torch.cos(torch.acos(c) + MARGIN),
            "CircleSoftmax": weight * (c - (1 - MARGIN)),
        }[self.name]

    def other(self, c):
        if self.name == "CircleSoftmax":
            return functional.relu(c.detach() + MARGIN) * (c - MARGIN)
        return c


NAMES = ["Linear", "CosSoftmax", "ArcSoftmax", "CircleSoftmax"]


@pytest.fixture
def cosines():
    return np.random.RandomState(0).uniform(-0.99, 0.99, (6, 9)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_variant_follows_its_formula(mode, cosines, name):
    cell = get_cls_layer(name)(9, SCALE, MARGIN)
    assert_same(cell, Reference(name), cosines, TARGETS)


@pytest.mark.parametrize("name", NAMES)
def test_the_logits_of_the_caller_stay_as_they_are(mode, cosines, name):
    kept = cosines.copy()
    ours(get_cls_layer(name)(9, SCALE, MARGIN), cosines, TARGETS)
    np.testing.assert_array_equal(cosines, kept)


def test_arc_softmax_is_finite_where_rounding_takes_a_cosine_beyond_one(mode):
    edge = np.array([[1.0, -1.0, 1.0000001], [-1.0, 1.0000001, 0.5]], np.float32)
    output, gradient, _ = ours(
        get_cls_layer("ArcSoftmax")(3, SCALE, MARGIN), edge, np.array([0, 1], np.int32)
    )
    assert np.isfinite(gradient).all()
    assert_close(output[0, :1], np.array([SCALE * np.cos(MARGIN)]))
    assert_close(output[1, :1], np.array([-SCALE]))


def test_only_the_margin_variants_take_cosines():
    assert [get_cls_layer(name).takes_cosines for name in NAMES] == [False, True, True, True]
    assert get_cls_layer("Linear") is LinearSoftmax


def test_an_unknown_variant_names_the_key_and_the_choices():
    with pytest.raises(ValueError, match=r"CLS_LAYER 'Softmax' is unknown; .*'ArcSoftmax'"):
        get_cls_layer("Softmax")
