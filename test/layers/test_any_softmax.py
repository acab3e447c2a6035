import numpy as np
import pytest

from fastreid.layers import LinearSoftmax, get_cls_layer
from test.alignment.against_torch import assert_close, ours

SCALE, MARGIN = 16.0, 0.35
TARGETS = np.array([0, 3, 8, -1, 2, 5], np.int32)


NAMES = ["Linear", "CosSoftmax", "ArcSoftmax", "CircleSoftmax"]


@pytest.fixture
def cosines():
    return np.random.RandomState(0).uniform(-0.99, 0.99, (6, 9)).astype(np.float32)


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
