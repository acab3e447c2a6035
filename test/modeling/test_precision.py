import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.layers import Conv2d
from fastreid.modeling import build_model, use_half_precision
from test.alignment.against_torch import ours
from test.modeling.test_recompute import ADAPTIVE, PLAIN, config_of

EXTRAS = {"MODEL.BACKBONE.WITH_NL": True, "MODEL.BACKBONE.WITH_SE": True}
IMAGES = np.random.RandomState(0).uniform(0, 255, (8, 3, 64, 32)).astype(np.float32)
TARGETS = np.repeat(np.array([0, 1, 4, 5], np.int32), 2)


def model_of(options, *, half):
    ms.set_seed(0)
    model = build_model(config_of(options, **EXTRAS))
    if half:
        use_half_precision(model)
    return model


def gradients_of(model):
    forward = LossForward(model, model.criterion())
    scale = LossScale(enabled=True)
    step = GradientStep(forward, model.trainable_params(), loss_scale=scale).set_train()
    losses, _, finite, gradients = step(Tensor(IMAGES), Tensor(TARGETS), Tensor(TARGETS // 4))
    assert bool(finite.asnumpy())
    assert all(gradient.dtype == ms.float32 for gradient in gradients)
    return losses.asnumpy(), [gradient.asnumpy().ravel() for gradient in gradients]


@pytest.fixture
def pynative():
    """Pynative mode, in which the type of a map can be read without compiling."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture
def graph_if_plain(options, request):
    """The small model shows what graph mode makes of float16; numbers need no graph."""
    if options is not PLAIN:
        request.getfixturevalue("pynative")


@pytest.mark.slow
@pytest.mark.usefixtures("graph_if_plain")
@pytest.mark.parametrize("options", [ADAPTIVE, PLAIN], ids=["adaptive", "plain"])
def test_half_precision_trains_near_the_numbers_of_single_precision(options):
    losses, gradients = gradients_of(model_of(options, half=False))
    half_losses, half_gradients = gradients_of(model_of(options, half=True))
    assert not np.array_equal(half_losses, losses), "nothing was computed in float16"
    # float16 keeps 11 bits, and these models have some ten layers.
    np.testing.assert_allclose(half_losses, losses, rtol=0.02, atol=1e-3)
    largest = max(map(np.linalg.norm, gradients))
    compared = 0
    for got, want in zip(half_gradients, gradients):
        length, half_length = np.linalg.norm(want), np.linalg.norm(got)
        # Smaller ones, such as those before a norm that starts at zero, are mostly rounding.
        if length > 1e-3 * largest:
            compared += 1
            assert got @ want > 0.9 * length * half_length
            assert 0.8 * length < half_length < 1.25 * length
    assert compared > len(gradients) / 2


@pytest.mark.parametrize("options", [ADAPTIVE, PLAIN], ids=["adaptive", "plain"])
def test_maps_are_half_as_wide_in_training_and_whole_in_evaluation(options, pynative):
    model = model_of(options, half=True)
    pixels = Tensor(IMAGES[:2] / 255)
    maps = model.backbone.set_train()(pixels)
    assert (maps[0] if isinstance(maps, tuple) else maps).dtype == ms.float16
    assert all(p.dtype == ms.float32 for p in model.get_parameters())
    exact = model_of(options, half=False)
    features = [
        m.set_train(False)(Tensor(IMAGES[:2])).asnumpy()
        for m in (model_of(options, half=True), exact)
    ]
    np.testing.assert_array_equal(*features)


class Branched(nn.Cell):
    """An architecture with two parts that train in float16, and one that does not."""

    half_precision_parts = ("backbone", "branch")

    def __init__(self):
        super().__init__()
        self.backbone, self.branch, self.heads = (Conv2d(3, 3, 1) for _ in range(3))


def test_an_architecture_names_the_parts_that_train_in_half_precision(pynative):
    model = Branched().set_train()
    use_half_precision(model)
    types = [part(Tensor(IMAGES)).dtype for part in (model.backbone, model.branch, model.heads)]
    assert types == [ms.float16, ms.float16, ms.float32]


def test_a_bias_is_added_in_half_precision(mode):
    ms.set_seed(0)
    conv = Conv2d(3, 4, 3, bias=True).set_train()
    x = np.random.RandomState(0).randn(2, 3, 6, 5).astype(np.float32)
    exact = ours(conv, x)
    conv.train_in_half_precision()
    output, _, gradients = ours(conv, x)
    assert output.dtype == np.float16
    np.testing.assert_allclose(output, exact[0], rtol=0, atol=4e-3 * np.abs(exact[0]).max())
    want = exact[2]["bias"]
    np.testing.assert_allclose(gradients["bias"], want, rtol=0, atol=4e-3 * np.abs(want).max())
    whole = conv.set_train(False)(Tensor(x)).asnumpy()
    np.testing.assert_allclose(whole, exact[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("groups", [2, 6])
def test_gradients_of_grouped_convolutions_in_half_precision(pynative, groups):
    ms.set_seed(0)
    conv = Conv2d(6, 6, 3, padding=1, groups=groups).set_train()
    x = np.random.RandomState(0).randn(2, 6, 5, 4).astype(np.float32)
    exact = ours(conv, x)
    conv.train_in_half_precision()
    output, by_input, by_weight = ours(conv, x)
    assert output.dtype == np.float16
    for got, want in ((by_input, exact[1]), (by_weight["weight"], exact[2]["weight"])):
        # float16 keeps 11 bits.
        np.testing.assert_allclose(got, want, rtol=0, atol=4e-3 * np.abs(want).max())
