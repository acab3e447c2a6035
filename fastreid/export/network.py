"""The network that is exported: from images to features, in evaluation."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.deploy.model_info import IMAGENET_MEAN, IMAGENET_STD

_SMALLEST = 1e-24
# Less than any feature, as padding of a maximum.
_LOWEST = float(np.finfo(np.float32).min)


class ExportNetwork(nn.Cell):
    """A model in evaluation, with its features scaled to length 1 if wanted.

    Args:
        model: (N, 3, H, W) -> (N, D).
        unit_length: whether features are divided by their Euclidean length.
    """

    def __init__(self, model: nn.Cell, *, unit_length: bool) -> None:
        super().__init__()
        self.model = model
        self.unit_length = unit_length
        self.set_train(False)

    def construct(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float32 -> (N, D) float32."""
        features = self.model(images)
        if self.unit_length:
            squares = (features * features).sum(1, keepdims=True)
            features = features / ops.sqrt(ops.clamp(squares, _SMALLEST))
        return features


class PaddedMaxPool(nn.Cell):
    """A padded maximum pooling whose output sizes are known before the run.

    MindSpore writes its own as a pooling of volumes, and then knows not even the number of
    dimensions of what follows.

    Args:
        pool: the pooling to replace, with ``pad_mode="pad"``; with ``ceil_mode``, its stride is
            not larger than its window.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        _, rows, columns = pool.padding
        self.rows, self.columns = rows, columns
        self.window, self.stride = _pair(pool.kernel_size), _pair(pool.stride)
        self.ceil_mode = bool(pool.max_pool.ceil_mode)
        self.pool = nn.MaxPool2d(pool.kernel_size, pool.stride, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, h, w)."""
        below, right = self.rows, self.columns
        if self.ceil_mode:
            # The last window may reach over the border.
            below += (self.window[0] - x.shape[2] - 2 * self.rows) % self.stride[0]
            right += (self.window[1] - x.shape[3] - 2 * self.columns) % self.stride[1]
        return self.pool(ops.pad(x, (self.columns, right, self.rows, below), value=_LOWEST))


def _pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[-2], size[-1])


def replace_padded_pools(cell: nn.Cell) -> None:
    """Replace the padded maximum poolings of a network by `PaddedMaxPool`, with equal results."""
    for name, child in list(cell.name_cells().items()):
        if isinstance(child, nn.MaxPool2d):
            if child.use_pad:
                setattr(cell, name, PaddedMaxPool(child))
        else:
            replace_padded_pools(child)


def take_normalized_images(model: nn.Cell) -> None:
    """Let a model take images that other programs have normalized by ImageNet's statistics.

    The model's own mean and standard deviation are replaced by what remains to be done; for
    ImageNet's, that is nothing.

    Args:
        model: any architecture with `pixel_mean` and `pixel_std`, on the scale of 0..255.
    """
    mean = 255 * np.array(IMAGENET_MEAN).reshape(1, -1, 1, 1)
    std = 255 * np.array(IMAGENET_STD).reshape(1, -1, 1, 1)
    own_mean = model.pixel_mean.asnumpy().astype(np.float64)
    own_std = model.pixel_std.asnumpy().astype(np.float64)
    model.pixel_mean = Tensor((own_mean - mean) / std, ms.float32)
    model.pixel_std = Tensor(own_std / std, ms.float32)
