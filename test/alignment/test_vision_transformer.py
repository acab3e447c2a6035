"""Parts of vision transformers against torch, and golden files of two of them."""

import mindspore as ms
import numpy as np
import pytest
import torch
from torch.nn import functional

from fastreid.modeling.backbones.vision_transformer.blocks import (
    GELU,
    Attention,
    Block,
    LayerNorm,
    Mlp,
)
from fastreid.modeling.backbones.vision_transformer.network import PatchEmbedding
from fastreid.modeling.backbones.vision_transformer.positions import resize_positions
from test.alignment.against_torch import assert_close, assert_same, copy_weights, randomize
from test.alignment.reference.vit import TorchAttention, TorchBlock, TorchMlp
from test.alignment.test_golden_light import assert_aligned


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def tokens(width, *, rows=3, count=5, seed=1):
    return np.random.RandomState(seed).randn(rows, count, width).astype(np.float32)


def assert_like(cell, module, *inputs):
    copy_weights(cell, randomize(module))
    assert_same(cell, module, *inputs, tolerance=1e-5)


@pytest.mark.parametrize("scale", [None, 0.2])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_attention(pynative, qkv_bias, scale):
    options = {"qkv_bias": qkv_bias, "scale": scale}
    assert_like(Attention(24, 3, **options), TorchAttention(24, 3, **options), tokens(24))


def test_the_perceptron(pynative):
    assert_like(Mlp(8, 20), TorchMlp(8, 20), tokens(8))


def test_blocks(mode):
    assert_like(Block(12, 2, mlp_ratio=3.0), TorchBlock(12, 2, mlp_ratio=3.0), tokens(12))


def test_blocks_whose_branches_are_weighted(pynative):
    factors = np.array([[0, 1.25, 1.25], [2, 0, 2]], np.float32)
    cell, module = Block(12, 2, mlp_ratio=2.0), TorchBlock(12, 2, mlp_ratio=2.0)
    assert_like(cell, module, tokens(12), factors)


def test_layer_norms_add_a_millionth_to_variances(pynative):
    # Of tokens of so little variance, a thousandth more or less decides the result.
    assert_like(LayerNorm(6), torch.nn.LayerNorm(6, eps=1e-6), 1e-3 * tokens(6))


def test_the_activation_has_the_error_function_for_all_sizes(mode):
    small = np.logspace(-9, -1, 200)
    x = np.concatenate([np.linspace(-9, 9, 999), small, -small, [0]]).astype(np.float32)
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = functional.gelu(exact)
    value.sum().backward()
    cell = GELU()
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), value.detach(), rtol=0, atol=1e-6)
    gradient = ms.grad(cell)(ms.Tensor(x)).asnumpy()
    np.testing.assert_allclose(gradient, exact.grad, rtol=0, atol=2e-6)
    # The approximation by tanh is off by more than this.
    approximate = functional.gelu(exact.detach(), approximate="tanh")
    assert (approximate - value.detach()).abs().max() > 1e-4


class TorchPatches(torch.nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.proj = torch.nn.Conv2d(3, width, 16, stride)

    def forward(self, images):
        return self.proj(images).flatten(2).mT


@pytest.mark.parametrize("stride", [(16, 16), (12, 20)])
def test_patches_may_overlap_and_pixels_at_the_border_may_be_left_over(pynative, stride):
    images = np.random.RandomState(0).randn(2, 3, 47, 61).astype(np.float32)
    assert_like(PatchEmbedding(4, stride), TorchPatches(4, stride), images)


@pytest.mark.parametrize(
    ("source", "target"),
    [((14, 14), (16, 8)), ((16, 8), (24, 8)), ((6, 3), (4, 2)), ((3, 5), (1, 1)), ((1, 1), (2, 3))],
)
def test_positions_are_resized_as_torch_interpolates(source, target):
    positions = np.random.RandomState(0).randn(1, 1 + source[0] * source[1], 7)
    grid = torch.tensor(positions[:, 1:]).mT.reshape(1, 7, *source)
    want = functional.interpolate(grid, size=target, mode="bilinear").flatten(2).mT
    got = resize_positions(positions.astype(np.float32), source, target)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, 0], positions[:, 0].astype(np.float32))
    assert_close(got[:, 1:], want.numpy(), 1e-6)


@pytest.mark.parametrize("name", ["vit_small", pytest.param("vit_base", marks=pytest.mark.zoo)])
def test_vision_transformers_are_the_originals(name, pynative):
    assert_aligned(name)


def test_a_vision_transformer_in_graph_mode_is_the_original():
    assert_aligned("vit_small")


@pytest.mark.zoo
def test_the_larger_one_in_graph_mode_is_the_original():
    assert_aligned("vit_base")
