"""Blocks, stages and whole backbones against torch, in training and evaluation, both modes."""

import unittest

import numpy as np
import pytest
import torch
from mindspore import nn, ops

from fastreid.layers import IBN, BatchNorm, Conv2d
from fastreid.modeling.backbones.blocks import BasicBlock, BlockCells, Bottleneck
from fastreid.modeling.backbones.dynamic_router import AdaptorBank, HyperRouter
from fastreid.modeling.backbones.meta_dynamic_router_resnet import (
    AdaptiveStage,
    MetaDynamicRouterResNet,
    MetaSELayer,
    meta_cells,
)
from fastreid.modeling.backbones.resnet import ResNet
from fastreid.modeling.backbones.resnet_specs import ResNetSpec, StageSpec
from fastreid.modeling.ops import MetaBNNorm
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.against_torch import (
    SIZES,
    AlignmentCase,
    assert_close,
    assert_same,
    copy_weights,
    feature_map,
    ours,
    randomize,
    theirs,
)
from test.alignment.reference.resnet import Block, TorchResNet, small_weights
from test.alignment.reference.router import (
    TorchBank,
    TorchDynamicRouterResNet,
    TorchMetaSE,
    TorchRouter,
    TorchStage,
)

PLAIN = BlockCells(Conv2d, BatchNorm, IBN)
SMALL = (StageSpec(4, 2, 1, 0), StageSpec(4, 2, 2, 1), StageSpec(8, 1, 2, 1), StageSpec(8, 2, 1, 0))
WITHOUT_NON_LOCAL = tuple(stage._replace(non_local=0) for stage in SMALL)
RESNETS = {
    "basic": (ResNetSpec("basic", 8, WITHOUT_NON_LOCAL), {}, (35, 17)),
    "basic-ibn": (ResNetSpec("basic", 4, WITHOUT_NON_LOCAL), {"with_ibn": True}, (64, 48)),
    "bottleneck-nl": (ResNetSpec("bottleneck", 8, SMALL), {}, (64, 48)),
    "bottleneck-ibn-se": (
        ResNetSpec("bottleneck", 8, SMALL),
        {"with_ibn": True, "with_se": True},
        (67, 33),
    ),
}
# Planes of at least 8: four adaptors, half of whose channels have instance norm.
ROUTED = ResNetSpec(
    "bottleneck",
    16,
    (StageSpec(8, 2, 1, 0), StageSpec(8, 3, 2, 1), StageSpec(16, 2, 2, 0), StageSpec(16, 2, 1, 0)),
)
# Rounding grows by a factor of about two a block, and by dividing by deviations.
DEEP = 1e-4
# Of gradients of a whole network; torch in float32 is 2e-4 to 8e-4 away from float64 here.
DEEPEST = 2e-3


class SideBySide(nn.Cell):
    """Both outputs of a cell in one row per image."""

    def __init__(self, cell):
        super().__init__(auto_prefix=False)
        self.cell = cell

    def construct(self, x):
        features, weights = self.cell(x)
        return ops.cat((features.reshape(x.shape[0], -1), weights), 1)


def side_by_side(module):
    """The same of a torch module."""
    forward = module.forward

    def both(x):
        features, weights = forward(x)
        return torch.cat((features.flatten(1), weights), 1)

    module.forward = both
    return module


class BackboneCase(AlignmentCase):
    def assert_aligned(self, cell, module, x, gradient_tolerance=2 * DEEP):
        """Outputs by their largest value; gradients by the length of their difference."""
        got, want = ours(cell, x), theirs(module, x)
        assert_close(got[0], want[0], DEEP)
        self.assert_near(got[1], want[1], "input", gradient_tolerance)
        self.assertEqual(got[2].keys(), want[2].keys())
        largest = max(np.linalg.norm(gradient) for gradient in want[2].values())
        for name, gradient in want[2].items():
            # What a norm undoes has no gradient but rounding.
            if np.linalg.norm(gradient) > 1e-6 * largest:
                self.assert_near(got[2][name], gradient, name, gradient_tolerance)

    def assert_near(self, got, want, name, tolerance=2 * DEEP):
        distance = np.linalg.norm(got - want) / np.linalg.norm(want)
        self.assertLess(distance, tolerance, name)

    def assert_statistics(self, cell, module, skip=" "):
        weights = export_weights(cell)
        for name, value in module.named_buffers():
            if name in weights and skip not in name:
                assert_close(weights[name], value.numpy(), DEEP)


class Blocks(BackboneCase):
    def test_blocks(self):
        for mode in self.modes():
            for make, stride, options in (
                (BasicBlock, 1, {"with_ibn": True, "with_se": False}),
                (Bottleneck, 1, {"with_ibn": True, "with_se": False}),
                (Bottleneck, 2, {"with_ibn": False, "with_se": True}),
            ):
                for size in SIZES:
                    case = {"block": make.__name__, "stride": stride, "size": size}
                    with self.subTest(mode=mode, **case):
                        self.check_block(make, stride, options, size)

    def check_block(self, make, stride, options, size):
        planes = 16
        channels = planes * make.expansion
        is_bottleneck = make is Bottleneck
        module = Block(channels, planes, bottleneck=is_bottleneck, stride=stride, **options)
        downsample = None
        if stride > 1:
            downsample = nn.SequentialCell(
                Conv2d(channels, channels, 1, stride=stride), BatchNorm(channels)
            )
        cell = make(channels, planes, cells=PLAIN, stride=stride, downsample=downsample, **options)
        for training in (True, False):
            small_weights(module).train(training)
            copy_weights(cell.set_train(training), module)
            self.assert_aligned(cell, module, feature_map(size, channels=channels, rows=4))
            self.assert_statistics(cell, module)


