"""Both lines of every row of docs/migration/api.md give the same; the traps do not."""

import re

import pytest

from .pair import BOTH
from .pairs import PAIRS
from .running import VISIBLE, differences, in_mode, run_mindspore, run_pytorch

each_mode = pytest.mark.parametrize("mode", BOTH)
TRAPS = [pair for pair in PAIRS if pair.trap]


def name_of(pair):
    return pair.name


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where rows write files, and MindSpore its report on a graph that it cannot compile."""
    monkeypatch.chdir(tmp_path)


@each_mode
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_mindspore_gives_what_pytorch_gives(pair, mode):
    want = run_pytorch(pair)
    with in_mode(mode):
        got = run_mindspore(pair, want)
    assert differences(got, want, pair, pair.tolerance) == []


@each_mode
@pytest.mark.parametrize("pair", TRAPS, ids=name_of)
def test_a_trap_fails_or_gives_another_result(pair, mode):
    want = run_pytorch(pair)
    least = 2 * pair.tolerance if pair.digits else VISIBLE
    # Outputs first: some traps have gradients only that differ, others none at all.
    plain = pair._replace(gradient=False)
    with in_mode(mode):
        try:
            found = differences(run_mindspore(plain, want, pair.trap), want, plain, least)
            if not found and pair.gradient:
                found = differences(run_mindspore(pair, want, pair.trap), want, pair, least)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - of any kind
            assert mode in pair.trap_in
            assert pair.trap_error
            assert re.search(pair.trap_error, str(error))
            return
    assert bool(found) == (mode in pair.trap_in)
