"""Every cell by itself against torch: output, gradients of input and parameters, both modes."""

import unittest

import numpy as np
import torch
from mindspore import Tensor, nn, ops

from fastreid.layers import (
    IBN,
    BatchNorm,
    Conv2d,
    GeneralizedMeanPooling,
    InstanceNorm,
    Linear,
    Non_local,
    SELayer,
    StemMaxPool,
    get_cls_layer,
    get_pooling,
    held_statistics,
)
from fastreid.modeling.ops import (
    MetaBNNorm,
    MetaConv2d,
    MetaGate,
    MetaIBNNorm,
    MetaINNorm,
    MetaLinear,
    MetaParam,
)
from test.alignment.against_torch import (
    SIZES,
    AlignmentCase,
    assert_close,
    assert_same,
    copy_weights,
    feature_map,
    randomize,
)
from test.alignment.reference.heads import Centers
from test.alignment.reference.layers import POOLINGS, TorchGeM, TorchIBN, TorchNonLocal, TorchSE
from test.alignment.reference.softmax import TorchSoftmax

CONVOLUTIONS = {
    "pointwise": (1, {}),
    "padded": (3, {"padding": 1}),
    "strided": (3, {"padding": 1, "stride": 2}),
    "grouped": (3, {"padding": 1, "groups": 4}),
    "stem": (7, {"padding": 3, "stride": 2, "bias": True}),
}
# Channels of the output, kernel, options.
GROUPED_CONVOLUTIONS = {
    "depthwise": (8, 3, {"padding": 1, "groups": 8}),
    "depthwise, twice as wide": (16, 5, {"padding": 2, "groups": 8}),
    "depthwise, strided": (8, 5, {"padding": 2, "stride": 2, "groups": 8, "bias": True}),
    "depthwise, dilated": (8, 3, {"padding": 2, "dilation": 2, "groups": 8}),
    "grouped, dilated": (12, 3, {"padding": 2, "dilation": 2, "groups": 2}),
    "grouped, narrower": (4, 3, {"groups": 4, "bias": True}),
    "grouped, pointwise": (12, 1, {"groups": 4}),
    "grouped, padded beyond the kernel": (12, 1, {"padding": 1, "groups": 4}),
    "dilated": (12, 3, {"padding": 2, "dilation": 2}),
    "dilated, strided": (12, 3, {"padding": 2, "dilation": 2, "stride": 2}),
    "rectangular": (12, (1, 3), {"padding": (0, 1)}),
    "rectangular, strided": (12, (3, 1), {"padding": (1, 0), "stride": (2, 1), "groups": 4}),
    "rectangular, depthwise": (8, (3, 2), {"padding": (2, 1), "dilation": (2, 1), "groups": 8}),
}
NORMS = {
    "BN": (BatchNorm, lambda: torch.nn.BatchNorm2d(8)),
    "MetaBNNorm": (MetaBNNorm, lambda: torch.nn.BatchNorm2d(8)),
    "IN": (InstanceNorm, lambda: torch.nn.InstanceNorm2d(8, affine=True)),
    "MetaINNorm": (MetaINNorm, lambda: torch.nn.InstanceNorm2d(8, affine=True)),
    "IBN": (IBN, lambda: TorchIBN(8)),
    "MetaIBNNorm": (MetaIBNNorm, lambda: TorchIBN(8)),
}
SOFTMAX_SCALE, SOFTMAX_MARGIN = 16.0, 0.35
SOFTMAX_TARGETS = np.array([0, 3, 8, -1, 2, 5], np.int32)


def statistics(cell):
    """Running statistics by torch name."""
    state = {name.rpartition(".")[2]: value for name, value in cell.parameters_and_names()}
    moving = {k: v.asnumpy().copy() for k, v in state.items() if k.startswith("moving")}
    return moving.get("moving_mean"), moving.get("moving_variance")


def torch_statistics(module):
    state = {k.rpartition(".")[2]: v for k, v in module.state_dict().items()}
    pair = state.get("running_mean"), state.get("running_var")
    return tuple(None if value is None else value.numpy().copy() for value in pair)


