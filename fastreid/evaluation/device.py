"""Inner products of features on a GPU or NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreid.utils.compute_dist import MakeProduct, blas_product

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
    """

    def __init__(self, features: np.ndarray) -> None:
        from mindspore import Tensor

        self._features = Tensor(np.ascontiguousarray(features, np.float32))
        self._half_squared: Tensor | None = None

    def __call__(self, rows: np.ndarray, first: int = 0) -> np.ndarray:
        """Compute inner products.

        Args:
            rows: (R, D).
            first: index of the first feature to multiply with.

        Returns:
            (R, G - first) float32.
        """
        return self._multiply(rows, first).asnumpy().copy()

    def nearest(self, rows: np.ndarray, count: int, *, metric: str) -> np.ndarray:
        """Find the nearest features without copying all distances to the host.

        Args:
            rows: (R, D).
            count: neighbours per row, at most G.
            metric: "cosine", for features of norm 1, or "euclidean".

        Returns:
            (R, count) int32. Which of several features at the same distance as the last neighbour
            is returned is undefined.
        """
        from mindspore import ops

        similarity = self._multiply(rows)
        if metric == "euclidean":
            if self._half_squared is None:
                self._half_squared = (self._features * self._features).sum(axis=1) / 2
            # |row|^2 is a constant in the squared distances of a row and does not change the order.
            similarity = similarity - self._half_squared
        _, indices = ops.topk(similarity, count)
        return indices.asnumpy().astype(np.int32)

    def _multiply(self, rows: np.ndarray, first: int = 0) -> Tensor:
        from mindspore import Tensor, ops

        features = self._features[first:] if first else self._features
        return ops.matmul(Tensor(np.ascontiguousarray(rows, np.float32)), features.T)
