import statistics

import pytest

from fastreid.protocols.report import summarize


def test_deviations_over_seeds_and_over_splits_are_separate():
    values = {0: [10.0, 20.0, 33.0], 1: [11.0, 25.0, 30.0]}
    found = summarize(values)
    means = [statistics.mean(row) for row in values.values()]
    assert found.mean == pytest.approx(statistics.mean(means))
    assert found.sd_seeds == pytest.approx(statistics.stdev(means))
    assert found.sd_splits == pytest.approx(
        statistics.mean(statistics.stdev(row) for row in values.values())
    )
    assert (found.num_seeds, found.num_splits) == (2, 3)


def test_a_single_seed_or_split_has_no_deviation():
    assert summarize({0: [5.0]}) == (5.0, None, None, 1, 1)


@pytest.mark.parametrize("values", [{}, {0: []}, {0: [1.0], 1: [1.0, 2.0]}])
def test_scores_that_do_not_form_a_table_are_refused(values):
    with pytest.raises(ValueError, match="scores of the same splits"):
        summarize(values)
