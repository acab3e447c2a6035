import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.modeling import build_model, use_half_precision
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
