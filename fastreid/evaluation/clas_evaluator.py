"""Classification accuracy of a test set."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset_evaluator import DatasetEvaluator

if TYPE_CHECKING:
    from fastreid.config import CfgNode

RANKS = (1, 5)


def accuracy(output: np.ndarray, target: np.ndarray, topk: Sequence[int] = (1,)) -> list[float]:
    """Compute the percentage of rows whose class is among the k largest logits (upstream's name).

    Of equal logits, those of smaller class numbers count as larger.

    Args:
        output: (N, classes) logits, N >= 1.
        target: (N,) integer classes.
        topk: values of k.

    Returns:
        One percentage for each k.

    Raises:
        ValueError: there are no rows, a class does not exist, or a logit is not finite.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation.clas_evaluator import accuracy
        >>> logits = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.1, 0.3, 0.6]])
        >>> accuracy(logits, np.array([1, 0, 1, 0]), topk=(1, 2))
        [50.0, 75.0]
    """
    places = ranks_of_classes(output, target)
    if not len(places):
        raise ValueError("There is no accuracy of 0 images.")
    return [100.0 * float(np.mean(places < k)) for k in topk]


def ranks_of_classes(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Count, for each row, the logits that come before that of its class.

    Args:
        output: (N, classes) logits.
        target: (N,) integer classes.

    Returns:
        (N,) int64, 0 for rows that are classified correctly.

    Raises:
        ValueError: lengths differ, a class does not exist, or a logit is not finite.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation.clas_evaluator import ranks_of_classes
        >>> logits = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
        >>> ranks_of_classes(logits, np.array([1, 1])).tolist()
        [0, 2]
    """
    output, target = np.asarray(output), np.asarray(target)
    if output.ndim != 2 or target.shape != output.shape[:1]:
        raise ValueError(
            f"Logits have the shape {output.shape} and classes {target.shape}; they must be "
            "(N, classes) and (N,)."
        )
    if not np.isfinite(output).all():
        raise ValueError("Logits are not finite: the weights of the model are not valid.")
    num_classes = output.shape[1]
    unknown = target[(target < 0) | (target >= num_classes)]
    if len(unknown):
        raise ValueError(
            f"The test set has the class {unknown[0]}, but the model has the classes 0 to "
            f"{num_classes - 1}; evaluate it with the class list of its training."
        )
    columns = target[:, np.newaxis].astype(np.int64)
    own = np.take_along_axis(output, columns, axis=1)
    is_before = np.arange(num_classes) < columns
    return ((output > own) | ((output == own) & is_before)).sum(axis=1)


class ClasEvaluator(DatasetEvaluator):
    """Counts correctly classified images (fast-reid's ``ClasEvaluator``).

    With several processes, rank 0 gets the logits of all images, as with other evaluators.

    Args:
        cfg: the configuration.
        output_dir: not used; fast-reid's callers pass it.

    Examples:
        >>> import numpy as np
        >>> from fastreid.config import get_cfg
        >>> from fastreid.evaluation import ClasEvaluator
        >>> evaluator = ClasEvaluator(get_cfg())
        >>> evaluator.process({"targets": np.array([0, 1])}, np.array([[0.9, 0.1], [0.6, 0.4]]))
        >>> dict(evaluator.evaluate())
        {'Acc@1': 50.0, 'metric': 50.0}
    """

    def __init__(self, cfg: CfgNode, output_dir: str | None = None) -> None:
        del output_dir
        self.cfg = cfg
        self.reset()

    def reset(self) -> None:
        """Discard the counts."""
        self._num_images = 0
        self._num_classes = 0
        self._num_correct = dict.fromkeys(RANKS, 0)

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Count one batch.

        Args:
            inputs: the batch, with the column targets, (N,) classes.
            outputs: (N, classes) logits.

        Raises:
            ValueError: a class does not exist, or a logit is not finite.
        """
        places = ranks_of_classes(outputs, inputs["targets"])
        self._num_images += len(places)
        self._num_classes = outputs.shape[1]
        for rank in RANKS:
            self._num_correct[rank] += int((places < rank).sum())

    def evaluate(self) -> OrderedDict:
        """Compute the accuracy.

        Returns:
            Acc@1, Acc@5 and metric, which is Acc@1, in percent. A model of at most 5 classes has no
            Acc@5.

        Raises:
            ValueError: there are no images.
        """
        if not self._num_images:
            raise ValueError("There is nothing to evaluate: the test set has no images.")
        results: OrderedDict = OrderedDict()
        for rank in RANKS:
            if rank == 1 or rank < self._num_classes:
                results[f"Acc@{rank}"] = 100.0 * self._num_correct[rank] / self._num_images
        results["metric"] = results["Acc@1"]
        return results
