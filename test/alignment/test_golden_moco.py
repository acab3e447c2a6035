"""The golden file of MoCo: a queue of one batch, where the faults of the original do not matter."""

import mindspore as ms
import pytest

from test.alignment.check_golden import run_checks
from test.alignment.golden import FOLDER, GoldenFile


@pytest.mark.parametrize("mode", ["pynative", pytest.param("graph", marks=pytest.mark.zoo)])
def test_features_losses_and_three_steps_are_the_originals(mode):
    ms.set_context(mode=ms.PYNATIVE_MODE if mode == "pynative" else ms.GRAPH_MODE)
    try:
        checks = list(run_checks(GoldenFile(FOLDER / "fastreid_moco_R18.npz")))
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    assert not [" ".join(check.row()) for check in checks if not check.passed]
    names = {check.name for check in checks}
    assert {"basic.loss.loss_mb", "steps.loss_mb", "steps.memory.queue"} <= names
