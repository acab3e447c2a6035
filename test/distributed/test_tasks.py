"""MoCo and classification in two processes against one that does the work of both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.data.pipeline.shards import Shard
from test.distributed import case, task_program
from test.modeling.meta_arch.test_moco import NumpyMemory

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    rng = np.random.default_rng(0)
    for pid in range(9):
        for camid in range(3):
            pixels = rng.integers(0, 256, (40, 20, 3)) // 3 + 15 * pid
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{pid}_{camid}.png")
    command = [sys.executable, "-m", "test.distributed.task_program", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def both(folder, name):
    return [dict(np.load(folder / f"{name}_{rank}.npz")) for rank in range(case.WORLD_SIZE)]


def test_every_process_compares_its_rows_with_the_keys_of_all(folder):
    found = both(folder, "memory")
    definition = NumpyMemory(task_program.SIZE)
    rows = task_program.ROWS
    for step in range(task_program.STEPS):
        features, targets = zip(
            *(task_program.rows_of(rank, step) for rank in range(case.WORLD_SIZE))
        )
        joint = np.concatenate(features).astype(np.float64)
        loss, slope = definition(joint, np.concatenate(targets))
        mean = np.mean([each["losses"][step] for each in found])
        np.testing.assert_allclose(mean, loss, rtol=2e-5)
        for rank, each in enumerate(found):
            wanted = case.WORLD_SIZE * slope[rank * rows : (rank + 1) * rows]
            tolerance = 1e-4 * np.abs(slope).max()
            np.testing.assert_allclose(each["gradients"][step], wanted, atol=tolerance)
    assert case.bits({k: v for k, v in found[0].items() if "queue" in k}) == case.bits(
        {k: v for k, v in found[1].items() if "queue" in k}
    )


def test_a_moco_trains_as_in_one_process(folder):
    found = both(folder, "moco")
    ms.set_context(mode=ms.GRAPH_MODE)
    alone = task_program.train(case.whole_batch)
    for name in ("memory.queue", "memory.queue_label", "memory.queue_ptr"):
        assert found[0][name].tobytes() == found[1][name].tobytes()
    np.testing.assert_array_equal(found[0]["memory.queue_label"], alone["memory.queue_label"])
    assert alone["memory.queue_label"].min() >= 0
    # The second half of the queue was made by weights that one step changed.
    np.testing.assert_allclose(found[0]["memory.queue"], alone["memory.queue"], atol=2e-3)


def test_the_accuracy_of_two_processes_is_that_of_one(folder):
    alone = task_program.evaluate(folder, Shard())
    assert 0 < alone["Acc@1"] < alone["Acc@5"] < 100
    for rank in range(case.WORLD_SIZE):
        found = json.loads((folder / f"scores_{rank}.json").read_text("utf-8"))
        assert found == dict(alone)
        assert list(found) == ["Acc@1", "Acc@5", "metric"]
