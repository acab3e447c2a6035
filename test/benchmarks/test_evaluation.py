"""benchmarks/evaluation.py: that it runs and measures, not how fast."""

import sys
from pathlib import Path

import pytest

from benchmarks.evaluation import figures, main
from benchmarks.results import read_results

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
ROOT = Path(__file__).parents[2]


def test_tasks_are_measured_beside_another_checkout(tmp_path, capfd):
    words = ["--size", "tiny", "--tasks", "ranking", "--dimension", "16", "--before", str(ROOT)]
    assert main([*words, "--json", str(tmp_path / "found.json")]) == 0
    _, results = read_results(tmp_path / "found.json")
    assert [one.name for one in results] == [
        f"ranking, tiny, {what}, beside the code before"
        for what in ("time", "processor time", "peak")
    ]
    assert all(one.ours > 0 and one.other > 0 for one in results)
    lines = capfd.readouterr().out.splitlines()
    # The same code and the same features: the same scores.
    ours, before = (line.partition("; mAP ")[2] for line in lines[1:3])
    assert ours == before != ""


def test_a_program_that_fails_leaves_the_others(tmp_path, capfd):
    words = ["--size", "tiny", "--tasks", "ranking", "--dimension", "16"]
    assert main([*words, "--fastreid", str(tmp_path), "--json", str(tmp_path / "found.json")]) == 0
    assert "ranking, fastreid: failed with exit status 1" in capfd.readouterr().out
    assert {one.other for one in read_results(tmp_path / "found.json")[1]} == {None}


def test_figures_stand_beside_those_of_each_program():
    ours = {"seconds": 1.0, "cpu_seconds": 2.0, "peak_gb": 3.0}
    twice = {key: 2 * value for key, value in ours.items()}
    found = figures("x", {"ours": ours, "before": twice, "fastreid": twice})
    assert {one.ratio for one in found} == {0.5}
    assert {one.program for one in found} == {"the code before", "fast-reid"}
    assert [one.name for one in figures("x", {"ours": ours})] == [
        *("x, time", "x, processor time", "x, peak")
    ]
