import numpy as np
import pytest
import torch
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.solver import build_gradient_clipper


def clipper(**options):
    cfg = get_cfg()
    for key, value in {"ENABLED": True, **options}.items():
        setattr(cfg.SOLVER.CLIP_GRADIENTS, key, value)
    return build_gradient_clipper(cfg)


@pytest.fixture
def gradients():
    rng = np.random.RandomState(0)
    return [(5 * rng.randn(3, 4)).astype(np.float32), np.float32([0.01, -0.02]), np.zeros(3, "f4")]


def clipped(cell, gradients):
    return [value.asnumpy() for value in cell(tuple(map(Tensor, gradients)))]


def test_gradients_pass_where_clipping_is_off(mode, gradients):
    for got, want in zip(clipped(clipper(ENABLED=False), gradients), gradients):
        np.testing.assert_array_equal(got, want)


def test_values_are_cut_one_by_one(mode, gradients):
    got = clipped(clipper(CLIP_TYPE="value", CLIP_VALUE=0.5), gradients)
    for mine, gradient in zip(got, gradients):
        np.testing.assert_array_equal(mine, np.clip(gradient, -0.5, 0.5))


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0])
def test_norms_are_cut_parameter_by_parameter_as_torch_cuts_them(mode, gradients, norm_type):
    got = clipped(clipper(CLIP_TYPE="norm", CLIP_VALUE=2.0, NORM_TYPE=norm_type), gradients)
    for mine, gradient in zip(got, gradients):
        tensor = torch.zeros(gradient.shape, requires_grad=True)
        tensor.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_([tensor], 2.0, norm_type)
        np.testing.assert_allclose(mine, tensor.grad.numpy(), rtol=2e-5)


def test_an_unknown_kind_names_the_choices():
    with pytest.raises(ValueError, match=r"CLIP_TYPE 'full' must be one of \('norm', 'value'\)"):
        clipper(CLIP_TYPE="full")
