"""docs/migration is written from the rows that the tests run."""

import pytest

from .pair import Verdict
from .pairs import PAIRS
from .write_pages import main, pages, verdicts


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_page_is_the_one_that_the_rows_give(path):
    assert path.read_text(encoding="utf-8") == pages()[path], (
        "run python test/migration/write_pages.py"
    )


def test_the_check_writes_nothing_and_finds_no_difference():
    assert main(["--check"]) == 0


def test_every_pair_of_the_older_guide_has_a_verdict():
    assert set(verdicts()) == set(range(1, 65))


def test_a_verdict_has_a_pair_and_a_wrong_line_is_run_or_refuted():
    for pair in PAIRS:
        assert (pair.guide is None) == (pair.verdict is None), pair.name
        if pair.verdict is Verdict.WRONG:
            assert pair.trap, pair.name


def test_there_are_forty_pairs_beyond_the_older_guide():
    assert sum(pair.guide is None for pair in PAIRS) >= 40
