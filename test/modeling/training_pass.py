"""A forward and a backward pass of a model: usual, recomputed, or in half precision."""

from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops, set_seed

from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.layers import BatchNorm, Conv2d, ScaleChannels
from fastreid.layers.conv_kernels import ConvShape, HalfConvolution
from fastreid.layers.kernels import cast, depend, shape
from fastreid.modeling import build_model, use_half_precision

ROWS, CLASSES, SIZE = 8, 4, (64, 32)
MOST_HALVINGS = 12
# Errors of gradients that are smaller than this part of the largest one count as if they were this.
SMALL = 0.01
# Scale and shift of every batch norm. They keep nearly all values above 0: where a ReLU is at its
# kink, the smallest change of a value changes a gradient altogether, and some 50 layers of ReLUs
# turn the rounding of float16 into gradients that cannot be compared.
SCALE, SHIFT = 0.5, 2.0
# The largest relative change of a number that is rounded to the 11 bits of float16.
HALF_ROUNDING = 2.0**-11
DRAWS = 2
# Two errors of the same distribution differ in length, here by less than this factor.
LEEWAY = 3
# Gradients are compared where the allowance is below this part of their length; most are.
MOST_ALLOWED, LEAST_COMPARED = 0.5, 0.5


class Pass(NamedTuple):
    """Losses (L,), and gradients and running statistics by the names of their parameters."""

    losses: np.ndarray
    gradients: dict
    statistics: dict


class RoundedConvolution(HalfConvolution):
    """A convolution in single precision that rounds what float16 rounds."""

    def construct(self, x, weight):
        return rounded(self.convolve(rounded(x), rounded(weight)))

    def bprop(self, x, weight, _out, dout):
        dout, x, weight = rounded(dout), rounded(x), rounded(weight)
        dweight = self.weight_gradient(dout, x, shape(weight))
        dx = self.input_gradient(depend(dout, dweight), weight, shape(x))
        return rounded(dx), rounded(dweight)


class RoundedNorm(nn.Cell):
    """The operation of a batch norm, with a result that is rounded as its gradient is."""

    def __init__(self, normalize):
        super().__init__()
        self.normalize = normalize

    def construct(self, x, gamma, beta, mean, variance):
        return (rounded(self.normalize(x, gamma, beta, mean, variance)[0]),)


