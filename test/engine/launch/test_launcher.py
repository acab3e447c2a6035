import sys

import pytest

from fastreid.engine import launch


def test_one_device_runs_the_function_here():
    assert launch(lambda a, b: a + b, 1, args=(2, 3)) == 5


@pytest.mark.parametrize("options", [{"num_machines": 0}, {"num_machines": -1}])
def test_a_number_of_machines_below_one_is_refused(options):
    with pytest.raises(ValueError, match=r"--num-machines \((0|-1)\) must be at least 1"):
        launch(lambda: None, 1, **options)


def test_a_number_of_devices_below_one_is_refused():
    with pytest.raises(ValueError, match=r"--num-gpus \(0\) .* 1 means the CPU"):
        launch(lambda: None, 0)


def test_fast_reids_keywords_are_taken_and_a_rank_without_a_machine_is_refused():
    options = {"num_machines": 1, "dist_url": "tcp://127.0.0.1:50152"}
    assert launch(lambda: 3, 1, machine_rank=0, **options) == 3
    with pytest.raises(ValueError, match="--machine-rank is 1; it must be 0 for one machine"):
        launch(lambda: 3, 1, machine_rank=1, **options)
    with pytest.raises(ValueError, match="--machine-rank is -1; it must be 0 to 1"):
        launch(lambda: 3, 1, machine_rank=-1, num_machines=2)


def test_a_process_of_a_job_runs_the_function(monkeypatch):
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    monkeypatch.setenv("MS_WORKER_NUM", "4")
    assert launch(lambda: 3, 4) == 3
    # Under msrun, which has an option for the number.
    assert launch(lambda: 3, 1) == 3


def test_msruns_number_of_processes_and_ours_must_not_contradict(monkeypatch):
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    monkeypatch.setenv("MS_WORKER_NUM", "4")
    with pytest.raises(ValueError, match="--num-gpus 2 .* but 4 processes were started"):
        launch(lambda: 3, 2)