class Convolutions(AlignmentCase):
    def test_convolutions(self):
        for mode in self.modes():
            for make in (Conv2d, MetaConv2d):
                for kind, (kernel, options) in CONVOLUTIONS.items():
                    for size in SIZES:
                        with self.subTest(mode=mode, cell=make.__name__, kind=kind, size=size):
                            torch_options = {"bias": False, **options}
                            module = randomize(torch.nn.Conv2d(8, 12, kernel, **torch_options))
                            cell = make(8, 12, kernel, **options)
                            copy_weights(cell, module)
                            assert_same(cell, module, feature_map(size))

    def test_groups_dilations_and_rectangles(self):
        for mode in self.modes():
            for kind, (channels, kernel, options) in GROUPED_CONVOLUTIONS.items():
                for size in SIZES if mode == "pynative" else SIZES[1:]:
                    with self.subTest(mode=mode, kind=kind, size=size):
                        torch_options = {"bias": False, **options}
                        module = randomize(torch.nn.Conv2d(8, channels, kernel, **torch_options))
                        cell = Conv2d(8, channels, kernel, **options)
                        copy_weights(cell, module)
                        assert_same(cell, module, feature_map(size))

    def test_linear_layers(self):
        rows = np.random.RandomState(0).randn(5, 6).astype(np.float32)
        tokens = np.random.RandomState(1).randn(2, 4, 6).astype(np.float32)
        for mode in self.modes():
            for make, bias, x in (
                (Linear, False, rows),
                (MetaLinear, False, rows),
                (Linear, True, rows),
                (Linear, True, tokens),
            ):
                with self.subTest(mode=mode, cell=make.__name__, bias=bias, dimensions=x.ndim):
                    module = randomize(torch.nn.Linear(6, 3, bias=bias))
                    cell = make(6, 3, bias=bias)
                    copy_weights(cell, module)
                    assert_same(cell, module, x)

    def test_the_stems_pooling_cuts_the_last_window_at_the_border(self):
        for mode in self.modes():
            for size in ((8, 6), (9, 7), (5, 8), (3, 3), (2, 2)):
                with self.subTest(mode=mode, size=size):
                    module = torch.nn.MaxPool2d(3, 2, ceil_mode=True)
                    assert_same(StemMaxPool(), module, feature_map(size), tolerance=1e-7)


class Norms(AlignmentCase):
    """General, hold and eval."""

    def pairs(self):
        for mode in self.modes():
            for name, (make, make_module) in NORMS.items():
                for size in SIZES:
                    module, cell = randomize(make_module()), make(8)
                    copy_weights(cell, module)
                    with self.subTest(mode=mode, norm=name, size=size):
                        yield cell, module, feature_map(size)

    def assert_statistics(self, got, want):
        for ours, theirs in zip(got, want):
            self.assertEqual(ours is None, theirs is None)
            if ours is not None:
                assert_close(ours, theirs)

    def test_training_moves_the_running_statistics_of_batch_norms(self):
        for cell, module, x in self.pairs():
            for scale in (1, 2):
                assert_same(cell.set_train(), module.train(), np.float32(scale) * x)
                self.assert_statistics(statistics(cell), torch_statistics(module))

    def test_held_batch_norms_normalize_alike_and_keep_the_running_statistics(self):
        for cell, module, x in self.pairs():
            before = torch_statistics(module)
            with held_statistics(cell):
                assert_same(cell.set_train(), module.train(), x)
            for ours, old in zip(statistics(cell), before):
                if old is not None:
                    np.testing.assert_array_equal(ours, old.astype(np.float32))

    def test_evaluation_uses_the_running_statistics_of_batch_norms(self):
        for cell, module, x in self.pairs():
            assert_same(cell.set_train(False), module.eval(), x)
            self.assert_statistics(statistics(cell), torch_statistics(module))

    def test_an_odd_number_of_channels_gives_the_batch_norm_one_more(self):
        for mode in self.modes():
            for training in (True, False):
                with self.subTest(mode=mode, training=training):
                    module, cell = randomize(TorchIBN(7)), IBN(7)
                    copy_weights(cell, module)
                    x = feature_map((5, 4), channels=7, rows=3)
                    assert_same(cell.set_train(training), module.train(training), x)