class Routing(BackboneCase):
    """The parts of a stage of ACL's backbone."""

    def test_the_router(self):
        for mode in self.modes():
            for size in SIZES:
                with self.subTest(mode=mode, size=size):
                    module, cell = randomize(TorchRouter(32)), HyperRouter(32)
                    copy_weights(cell, module)
                    # MindSpore's exponential on CPU is good to 2e-5.
                    x = feature_map(size, channels=32)
                    assert_same(cell, module, x, tolerance=5e-5)

    def test_squeeze_and_excitation_of_meta_cells(self):
        for mode in self.modes():
            with self.subTest(mode=mode):
                module, cell = randomize(TorchMetaSE(32)), MetaSELayer(32)
                copy_weights(cell, module)
                assert_same(cell, module, feature_map(SIZES[1], channels=32))

    def test_a_bank_is_a_grouped_bottleneck_over_copies_of_its_input(self):
        mix = np.random.RandomState(1).rand(3, 4).astype(np.float32)
        for mode in self.modes():
            for with_ibn, with_se, training in (
                (True, False, True),
                (True, True, False),
                (False, False, False),
            ):
                for size in SIZES:
                    case = {"ibn": with_ibn, "se": with_se, "training": training, "size": size}
                    with self.subTest(mode=mode, **case):
                        options = {"with_ibn": with_ibn, "with_se": with_se}
                        module = small_weights(TorchBank(32, 8, **options)).train(training)
                        cell = AdaptorBank(32, 8, cells=meta_cells(MetaBNNorm), **options)
                        cell.set_train(training)
                        copy_weights(cell, module)
                        x = feature_map(size, channels=32, rows=3)
                        got, want = ours(cell, x, mix), theirs(module, x, mix)
                        assert_close(got[0], want[0], 2e-5)
                        self.assert_near(got[1], want[1], "input")
                        for name, gradient in want[2].items():
                            self.assert_near(got[2][name], gradient, name)

    @pytest.mark.slow
    def test_a_whole_stage(self):
        spec = StageSpec(16, 3, 2, 1)
        options = {"blocks_with_ibn": True, "adaptors_with_ibn": True, "with_se": False}
        for mode in self.modes():
            for training in (True, False):
                for size in SIZES:
                    with self.subTest(mode=mode, training=training, size=size):
                        module = small_weights(TorchStage(32, spec, **options)).train(training)
                        cell = AdaptiveStage(32, spec, norm="BN", **options)
                        copy_weights(cell.set_train(training), module)
                        x = feature_map(size, channels=32, rows=4)
                        self.assert_aligned(SideBySide(cell), side_by_side(module), x)


@pytest.mark.slow
class WholeBackbones(BackboneCase):
    def test_resnets(self):
        for mode in self.modes():
            for name, (spec, options, size) in RESNETS.items():
                with self.subTest(mode=mode, name=name):
                    x = np.random.RandomState(3).randn(4, 3, *size).astype(np.float32)
                    module = small_weights(TorchResNet(spec, **options)).eval()
                    cell = ResNet(spec, **options).set_train(False)
                    copy_weights(cell, module)
                    self.assert_aligned(cell, module, x)

    def test_resnets_in_training_move_their_statistics(self):
        for mode in self.modes():
            for name in ("basic", "bottleneck-ibn-se"):
                with self.subTest(mode=mode, name=name):
                    spec, options, _ = RESNETS[name]
                    x = np.random.RandomState(3).randn(4, 3, 48, 32).astype(np.float32)
                    module = small_weights(TorchResNet(spec, **options)).train()
                    cell = ResNet(spec, **options).set_train()
                    copy_weights(cell, module)
                    got, want = ours(cell, x), theirs(module, x)
                    assert_close(got[0], want[0], 5e-5)
                    self.assert_statistics(cell, module)

    def test_the_dynamic_router_resnet(self):
        for mode in self.modes():
            for training, size in ((True, (64, 32)), (False, (67, 35))):
                with self.subTest(mode=mode, training=training, size=size):
                    module = TorchDynamicRouterResNet(ROUTED, with_ibn=True)
                    small_weights(module).train(training)
                    cell = MetaDynamicRouterResNet(
                        ROUTED, with_ibn=True, with_se=False, norm="BN"
                    ).set_train(training)
                    copy_weights(cell, module)
                    x = np.random.RandomState(3).randn(4, 3, *size).astype(np.float32)
                    self.assert_aligned(SideBySide(cell), side_by_side(module), x, DEEPEST)
                    # `map` does not run here, see docs/fidelity.md.
                    self.assert_statistics(cell, module, skip="map")


if __name__ == "__main__":
    unittest.main()
