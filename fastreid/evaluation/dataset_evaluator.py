"""What scores the features of a test set."""

from __future__ import annotations

from typing import Any

import numpy as np


class DatasetEvaluator:
    """Interface of what `inference_on_dataset` feeds: gather outputs, then score them."""

    def reset(self) -> None:
        """Forget everything gathered."""

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Take in one batch.

        Args:
            inputs: the batch, columns of N rows.
            outputs: (N, D) what the model made of its images.
        """
        raise NotImplementedError

    def evaluate(self) -> Any:
        """Score what was gathered.

        Returns:
            Score names and scores.
        """
        raise NotImplementedError
