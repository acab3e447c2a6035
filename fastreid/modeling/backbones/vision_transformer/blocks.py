"""Blocks of vision transformers: linear layers, attention, perceptron and their sum."""

from __future__ import annotations

import math

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.layers import Linear
from fastreid.layers.kernels import cast

# Normal start values of all weights, and what the layer norms add to variances.
INIT_STD = 0.02
EPS = 1e-6
_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
_SMALL = 1e-3


class LayerNorm(nn.LayerNorm):
    """A layer norm over the channels of each token.

    Args:
        width: D of the tokens (N, T, D).
    """

    def __init__(self, width: int) -> None:
        super().__init__((width,), epsilon=EPS)


class TokenLinear(Linear):
    """A linear layer whose weight starts as N(0, 0.02) and whose bias starts as 0.

    Args:
        in_features: D of the tokens (N, T, D).
        out_features: width of the output.
        bias: whether a bias is added.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias=bias, init_std=INIT_STD, bias_init="zeros")
        self.is_half = False
        # The gradient of `ops.dense` adds up that of a float16 bias in float16.
        self.add_bias = ops.BiasAdd()

    def train_in_half_precision(self) -> None:
        """Compute in float16 in training and return float16; the parameters stay float32."""
        self.is_half = True

    def construct(self, x: Tensor) -> Tensor:
        """(N, T, in_features) -> (N, T, out_features)."""
        if not (self.is_half and self.training):
            return ops.dense(x, self.weight, self.bias)
        y = ops.dense(cast(x, ms.float16), cast(self.weight, ms.float16))
        if not self.has_bias:
            return y
        rows = y.reshape(-1, y.shape[-1])
        return self.add_bias(rows, cast(self.bias, ms.float16)).reshape(y.shape)


class GELU(nn.Cell):
    """Gaussian error linear unit, x * P(z <= x) (Hendrycks and Gimpel, 2016).

    On CPU, `nn.GELU` computes an approximation by tanh, whatever it is asked for.
    """

    def construct(self, x: Tensor) -> Tensor:
        """(N, T, D), any shape -> the same, float32 or float16 as the input."""
        return x * (0.5 * (1 + ops.erf(x * math.sqrt(0.5))))

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Gradient of the input from that of the output, of its shape."""
        # The quotient spares a second erf, which takes 20 times as long on CPU. Near 0 it would
        # lose digits; there the probability is linear.
        is_small = ops.abs(x) < _SMALL
        divisor = ops.select(is_small, ops.ones_like(x), x)
        probability = ops.select(is_small, 0.5 + x * _DENSITY_AT_0, out / divisor)
        density = ops.exp(x * x * -0.5) * _DENSITY_AT_0
        return (dout * (probability + x * density),)


class Attention(nn.Cell):
    """Self-attention of several heads (Vaswani et al., NeurIPS 2017).

    Args:
        width: D of the tokens (N, T, D); a multiple of `heads`.
        heads: number of heads.
        qkv_bias: whether queries, keys and values have a bias.
        scale: factor of the products of queries and keys; None: 1 / sqrt(width / heads).
        dropout: probability of dropping an element of the output.
        attention_dropout: probability of dropping a weight.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        qkv_bias: bool = True,
        scale: float | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5 if scale is None else scale
        self.qkv = TokenLinear(width, 3 * width, bias=qkv_bias)
        self.attn_drop = _dropout(attention_dropout)
        self.proj = TokenLinear(width, width)
        self.proj_drop = _dropout(dropout)
        self.compare = ops.BatchMatMul(transpose_b=True)
        self.combine = ops.BatchMatMul()

    def construct(self, x: Tensor) -> Tensor:
        """(N, T, D) -> the same."""
        n, tokens, width = x.shape
        parts = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        queries, keys, values = ops.unbind(parts.transpose(2, 0, 3, 1, 4), 0)
        products = self.compare(queries * self.scale, keys)
        weights = ops.softmax(cast(products, ms.float32), -1)
        weights = cast(self.attn_drop(weights), values.dtype)
        mixed = self.combine(weights, values).transpose(0, 2, 1, 3).reshape(n, tokens, width)
        return self.proj_drop(self.proj(mixed))


class Mlp(nn.Cell):
    """A perceptron with one hidden layer, for each token.

    Args:
        width: D of the tokens (N, T, D).
        hidden: width of the hidden layer.
        dropout: probability of dropping an element of the hidden layer or of the output.
    """

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = TokenLinear(width, hidden)
        self.act = GELU()
        self.fc2 = TokenLinear(hidden, width)
        self.drop = _dropout(dropout)

    def construct(self, x: Tensor) -> Tensor:
        """(N, T, D) -> the same."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class Block(nn.Cell):
    """Attention and a perceptron, each added to its input and preceded by a norm.

    Args:
        width: D of the tokens (N, T, D).
        heads: number of heads of the attention.
        mlp_ratio: width of the perceptron's hidden layer by D.
        qkv_bias: as in `Attention`.
        scale: as in `Attention`.
        dropout: of the attention's output and of the perceptron.
        attention_dropout: of the attention's weights.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        scale: float | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # A block that draws random numbers would draw others when it is recomputed.
        self.recomputable = dropout == attention_dropout == 0
        self.norm1 = LayerNorm(width)
        self.attn = Attention(
            width,
            heads,
            qkv_bias=qkv_bias,
            scale=scale,
            dropout=dropout,
            attention_dropout=attention_dropout,
        )
        self.norm2 = LayerNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio), dropout=dropout)

    def construct(self, x: Tensor, factors: Tensor | None = None) -> Tensor:
        """Transform tokens.

        Args:
            x: (N, T, D) float32.
            factors: (2, N), of the attention and the perceptron for each image; None: 1.

        Returns:
            (N, T, D) float32.
        """
        attended = cast(self.attn(self.norm1(x)), ms.float32)
        x = x + (attended if factors is None else _scale_images(attended, factors[0]))
        computed = cast(self.mlp(self.norm2(x)), ms.float32)
        return x + (computed if factors is None else _scale_images(computed, factors[1]))


def _scale_images(x: Tensor, factors: Tensor) -> Tensor:
    """(N, T, D), (N,) -> (N, T, D)."""
    return x * ops.broadcast_to(factors.reshape(-1, 1, 1), x.shape)


def _dropout(probability: float) -> nn.Cell:
    return nn.Dropout(p=probability) if probability > 0 else nn.Identity()
