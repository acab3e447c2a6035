"""Blocks of RegNet and EfficientNet against torch, and both networks against golden files."""

import mindspore as ms
import pytest

from fastreid.layers import BatchNorm
from fastreid.modeling.backbones.regnet.effnet import MBConv
from fastreid.modeling.backbones.regnet.effnet_specs import MBStageSpec
from fastreid.modeling.backbones.regnet.regnet import ResBottleneckBlock
from fastreid.modeling.backbones.regnet.regnet_specs import StageSpec
from test.alignment.reference.pycls import TorchMBConv, TorchRegNetBlock
from test.alignment.test_golden_light import assert_aligned as assert_golden
from test.alignment.test_light_backbones import assert_aligned

NETWORKS = ("regnet_200y", "effnet_b0")


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("in_channels", "stride", "se_ratio"), [(16, 1, 0.25), (16, 2, 0.0), (8, 1, 0.0), (8, 2, 0.25)]
)
def test_blocks_of_regnet(in_channels, stride, se_ratio, training, pynative):
    spec = StageSpec(channels=16, blocks=2, stride=2, groups=4, se_ratio=se_ratio)
    cell = ResBottleneckBlock(in_channels, spec, stride=stride, norm=BatchNorm)
    hidden = in_channels // 4 if se_ratio else 0
    module = TorchRegNetBlock(in_channels, 16, stride, 4, hidden)
    assert_aligned(cell, module, channels=in_channels, training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("out_channels", "kernel", "stride", "expansion"), [(8, 3, 1, 1), (8, 5, 1, 6), (12, 5, 2, 6)]
)
def test_blocks_of_efficientnet(out_channels, kernel, stride, expansion, training, pynative):
    spec = MBStageSpec(out_channels, 2, kernel, stride, expansion)
    cell = MBConv(8, spec, stride=stride, norm=BatchNorm)
    module = TorchMBConv(8, out_channels, kernel, stride, expansion)
    assert_aligned(cell, module, channels=8, training=training)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_the_originals(name, pynative):
    assert_golden(name)


@pytest.mark.zoo
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_in_graph_mode_are_the_originals(name):
    assert_golden(name)
