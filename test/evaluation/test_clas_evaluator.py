import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.evaluation import ClasEvaluator
from fastreid.evaluation.clas_evaluator import accuracy


def naive_percentage(logits, targets, k):
    right = 0
    for row, target in zip(logits, targets):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c))
        right += target in order[:k]
    return 100 * right / len(targets)


@pytest.mark.parametrize(
    ("num_classes", "keys"), [(9, ["Acc@1", "Acc@5", "metric"]), (5, ["Acc@1", "metric"])]
)
def test_batches_of_any_size_give_the_percentages_of_all_images(num_classes, keys):
    rng = np.random.RandomState(0)
    # Whole numbers, so that there are ties.
    logits = rng.randint(0, 4, (37, num_classes)).astype(np.float32)
    targets = rng.randint(0, num_classes, 37)
    evaluator = ClasEvaluator(get_cfg(), "unused")
    for rows in (slice(0, 16), slice(16, 17), slice(17, 37)):
        evaluator.process({"targets": targets[rows]}, logits[rows])
    results = evaluator.evaluate()
    assert list(results) == keys
    assert results["Acc@1"] == results["metric"]
    assert results["Acc@1"] == pytest.approx(naive_percentage(logits, targets, 1))
    if "Acc@5" in results:
        assert results["Acc@5"] == pytest.approx(naive_percentage(logits, targets, 5))
    ranks = (1, 2, 3)
    wanted = [naive_percentage(logits, targets, k) for k in ranks]
    assert accuracy(logits, targets, topk=ranks) == pytest.approx(wanted)


def test_a_reset_forgets_what_was_counted():
    evaluator = ClasEvaluator(get_cfg())
    evaluator.process({"targets": np.array([1])}, np.array([[1.0, 0.0]]))
    evaluator.reset()
    evaluator.process({"targets": np.array([0])}, np.array([[1.0, 0.0]]))
    assert evaluator.evaluate() == {"Acc@1": 100, "metric": 100}
    evaluator.reset()
    with pytest.raises(ValueError, match=r"nothing to evaluate: the test set has no images"):
        evaluator.evaluate()


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        ([[0.0, np.nan]], [0], r"Logits are not finite"),
        ([[0.0, 1.0]], [2], r"has the class 2, but the model has the classes 0 to 1"),
        ([[0.0, 1.0]], [-1], r"has the class -1"),
        ([[0.0, 1.0]], [0, 1], r"shape \(1, 2\) and classes \(2,\)"),
    ],
)
def test_what_cannot_be_counted_is_an_error(logits, targets, message):
    with pytest.raises(ValueError, match=message):
        ClasEvaluator(get_cfg()).process({"targets": np.array(targets)}, np.array(logits))


def test_no_rows_have_no_accuracy():
    with pytest.raises(ValueError, match="no accuracy of 0 images"):
        accuracy(np.zeros((0, 3)), np.zeros(0, int))
