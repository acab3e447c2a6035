"""The interface of evaluators."""

from __future__ import annotations

from typing import Any

import numpy as np


class DatasetEvaluator:
    """Interface for `inference_on_dataset`: collects the model's outputs, then scores them."""

    def reset(self) -> None:
        """Discard the collected outputs."""

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Collect one batch.

        Args:
            inputs: the batch: columns of N rows by name.
            outputs: (N, D) output of the model.
        """
        raise NotImplementedError

    def evaluate(self) -> Any:
        """Score the collected outputs.

        Returns:
            Scores by name.
        """
        raise NotImplementedError