class PoolingsAndBlocks(AlignmentCase):
    def test_poolings(self):
        for mode in self.modes():
            for name, make in POOLINGS.items():
                for size in SIZES:
                    with self.subTest(mode=mode, pooling=name, size=size):
                        cell, module = get_pooling(name), make()
                        copy_weights(cell, module)
                        assert_same(cell, module, feature_map(size))

    def test_any_power_can_be_fixed(self):
        for mode in self.modes():
            with self.subTest(mode=mode):
                assert_same(GeneralizedMeanPooling(2.5), TorchGeM(2.5), feature_map(SIZES[0]))

    def test_equal_pixels_get_the_gradients_of_torch(self):
        x = np.zeros((2, 3, 5, 4), np.float32)
        x[1] = 2.0
        for mode in self.modes():
            for name in ("GlobalMaxPool", "GeneralizedMeanPoolingP"):
                with self.subTest(mode=mode, pooling=name):
                    cell, module = get_pooling(name), POOLINGS[name]()
                    copy_weights(cell, module)
                    assert_same(cell, module, x)

    def test_squeeze_and_excitation(self):
        for mode in self.modes():
            for size in SIZES:
                with self.subTest(mode=mode, size=size):
                    module, cell = randomize(TorchSE(8, 2)), SELayer(8, 2)
                    copy_weights(cell, module)
                    assert_same(cell, module, feature_map(size))

    def test_non_local_blocks_are_the_sum_over_all_pairs_of_pixels(self):
        for mode in self.modes():
            for training in (True, False):
                for size in SIZES:
                    with self.subTest(mode=mode, training=training, size=size):
                        module = randomize(TorchNonLocal(8)).train(training)
                        cell = Non_local(8).set_train(training)
                        copy_weights(cell, module)
                        # The norm's division by a small deviation adds a digit of rounding.
                        before_norm = ("W.0.weight", "W.0.bias")
                        x = feature_map(size)
                        assert_same(cell, module, x, tolerance=3e-5, before_norm=before_norm)


class GateCell(nn.Cell):
    """The gate at work on one map."""

    def __init__(self):
        super().__init__()
        self.cell = MetaGate(8)

    def construct(self, x):
        return x * ops.broadcast_to(self.cell().reshape(1, -1, 1, 1), x.shape)


class TorchGateCell(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.Module()
        self.cell.gate = torch.nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return x * torch.sigmoid(self.cell.gate)[:, None, None]


class TorchDistances(Centers):
    """All to all, and of them those to the own centres."""

    def forward(self, x, targets):
        matrix = (x[:, None] - self.centers[None]).pow(2).sum(-1)
        return matrix[torch.arange(len(x)), targets.long()]


class GateAndCentres(AlignmentCase):
    def test_the_gate(self):
        for mode in self.modes():
            with self.subTest(mode=mode):
                module, cell = randomize(TorchGateCell()), GateCell()
                copy_weights(cell, module)
                assert_same(cell, module, feature_map(SIZES[1]))

    def test_squared_distances_to_centres(self):
        x = np.random.RandomState(0).randn(5, 6).astype(np.float32)
        targets = np.array([3, 0, 6, 3, 1], np.int32)
        for mode in self.modes():
            with self.subTest(mode=mode):
                module, cell = randomize(TorchDistances(7, 6)), MetaParam(6, 7)
                copy_weights(cell, module)
                assert_same(cell, module, x, targets)


class SoftmaxVariants(AlignmentCase):
    def test_variants(self):
        cosines = np.random.RandomState(0).uniform(-0.99, 0.99, (6, 9)).astype(np.float32)
        for mode in self.modes():
            for name in ("Linear", "CosSoftmax", "ArcSoftmax", "CircleSoftmax"):
                with self.subTest(mode=mode, variant=name):
                    cell = get_cls_layer(name)(9, SOFTMAX_SCALE, SOFTMAX_MARGIN)
                    module = TorchSoftmax(name, SOFTMAX_SCALE, SOFTMAX_MARGIN)
                    assert_same(cell, module, cosines, SOFTMAX_TARGETS)

    def test_the_logits_of_the_caller_stay_as_they_are(self):
        cosines = np.random.RandomState(0).uniform(-0.99, 0.99, (6, 9)).astype(np.float32)
        for name in ("Linear", "CosSoftmax", "ArcSoftmax", "CircleSoftmax"):
            with self.subTest(variant=name):
                given = Tensor(cosines)
                get_cls_layer(name)(9, SOFTMAX_SCALE, SOFTMAX_MARGIN)(
                    given, Tensor(SOFTMAX_TARGETS)
                )
                np.testing.assert_array_equal(given.asnumpy(), cosines)


if __name__ == "__main__":
    unittest.main()
