"""benchmarks/data_pipeline.py, on a tiny case: that it runs and measures, not how fast."""

import os
import random
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import data_pipeline
from benchmarks.pipeline import usage
from benchmarks.pipeline.images import DOMAINS, write_images
from fastreid.config import get_cfg
from fastreid.data import read_image
from fastreid.data.transforms.autoaugment import IMAGENET_POLICY
from fastreid.data.transforms.hue import adjust_hue

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
TINY = ["--images", "6", "--batch", "4", "--warm", "1", "--timed", "2", "--rounds", "1"]


@pytest.mark.slow
def test_both_pipelines_are_measured_and_compared(capfd):
    pytest.importorskip("torch")
    assert data_pipeline.main([*TINY, "--torch", "--workers", "1"]) == 0
    lines = capfd.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.lstrip().startswith("1  ")]
    assert [row[:2] for row in rows] == [["1", "ours"], ["1", "plain_torch"]]
    for row in rows:
        assert all(float(number) > 0 for number in row[2:5])
        assert float(row[6]) > 10
    assert lines[-1].startswith("1 workers, ours / plain_torch: ")


def test_a_failing_pipeline_ends_the_benchmark(tmp_path):
    with pytest.raises(SystemExit, match="benchmark process original failed; its error is above"):
        data_pipeline.main([*TINY, "--workers", "0", "--original", str(tmp_path)])


def test_ratios_are_of_medians():
    def found(*seconds):
        return [{"images": 6, "wall": s, "processor": 2 * s, "memory": 9 * s} for s in seconds]

    rows, ratios = data_pipeline.report(2, {"ours": found(1, 2, 3), "original": found(6, 9, 4)})
    assert rows == [[2, "ours", 3, 2, 6, 1.5, 27], [2, "original", 1, 6 / 9, 1.5, 0.5, 81]]
    assert ratios == [
        "2 workers, ours / original: 3.00 times the images per second, 3.00 times per core"
    ]


def test_image_files_have_the_sizes_of_their_data_sets(tmp_path):
    items = write_images(tmp_path, 3)
    assert [pid.split("_")[0] for _, pid, _ in items] == [n for n in DOMAINS for _ in range(3)]
    sizes = [read_image(path).size for path, _, _ in items]
    assert sizes[:3] == [(64, 128)] * 3
    assert min(height for _, height in sizes[3:]) >= 200


def test_the_torch_pipeline_does_the_same_to_an_image():
    pytest.importorskip("torch")
    from benchmarks.pipeline import plain_torch

    assert [tuple(map(tuple, pair)) for pair in plain_torch.POLICY] == list(IMAGENET_POLICY)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 20, 3), dtype=np.uint8))
    for shift in (-0.1, 0.03):
        np.testing.assert_array_equal(
            plain_torch.adjust_hue(image, shift), adjust_hue(image, shift)
        )
    random.seed(0)
    recipe = data_pipeline.recipe_of(get_cfg())
    for _ in range(60):
        changed = plain_torch.color_jitter(plain_torch.auto_augment(image), recipe)
        assert plain_torch.pad_and_crop(changed, 10).size == image.size


def test_processor_time_and_memory_of_a_process_tree_are_read():
    pids = usage.process_tree(os.getpid())
    before = usage.processor_seconds(pids)
    total = sum(range(3_000_000))
    assert total > 0
    assert usage.processor_seconds(pids) > before
    assert usage.memory_mb(pids) > 10


def test_figures_are_speeds_beside_other_pipelines_and_those_of_the_main_process():
    rows = [
        [1, "ours", 100.0, 90.0, 110.0, 50.0, 300.0],
        [1, "plain_torch", 50.0, 40.0, 60.0, 20.0, 300.0],
        [2, "ours", 150.0, 90.0, 110.0, 50.0, 300.0],
        [1, "consumer", 8000.0, 5000.0, 9000.0, 15000.0, 200.0],
    ]
    found = {one.name: (one.ours, one.ratio) for one in data_pipeline.figures(rows)}
    assert found == {
        "1 workers, beside plain torch": (100.0, 0.5),
        "2 workers": (150.0, None),
        "main process alone, per core": (15000.0, None),
        "main process alone": (8000.0, None),
    }
