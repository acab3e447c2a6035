"""Blocks of OSNet, MobileNetV2 and MobileNetV3 against torch."""

import mindspore as ms
import numpy as np
import pytest
import torch

from fastreid.layers import BatchNorm, InstanceNorm
from fastreid.modeling.backbones.channel_gate import ChannelGate
from fastreid.modeling.backbones.mobilenet.network import InvertedResidual
from fastreid.modeling.backbones.mobilenetv3.network import InvertedResidual as InvertedResidualV3
from fastreid.modeling.backbones.mobilenetv3.specs import BlockSpec
from fastreid.modeling.backbones.osnet.blocks import ConvNorm, OSBlock, os_stage
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.against_torch import assert_close, copy_weights, feature_map, ours, theirs
from test.alignment.reference.light import (
    TorchConvNorm,
    TorchGate,
    TorchInvertedV2,
    TorchInvertedV3,
    TorchOSBlock,
    TorchOSStage,
)
from test.alignment.reference.resnet import small_weights

# Rounding grows by dividing by deviations.
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def assert_aligned(cell, module, *, channels, size=(7, 5), training=True):
    """Outputs, all gradients and the running statistics."""
    small_weights(module).train(training)
    copy_weights(cell.set_train(training), module)
    x = feature_map(size, channels=channels, rows=4)
    got, want = ours(cell, x), theirs(module, x)
    assert_close(got[0], want[0], TOLERANCE)
    assert_near(got[1], want[1], "input")
    assert got[2].keys() == want[2].keys()
    largest = max(np.linalg.norm(gradient) for gradient in want[2].values())
    for name, gradient in want[2].items():
        # What a norm undoes has no gradient but rounding.
        if np.linalg.norm(gradient) > 1e-6 * largest:
            assert_near(got[2][name], gradient, name)
    weights = export_weights(cell)
    for name, value in module.named_buffers():
        if not name.endswith("num_batches_tracked"):
            assert_close(weights[name], value.numpy(), TOLERANCE)


def assert_near(got, want, name):
    assert np.linalg.norm(got - want) / np.linalg.norm(want) < 2 * TOLERANCE, name


@pytest.mark.parametrize("activation", ["sigmoid", "hardsigmoid"])
def test_the_gate_of_channels(activation):
    by_torch = {"sigmoid": torch.sigmoid, "hardsigmoid": torch.nn.functional.hardsigmoid}
    cell = ChannelGate(32, 2, activation=getattr(ms.ops, activation))
    assert_aligned(cell, TorchGate(32, 2, by_torch[activation]), channels=32)


def test_the_stem_of_osnet_with_instance_norm():
    cell = ConvNorm(3, 16, 7, stride=2, norm=InstanceNorm)
    norm = lambda channels: torch.nn.InstanceNorm2d(channels, affine=True)  # noqa: E731
    module = TorchConvNorm(3, 16, 7, stride=2, norm=norm)
    assert_aligned(cell, module, channels=3, size=(15, 10))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("in_channels", "with_instance_norm"), [(64, False), (64, True), (32, False), (32, True)]
)
def test_omni_scale_blocks(in_channels, with_instance_norm, training):
    cell = OSBlock(in_channels, 64, norm=BatchNorm, with_instance_norm=with_instance_norm)
    module = TorchOSBlock(in_channels, 64, with_instance_norm=with_instance_norm)
    assert_aligned(cell, module, channels=in_channels, training=training)


def test_a_stage_of_osnet_halves_odd_sizes_rounding_down():
    cell = os_stage(16, 64, blocks=2, norm=BatchNorm)
    assert_aligned(cell, TorchOSStage(16, 64), channels=16, size=(9, 7))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("in_channels", "out_channels", "expansion", "stride"),
    [(8, 8, 6, 1), (8, 12, 6, 2), (8, 4, 1, 1)],
)
def test_blocks_of_mobilenetv2(in_channels, out_channels, expansion, stride, training):
    options = {"expansion": expansion, "stride": stride}
    cell = InvertedResidual(in_channels, out_channels, norm=BatchNorm, **options)
    module = TorchInvertedV2(in_channels, out_channels, expansion, stride)
    assert_aligned(cell, module, channels=in_channels, training=training)


# A quarter of 72 channels is 18; 16, the nearest multiple of 8, loses more than a tenth.
@pytest.mark.parametrize(
    ("in_channels", "spec", "gate_hidden"),
    [
        (16, BlockSpec(3, 16, 16, True, "relu", 1), 8),
        (16, BlockSpec(3, 64, 24, False, "relu", 2), 0),
        (24, BlockSpec(5, 72, 24, True, "hardswish", 1), 24),
        (24, BlockSpec(5, 72, 40, True, "hardswish", 2), 24),
    ],
)
def test_blocks_of_mobilenetv3(in_channels, spec, gate_hidden):
    cell = InvertedResidualV3(in_channels, spec, norm=BatchNorm)
    assert_aligned(cell, TorchInvertedV3(in_channels, spec, gate_hidden), channels=in_channels)
