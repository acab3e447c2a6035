"""Inner products of features on a GPU or NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreid.utils.compute_dist import MakeProduct, blas_product

from .block import MOST_COLUMNS, DeviceBlock

if TYPE_CHECKING:
    from mindspore import Tensor


def choose_product() -> MakeProduct:
    """Choose how inner products are computed: on MindSpore's device, or by BLAS on the CPU.

    Returns:
        The function that makes a product with (G, D) features. The results of both kinds differ by
        at most 1e-5 of the largest value.
    """
    import mindspore as ms

    return blas_product if ms.get_context("device_target") == "CPU" else DeviceProduct


class DeviceProduct:
    """The inner product with features that are kept on the device.

    Args:
        features: (G, D).

    Attributes:
        most_columns: maximum G for distances that stay on the device.
    """

    most_columns = MOST_COLUMNS

    def __init__(self, features: np.ndarray) -> None:
        from mindspore import Tensor

        self._features = Tensor(np.ascontiguousarray(features, np.float32))
        self._squared: Tensor | None = None

    def __call__(self, rows: np.ndarray, first: int = 0) -> np.ndarray:
        """Compute inner products.

        Args:
            rows: (R, D).
            first: index of the first feature to multiply with.

        Returns:
            (R, G - first) float32.
        """
        return self._multiply(rows, first).asnumpy().copy()

    def euclidean(self, rows: np.ndarray, own: np.ndarray, others: np.ndarray) -> DeviceBlock:
        """Compute squared euclidean distances that stay on the device.

        Args:
            rows: (R, D).
            own: (R,) squared norms of the rows.
            others: (G,) squared norms of the features; the same array in every call.

        Returns:
            The (R, G) distances.
        """
        from mindspore import Tensor, ops

        if self._squared is None:
            self._squared = Tensor(others)
        # The order of the additions is that on the host, so the bits are the same.
        distances = self._multiply(rows) * -2 + self._squared + Tensor(own[:, np.newaxis])
        # The maximum of NaN and 0 is 0 on a GPU; NaN must stay.
        return DeviceBlock(ops.masked_fill(distances, ops.less(distances, 0.0), 0.0))

    def cosine(self, rows: np.ndarray) -> DeviceBlock:
        """Compute cosine distances that stay on the device.

        Args:
            rows: (R, D), of norm 1 like the features.

        Returns:
            The (R, G) distances.
        """
        return DeviceBlock(1 - self._multiply(rows))

    def _multiply(self, rows: np.ndarray, first: int = 0) -> Tensor:
        from mindspore import Tensor, ops

        features = self._features[first:] if first else self._features
        # The operator transposes while it multiplies; `features.T` would copy all features.
        multiply = ops.MatMul(transpose_b=True)
        return multiply(Tensor(np.ascontiguousarray(rows, np.float32)), features)
