"""Units of ShuffleNetV2 against torch, and the network against golden files."""

import mindspore as ms
import pytest

from fastreid.layers import BatchNorm, InTurn
from fastreid.modeling.backbones.shufflenet.blocks import BasicUnit, DownsamplingUnit
from test.alignment.reference.shufflenet import TorchUnit
from test.alignment.test_golden_light import assert_aligned as assert_golden
from test.alignment.test_light_backbones import assert_aligned


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


# Half of 20 channels is even, half of 18 is not.
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels", [20, 18])
def test_units_that_split_the_channels(channels, training, pynative):
    cell = BasicUnit(channels, norm=BatchNorm)
    assert_aligned(cell, TorchUnit(channels, channels, 1), channels=channels, training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("in_channels", "out_channels"), [(8, 20), (10, 16)])
def test_units_that_halve_the_map(in_channels, out_channels, training, pynative):
    cell = DownsamplingUnit(in_channels, out_channels, norm=BatchNorm)
    module = TorchUnit(in_channels, out_channels, 2)
    assert_aligned(cell, module, channels=in_channels, training=training)


class SendingNorm(BatchNorm):
    """A norm for which units run their branches in turn."""

    sends_messages = True


def test_branches_that_run_in_turn_compute_the_same(pynative):
    unit = DownsamplingUnit(8, 20, norm=SendingNorm)
    assert any(isinstance(cell, InTurn) for _, cell in unit.cells_and_names())
    assert_aligned(unit, TorchUnit(8, 20, 2), channels=8)


@pytest.mark.parametrize(
    "name",
    ["shufflenetv2_0.5x", pytest.param("shufflenetv2_1.5x", marks=pytest.mark.zoo)],
)
def test_shufflenet_is_the_original(name, pynative):
    assert_golden(name)


@pytest.mark.zoo
def test_shufflenet_in_graph_mode_is_the_original():
    assert_golden("shufflenetv2_0.5x")
