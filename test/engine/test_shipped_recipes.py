"""One training step of each kind of shipped configuration, in a process of its own.

MindSpore's compiler keeps state between graphs. After the thousands that tests compile in one
process, the graph of MGN was once refused; a training run compiles its own graphs only.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = (
    "bagtricks_R50",
    "AGW_R50",
    "sbs_R50-ibn",
    "bagtricks_S50",
    "mgn_R50-ibn",
    "bagtricks_vit",
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_recipe_takes_a_finite_step(kind):
    command = [sys.executable, "-m", "test.engine.recipe_step", kind]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert math.isfinite(found["total_loss"])
    assert found["moved"] > 0.9 * found["trainable"]
