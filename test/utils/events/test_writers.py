import json
import logging
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.events import (
    CommonMetricPrinter,
    EventStorage,
    JSONWriter,
    TensorboardXWriter,
)

ROOT = Path(__file__).parents[3]


def test_metrics_json_has_a_line_per_iteration_with_news(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    writer = JSONWriter(path)
    with EventStorage() as storage:
        storage.put_scalars(loss_cls=2.0, total_loss=3.0)
        writer.write()
        writer.write()
        storage.iter, storage.epoch = 4, 1
        storage.put_scalar("loss_cls", math.nan)
        storage.iter = 5
        storage.put_scalar("lr", 0.1)
        writer.write()
    writer.close()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[0] == {"iteration": 0, "epoch": 0, "loss_cls": 2.0, "total_loss": 3.0}
    assert records[1]["iteration"] == 4
    assert records[1]["epoch"] == 1
    assert math.isnan(records[1]["loss_cls"])
    assert records[2] == {"iteration": 5, "epoch": 1, "lr": 0.1}
    assert len(records) == 3


def test_a_resumed_run_goes_on_in_metrics_json(tmp_path):
    for iteration in (0, 7):
        writer = JSONWriter(tmp_path / "metrics.json")
        with EventStorage(iteration) as storage:
            storage.put_scalar("loss", iteration)
            writer.write()
        writer.close()
    lines = (tmp_path / "metrics.json").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 7]


def test_tensorboard_files_hold_the_scalars(tmp_path, caplog):
    pytest.importorskip("tensorboardX")
    writer = TensorboardXWriter(tmp_path)
    with EventStorage() as storage, caplog.at_level(logging.INFO):
        storage.put_scalar("loss_cls", 2.0)
        writer.write()
    writer.close()
    (events,) = tmp_path.glob("events.out.tfevents.*")
    assert b"loss_cls" in events.read_bytes()
    assert caplog.text == ""


def test_images_and_histograms_are_in_tensorboard_files_once_and_not_in_metrics_json(tmp_path):
    pytest.importorskip("tensorboardX")
    writers = [TensorboardXWriter(tmp_path), JSONWriter(tmp_path / "metrics.json")]
    with EventStorage() as storage:
        storage.put_image("first_batch", np.zeros((3, 4, 2), np.uint8))
        storage.put_image("heat_map", np.zeros((4, 2), np.float32))
        storage.put_histogram("gradients", np.arange(5.0), bins=4)
        storage.put_scalar("loss", 1.0)
        for _ in range(2):
            for writer in writers:
                writer.write()
        assert (storage.images(), storage.histograms()) == ((), ())
    for writer in writers:
        writer.close()
    (events,) = tmp_path.glob("events.out.tfevents.*")
    written = events.read_bytes()
    assert [written.count(name) for name in (b"first_batch", b"heat_map", b"gradients")] == [1] * 3
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "iteration": 0,
        "epoch": 0,
        "loss": 1.0,
    }


def test_writing_tensorboard_files_does_not_load_pytorch():
    pytest.importorskip("tensorboardX")
    pytest.importorskip("torch")
    script = (
        "import sys; from fastreid.utils.events import TensorboardXWriter;"
        "TensorboardXWriter('.'); assert 'tensorboardX' in sys.modules;"
        "assert 'torch' not in sys.modules; import torch"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)


def test_without_tensorboardx_the_log_names_the_command_that_installs_it(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with EventStorage() as storage, caplog.at_level(logging.INFO):
        writer = TensorboardXWriter(tmp_path)
        storage.put_scalar("loss", 1.0)
        writer.write()
        writer.close()
    assert caplog.text.count("pip install tensorboardX") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_progress_line_has_the_time_left_losses_and_rate(caplog):
    printer = CommonMetricPrinter(max_iter=101)
    with EventStorage() as storage, caplog.at_level(logging.INFO):
        for iteration, seconds in enumerate([2.0, 1.0, 3.0]):
            storage.iter = iteration
            storage.put_scalar("time", seconds)
        storage.put_scalar("data_time", 0.25)
        storage.put_scalars(
            loss_cls=2.0,
            total_loss=3.5,
            meta_total_loss=2.5,
            meta_loss_stc=0.1,
            smoothing_hint=False,
        )
        storage.put_scalar("lr", 0.04, smoothing_hint=False)
        printer.write()
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith(
        "eta: 0:03:16  epoch/iter: 0/2  total_loss: 3.5  meta_total_loss: 2.5  loss_cls: 2  "
        "data_time: 0.2500  time: 2.0000  lr: 4.00e-02  max_mem: "
    )
    assert "stc" not in line


def test_before_the_first_measured_step_the_time_left_is_unknown(caplog):
    with EventStorage(), caplog.at_level(logging.INFO):
        CommonMetricPrinter(max_iter=10).write()
    assert "eta: N/A  epoch/iter: 0/0" in caplog.text
