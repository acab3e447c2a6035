"""The block of RepVGG against torch, fused and not, and the network against golden files."""

import mindspore as ms
import numpy as np
import pytest
import torch
from torch.nn import functional

from fastreid.layers import BatchNorm, InTurn
from fastreid.modeling.backbones import fuse_repvgg
from fastreid.modeling.backbones.repvgg.blocks import RepVGGBlock
from fastreid.modeling.backbones.repvgg.specs import BlockSpec
from test.alignment.against_torch import assert_close, feature_map, randomize
from test.alignment.reference.repvgg import TorchRepVGGBlock
from test.alignment.test_golden_light import assert_aligned as assert_golden
from test.alignment.test_light_backbones import assert_aligned

BLOCKS = [
    BlockSpec(8, 8),
    BlockSpec(8, 8, groups=2),
    BlockSpec(8, 8, groups=4),
    BlockSpec(8, 12, stride=2),
    BlockSpec(8, 12, groups=4),
    BlockSpec(8, 8, stride=2, groups=2),
]


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spec", BLOCKS)
def test_blocks_of_repvgg(spec, training, pynative):
    assert_aligned(RepVGGBlock(spec), TorchRepVGGBlock(spec), channels=8, training=training)


class SendingNorm(BatchNorm):
    """A norm for which blocks run their branches in turn."""

    sends_messages = True


def test_branches_that_run_in_turn_compute_the_same(pynative):
    block = RepVGGBlock(BLOCKS[0], norm=SendingNorm)
    assert len([cell for _, cell in block.cells_and_names() if isinstance(cell, InTurn)]) == 2
    assert_aligned(block, TorchRepVGGBlock(BLOCKS[0]), channels=8)


def branches_of(spec):
    """The names of each branch, and one beginning of all names."""
    identity = ["rbr_identity"] if spec.stride == 1 and spec.out_channels == 8 else []
    return ["rbr_dense", "rbr_1x1", *identity, "rbr"]


@pytest.mark.parametrize(
    ("spec", "branch"), [(spec, branch) for spec in BLOCKS for branch in branches_of(spec)]
)
def test_the_fused_convolution_is_the_sum_of_the_branches(spec, branch):
    module = randomize(TorchRepVGGBlock(spec)).double().eval()
    keep_only(module, branch)
    weights = {f"stage1.0.{k}": v.numpy() for k, v in module.state_dict().items()}
    fused = {name: torch.tensor(value) for name, value in fuse_repvgg(weights).items()}
    assert fused.keys() == {"stage1.0.fused_weight", "stage1.0.fused_bias"}
    x = torch.tensor(feature_map((7, 5)), dtype=torch.float64)
    kernel, bias = fused["stage1.0.fused_weight"], fused["stage1.0.fused_bias"]
    got = functional.conv2d(x, kernel, bias, spec.stride, 1, groups=spec.groups)
    want = module(x).detach().numpy()
    assert want.std() > 0
    assert_close(functional.relu(got).numpy(), want, 1e-12)


def keep_only(module, branch):
    """Make every other branch return zeros."""
    for name, value in module.state_dict().items():
        if not name.startswith(branch) and name.endswith(("weight", "bias")):
            value.zero_()


@pytest.mark.parametrize("name", ["repvgg_A0", pytest.param("repvgg_B1g4", marks=pytest.mark.zoo)])
def test_repvgg_is_the_original(name, pynative):
    assert_golden(name)


@pytest.mark.zoo
def test_repvgg_in_graph_mode_is_the_original():
    assert_golden("repvgg_A0")


def test_float32_weights_stay_float32():
    module = randomize(TorchRepVGGBlock(BlockSpec(4, 4)))
    fused = fuse_repvgg({k: v.numpy() for k, v in module.state_dict().items()})
    assert {value.dtype for value in fused.values()} == {np.dtype(np.float32)}
