import numpy as np
import pytest
from mindspore import Tensor, value_and_grad

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


@pytest.mark.parametrize("name", ["ArcSoftmax", "CircleSoftmax"])
def test_margins_of_cosines_near_one_keep_their_digits(mode, name):
    away = np.logspace(-6.5, -0.5, 13)
    cosines = np.stack([1 - away, away - 1], 1).astype(np.float32)
    margin = {"ArcSoftmax": MARGIN, "CircleSoftmax": 1e-4}[name]
    cell = get_cls_layer(name)(2, SCALE, margin)

    def total(logits):
        output = cell(logits, Tensor(np.zeros(len(cosines), np.int32)))[:, 0]
        return output.sum(), output

    (_, output), gradient = value_and_grad(total, has_aux=True)(Tensor(cosines))
    exact = cosines[:, 0].astype(np.float64)
    angles = np.arccos(exact)
    want, slopes = np.cos(angles + margin), np.sin(angles + margin) / np.sin(angles)
    if name == "CircleSoftmax":
        slopes = 1 + margin - exact
        want = slopes * (exact - (1 - margin))
    # 1 + margin is rounded by 6e-8, which counts where the cosine is as near to it as that.
    np.testing.assert_allclose(output.asnumpy(), SCALE * want, rtol=2e-6, atol=SCALE * 1e-10)
    np.testing.assert_allclose(gradient.asnumpy()[:, 0], SCALE * slopes, rtol=2e-6, atol=2e-6)


def test_only_the_margin_variants_take_cosines():
    assert [get_cls_layer(name).takes_cosines for name in NAMES] == [False, True, True, True]
    assert get_cls_layer("Linear") is LinearSoftmax


def test_an_unknown_variant_names_the_key_and_the_choices():
    with pytest.raises(ValueError, match=r"CLS_LAYER 'Softmax' is unknown; .*'ArcSoftmax'"):
        get_cls_layer("Softmax")
