"""benchmarks/memory.py, with a small program in place of the training, and on a tiny model."""

import sys
from pathlib import Path

import pytest

from benchmarks import memory
from benchmarks.results import read_results

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
DEMO = str(Path(memory.__file__).parent.parent / "configs" / "demo.yml")


class Contender:
    """Answers at once, with more memory each time; the original has twice as much."""

    def __init__(self, script, job):
        self.factor = 2 if script.stem == "original" else 1
        self.size = float(job["batch"])

    def ask(self, line):
        self.size += 1
        return {"peak_gib": self.factor * self.size, "resident_gib": self.size}

    def close(self):
        pass


def test_each_stage_shows_its_last_answer_beside_the_originals(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "Contender", Contender)
    file = tmp_path / "peaks.json"
    words = ["--batch", "10", "--original", str(tmp_path), "--json", str(file)]
    assert memory.main(words) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[-2:] for row in rows if row[0] == "ours"] == [
        [f"{size:.2f}"] * 2 for size in (11, 12, 13, 17)
    ]
    _, results = read_results(file)
    assert results[-1].name == "peak until cycle"
    assert [(one.ours, one.other) for one in results] == [(11, 22), (12, 24), (13, 26), (17, 34)]


@pytest.mark.zoo
def test_the_memory_of_a_tiny_model_is_measured(capfd):
    words = ["--config-file", DEMO, "--batch", "12", "--classes", "6", "6", "6"]
    assert memory.main(words) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    resident, peak, small, mapped = zip(
        *(map(float, row[-4:]) for row in rows if row[:1] == ["ours"])
    )
    assert len(peak) == len(memory.STAGES)
    assert sorted(peak) == list(peak)
    for index in range(len(peak)):
        assert 0 < small[index] < resident[index] <= peak[index] + 0.01
    assert small[1] > small[0]
    assert min(mapped) > 0
