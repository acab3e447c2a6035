"""A forward and a backward pass of a model: usual, recomputed, or in half precision."""

import gc
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
from fastreid.modeling.backbones.vision_transformer.blocks import Attention, Mlp

ROWS, CLASSES, SIZE = 8, 4, (64, 32)
MOST_HALVINGS = 12
# Scale and shift of every batch norm. They keep nearly all values between 0 and 3: where a ReLU or
# a hard swish is at its kink, the smallest change of a value changes a gradient altogether, and
# some 50 layers of them turn the rounding of float16 into gradients that cannot be compared.
SCALE, SHIFT = 0.25, 1.5
# The largest relative changes of numbers that are rounded to the 11 bits of float16, and changes of
# float32 numbers. One unit in the last place, 2^-23, moves a maximum over its kink so seldom that a
# pass may have no such case: these changes are larger, so that every pass has some.
HALF_ROUNDING, SINGLE_CHANGE = 2.0**-11, 32 * 2.0**-23
DRAWS = 2
# Two errors of the same distribution differ in length, here by less than this factor.
LEEWAY = 3
# One error by the root mean square of DRAWS is distributed as Student's t: above 10 once in 100.
LOSS_LEEWAY = 10
# No loss may change by more than this part of the sum of all, however large the rounding. Measured:
# errors of 4e-6 (EfficientNet) to 5e-4 (MobileNetV2), deviations of up to 8e-4 (ShuffleNetV2).
MOST_LOSS_ERROR = 3e-3
# Gradients are compared where the allowance is below this part of their length, in half precision
# or in another order of additions; most are.
MOST_ALLOWED, MOST_ALLOWED_OF_ORDER, LEAST_COMPARED = 0.5, 0.05, 0.5
TINY = np.finfo(np.float32).tiny


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


class RoundedProduct(nn.Cell):
    """The product of two tensors, rounded. A channel's gate is rounded once for a whole map."""

    def __init__(self, product):
        super().__init__()
        self.product = product

    def construct(self, x, y):
        return rounded(self.product(rounded(x), rounded(y)))


class Rounded(nn.Cell):
    """A function of one tensor, rounded."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def construct(self, x):
        return rounded(self.function(rounded(x)))


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
        # MindSpore compiles a cell again if another one with inputs of the same shapes is freed
        # after its first call.
        gc.collect()
        set_seed(0)
        self.model = build_model(cfg)
        self.start = start_values(self.model)
        if half:
            use_half_precision(self.model)
        if rounds:
            round_as_half_precision(self.model)
        self.scale = LossScale(enabled=half or rounds)
        self.parameters = self.model.trainable_params()
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

    def changed_passes(self, rounding):
        """Passes with all weights changed at random, by at most this part of each."""
        start, passes = self.start, []
        for seed in range(DRAWS):
            rng = np.random.RandomState(seed)
            self.start = dict(start)
            for name in (parameter.name for parameter in self.parameters):
                change = rounding * rng.uniform(-1, 1, start[name].shape)
                self.start[name] = (start[name] * (1 + change)).astype(np.float32)
            passes.append(self.run())
        self.start = start
        return passes


def round_as_half_precision(model):
    """Round the results of convolutions, norms, gates and attention where half precision does."""
    for part in getattr(model, "half_precision_parts", ("backbone",)):
        for _, cell in list(getattr(model, part).cells_and_names()):
            if isinstance(cell, Conv2d):
                cell.conv2d = RoundedConvolution(shape_of(cell))
            if isinstance(cell, BatchNorm):
                cell.by_batch = RoundedNorm(cell.by_batch)
            for name, child in cell.name_cells().items():
                if isinstance(child, ScaleChannels):
                    setattr(cell, name, RoundedProduct(child))
            # The linear layers are between these.
            if isinstance(cell, Attention):
                cell.compare, cell.combine = map(RoundedProduct, (cell.compare, cell.combine))
                cell.proj_drop = Rounded(cell.proj_drop)
            if isinstance(cell, Mlp):
                cell.act, cell.drop = map(Rounded, (cell.act, cell.drop))


def shape_of(conv):
    """The channels and sizes of a `Conv2d`."""
    return ConvShape(
        conv.in_channels,
        conv.out_channels,
        kernel_size=conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding[::2],
        dilation=conv.dilation,
        groups=conv.group,
    )


def start_values(model):
    """Start values of all parameters by name, of a model that is not rounded yet."""
    values = {p.name: p.asnumpy().copy() for p in model.get_parameters()}
    for _, cell in model.cells_and_names():
        if isinstance(cell, BatchNorm):
            values[cell.gamma.name][:] = SCALE
            values[cell.beta.name][:] = SHIFT
        if is_gate(cell):
            # Means of positive numbers, which are far from the kinks of a gate's activations.
            for weight in (p for p in cell.get_parameters() if p.ndim > 1):
                rows = np.abs(values[weight.name]).reshape(weight.shape[0], -1)
                values[weight.name] = (rows / rows.sum(1, keepdims=True)).reshape(weight.shape)
    return values


def is_gate(cell):
    """Whether a cell weights channels, without a norm."""
    scales = any(isinstance(each, ScaleChannels.in_recomputed_block) for each in cell.cells())
    return scales and not any(isinstance(each, BatchNorm) for _, each in cell.cells_and_names())


def assert_same(found, usual, changed):
    """Two passes differ by no more than another order of additions changes them.

    Args:
        found: a pass.
        usual: another.
        changed: some with weights that are changed by `SINGLE_CHANGE`.
    """
    np.testing.assert_allclose(found.losses, usual.losses, rtol=1e-6)
    assert_gradients_near(found, usual, changed, most_allowed=MOST_ALLOWED_OF_ORDER)
    assert found.statistics.keys() == usual.statistics.keys()
    for name, want in usual.statistics.items():
        # Two moves round twice.
        got = found.statistics[name]
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=name)


def distance(found, usual, name):
    """Distance of the gradients of two passes by a parameter, in lengths of the second."""
    want = usual.gradients[name]
    return np.linalg.norm(found.gradients[name] - want) / max(np.linalg.norm(want), TINY)


def strays_of(passes, usual):
    """Name -> root of the mean square of the distances of some passes from the usual one."""
    names = usual.gradients
    return {n: np.sqrt(np.mean([distance(each, usual, n) ** 2 for each in passes])) for n in names}


def assert_gradients_near(found, usual, changed, *, most_allowed):
    """The gradients of a pass differ from the usual ones by no more than changed ones do.

    Args:
        found: the pass.
        usual: the usual one.
        changed: some with other roundings.
        most_allowed: gradients are compared where the allowance is below this part of their length.
    """
    assert found.gradients.keys() == usual.gradients.keys()
    # Gradients that are nothing but rounding, as those of shifts before another norm, show
    # nothing: zeros would be near enough.
    strays = {name: s for name, s in strays_of(changed, usual).items() if LEEWAY * s < most_allowed}
    assert len(strays) > LEAST_COMPARED * len(usual.gradients), len(strays)
    # Two draws of one number, such as the bias of a gate with one hidden unit, may both be near 0.
    typical = np.median(list(strays.values()))
    for name, stray in strays.items():
        error = distance(found, usual, name)
        assert error <= LEEWAY * max(stray, typical), (name, error, stray, typical)


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
    allowed = np.minimum(LOSS_LEEWAY * deviation, MOST_LOSS_ERROR * np.abs(usual.losses).sum())
    assert (errors <= allowed).all(), (half.losses, usual.losses, deviation)
    assert_gradients_near(half, usual, rounded, most_allowed=MOST_ALLOWED)
