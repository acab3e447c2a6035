"""benchmarks/export.py, on a tiny model: that it runs and measures, not how fast."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import export

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
DEMO = str(Path(export.__file__).parent.parent / "configs" / "demo.yml")


@pytest.mark.slow
def test_both_run_the_same_model(capfd):
    opts = ("INPUT.SIZE_TEST", "[64, 32]")
    words = ["--config-file", DEMO, "--batch", "4", "--rounds", "1", "--threads", "1", *opts]
    assert export.main(words) == 0
    lines = capfd.readouterr().out.splitlines()
    (said,) = [line for line in lines if line.startswith("by_onnxruntime: features differ")]
    assert float(said.split()[-5]) < 1e-4
    rows = {line.split()[0]: line.split()[1:] for line in lines[-2:]}
    assert set(rows) == {"mindspore", "onnxruntime"}
    for row in rows.values():
        assert all(float(number) > 0 for number in row[:3])


def test_differences_are_relative_to_the_largest_feature(tmp_path):
    for name, values in (("a", [[1, -4]]), ("b", [[1, -4.2]])):
        np.save(tmp_path / f"{name}.npy", np.array(values, np.float32))
    (line,) = export.differences(tmp_path, ["a", "b"])
    assert line == "b: features differ from a's by 5.0e-02 of the largest one"
