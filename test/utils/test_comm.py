import numpy as np
import pytest

from fastreid.utils import comm


@pytest.fixture
def rank_2_of_4(monkeypatch):
    variables = {"MS_ROLE": "MS_WORKER", "MS_WORKER_NUM": "4", "RANK_ID": "2", "DEVICE_ID": "0"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_single_process_is_the_main_one():
    numbers = (comm.get_rank(), comm.get_local_rank(), comm.get_world_size())
    assert (*numbers, comm.is_main_process()) == (0, 0, 1, True)


def test_the_cluster_says_which_process_this_is(rank_2_of_4):
    numbers = (comm.get_rank(), comm.get_local_rank(), comm.get_world_size())
    assert (*numbers, comm.is_main_process()) == (2, 0, 4, False)


def test_the_scheduler_is_not_counted(rank_2_of_4, monkeypatch):
    monkeypatch.setenv("MS_ROLE", "MS_SCHED")
    assert comm.get_world_size() == 1


def test_a_single_process_talks_to_itself():
    comm.join()
    comm.synchronize()
    array = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(comm.all_gather(array), [array])
    np.testing.assert_array_equal(comm.broadcast(array), array)
    assert comm.broadcast_object({"a": 1.5}) == {"a": 1.5}
    comm.require_same(3, "never")


def test_processes_that_have_not_met_cannot_talk(rank_2_of_4):
    with pytest.raises(RuntimeError, match="has not joined the others yet: call default_setup"):
        comm.synchronize()
