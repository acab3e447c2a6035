"""benchmarks/train_step.py, on a tiny model: that it runs and measures, not how fast."""

import sys
from pathlib import Path

import pytest

from benchmarks import train_step

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
DEMO = str(Path(train_step.__file__).parent.parent / "configs" / "demo.yml")
TINY = ["--config-file", DEMO, "--batch", "12", "--eval-batch", "4", "--classes", "6", "6", "6"]


@pytest.mark.slow
def test_a_cycle_and_an_evaluation_are_measured(capfd):
    assert train_step.main([*TINY, "--rounds", "2", "--tasks", "cycle", "evaluation"]) == 0
    lines = capfd.readouterr().out.splitlines()
    rounds = [line for line in lines if line.startswith("cycle, round")]
    assert [line.count("+") for line in rounds] == [3, 3]
    rows = [line.split() for line in lines if " ours " in line and ", round" not in line]
    assert [row[:2] for row in rows] == [["cycle", "ours"], ["evaluation", "ours"]]
    for row in rows:
        assert all(float(number) > 0 for number in row[2:7])
        assert float(row[2]) > float(row[3])


def test_a_failing_process_ends_the_benchmark(tmp_path):
    with pytest.raises(SystemExit, match="benchmark process original failed; its error is above"):
        train_step.run_task(
            "basic",
            [Path(train_step.__file__).parent / "steps" / "original.py"],
            {"original": str(tmp_path), "classes": [2, 2]},
            1,
        )


def test_ratios_are_of_medians_and_of_the_last_memory():
    def found(seconds, peak):
        return {"steps": [seconds], "seconds": seconds, "peak": peak, "above": peak / 2}

    rounds = [
        {"ours": found(s, 2.0), "original": found(t, 8.0)} for s, t in ((1, 9), (2, 4), (3, 4))
    ]
    rows = train_step.report("basic", {"ours": found(30, 1), "original": found(5, 1)}, rounds)
    assert rows[0] == ["basic", "ours", 30, 2, 1, 3, 2.0, 1.0]
    assert rows[1] == ["basic", "original", 5, 4, 4, 9, 8.0, 4.0]
    want = "basic: ours takes 0.50 of its time, 0.25 of its peak memory, 0.25 of its memory above"
    assert train_step.ratio(rows).startswith(want)