class RoundedGate(nn.Cell):
    """The product of channels and gates, rounded. One gate's rounding is that of a whole map."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def construct(self, x, gates):
        return rounded(self.scale(rounded(x), rounded(gates)))


def rounded(x):
    """Round to the nearest float16: a float32 tensor of any shape -> the same."""
    return cast(cast(x, ms.float16), ms.float32)


class Trained:
    """A model of a configuration and a batch of random images.

    Args:
        cfg: the configuration; its model has CLASSES classes.
        half: whether the model is trained in half precision.
        rounds: whether it is trained in single precision, and rounds what half precision rounds.
    """

    def __init__(self, cfg, *, half=False, rounds=False):
        set_seed(0)
        self.model = build_model(cfg)
        if half:
            use_half_precision(self.model)
        if rounds:
            round_as_half_precision(self.model)
        self.scale = LossScale(enabled=half or rounds)
        self.parameters = self.model.trainable_params()
        self.start = start_values(self.model)
        forward = LossForward(self.model, self.model.criterion())
        self.step = GradientStep(forward, self.parameters, loss_scale=self.scale).set_train()
        rng = np.random.RandomState(0)
        targets = np.repeat(np.arange(CLASSES, dtype=np.int32), ROWS // CLASSES)
        images = rng.uniform(0, 255, (ROWS, 3, *cfg.INPUT.SIZE_TRAIN))
        self.batch = (images.astype(np.float32), targets, np.zeros(ROWS, np.int32))

    def run(self):
        """Train on the batch from the start values, with a loss scale that avoids overflows."""
        for _ in range(1 + MOST_HALVINGS * self.scale.enabled):
            for parameter in self.model.get_parameters():
                ops.assign(parameter, Tensor(self.start[parameter.name]))
            losses, _, is_finite, gradients = self.step(*map(Tensor, self.batch))
            if bool(is_finite.asnumpy()):
                break
            self.scale.adjust(is_finite)
        assert bool(is_finite.asnumpy())
        assert all(gradient.dtype == np.float32 for gradient in map(Tensor.asnumpy, gradients))
        statistics = [p for p in self.model.get_parameters() if ".moving_" in p.name]
        return Pass(
            losses.asnumpy(),
            {p.name: g.asnumpy() for p, g in zip(self.parameters, gradients)},
            {p.name: p.asnumpy().copy() for p in statistics},
        )

    def rounded_passes(self):
        """Passes with weights that are changed as float16 rounds, at random."""
        start, passes = self.start, []
        for seed in range(DRAWS):
            rng = np.random.RandomState(seed)
            self.start = dict(start)
            for name in (parameter.name for parameter in self.parameters):
                change = HALF_ROUNDING * rng.uniform(-1, 1, start[name].shape)
                self.start[name] = (start[name] * (1 + change)).astype(np.float32)
            passes.append(self.run())
        self.start = start
        return passes


def round_as_half_precision(model):
    """Round the results of convolutions, norms and gates where half precision does."""
    for part in getattr(model, "half_precision_parts", ("backbone",)):
        for _, cell in list(getattr(model, part).cells_and_names()):
            if isinstance(cell, Conv2d):
                spec = ConvShape(
                    cell.in_channels,
                    cell.out_channels,
                    kernel_size=cell.kernel_size,
                    stride=cell.stride,
                    padding=cell.padding[::2],
                    dilation=cell.dilation,
                    groups=cell.group,
                )
                cell.conv2d = RoundedConvolution(spec)
            if isinstance(cell, BatchNorm):
                cell.by_batch = RoundedNorm(cell.by_batch)
            for name, child in cell.name_cells().items():
                if isinstance(child, ScaleChannels):
                    setattr(cell, name, RoundedGate(child))


def start_values(model):
    """Start values of all parameters by name."""
    values = {p.name: p.asnumpy().copy() for p in model.get_parameters()}
    for _, cell in model.cells_and_names():
        if isinstance(cell, BatchNorm):
            values[cell.gamma.name][:] = SCALE
            values[cell.beta.name][:] = SHIFT
    return values


def assert_same(found, usual):
    """Two passes differ by no more than two runs of one graph, whose threads add in any order."""
    np.testing.assert_allclose(found.losses, usual.losses, rtol=1e-6)
    assert found.gradients.keys() == usual.gradients.keys()
    largest = max(np.abs(gradient).max() for gradient in usual.gradients.values())
    for name, want in usual.gradients.items():
        # Those of shifts before another norm, for instance, are nothing but rounding.
        atol = 2e-5 * max(np.abs(want).max(), SMALL * largest)
        np.testing.assert_allclose(found.gradients[name], want, rtol=0, atol=atol, err_msg=name)
    assert found.statistics.keys() == usual.statistics.keys()
    for name, want in usual.statistics.items():
        # Two moves round twice.
        got = found.statistics[name]
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=name)


def distance(found, usual, name):
    """Squared distance of the gradients of two passes by a parameter."""
    return float(np.square(found.gradients[name] - usual.gradients[name]).sum())


def assert_near_as_rounding(half, usual, rounded):
    """A pass in half precision is as near to the usual one as passes that round.

    Args:
        half: the pass in half precision.
        usual: the one in single precision.
        rounded: some in single precision, which round what float16 rounds.
    """
    assert not np.array_equal(half.losses, usual.losses), "nothing was computed in float16"
    deviation = np.sqrt(np.mean([(each.losses - usual.losses) ** 2 for each in rounded], 0))
    errors = np.abs(half.losses - usual.losses)
    assert (errors <= LEEWAY * deviation).all(), (half.losses, usual.losses, deviation)
    count = 0
    for name, want in usual.gradients.items():
        allowed = LEEWAY**2 * np.mean([distance(each, usual, name) for each in rounded])
        # Gradients that are nothing but rounding, as those of shifts before another norm, show
        # nothing: zeros would be near enough.
        if allowed < MOST_ALLOWED**2 * np.square(want).sum():
            assert distance(half, usual, name) <= allowed, name
            count += 1
    assert count > LEAST_COMPARED * len(usual.gradients), count
