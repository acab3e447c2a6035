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


def test_rank_and_world_size_come_from_the_environment(rank_2_of_4):
    numbers = (comm.get_rank(), comm.get_local_rank(), comm.get_world_size())
    assert (*numbers, comm.is_main_process()) == (2, 0, 4, False)


def test_processes_of_this_machine_are_counted(rank_2_of_4, monkeypatch):
    assert comm.get_local_size() == 4
    monkeypatch.setenv(comm.LOCAL_SIZE_VARIABLE, "2")
    assert comm.get_local_size() == 2
    monkeypatch.delenv("MS_ROLE")
    assert comm.get_local_size() == 1


def test_the_scheduler_is_not_counted(rank_2_of_4, monkeypatch):
    monkeypatch.setenv("MS_ROLE", "MS_SCHED")
    assert comm.get_world_size() == 1


def test_collectives_of_a_single_process_return_its_own_values():
    comm.join()
    comm.synchronize()
    array = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(comm.all_gather(array), [array])
    np.testing.assert_array_equal(comm.broadcast(array), array)
    assert comm.broadcast_object({"a": 1.5}) == {"a": 1.5}
    comm.require_same(3, "never")


def test_numbers_of_all_processes_are_averaged_or_added_up(monkeypatch):
    assert comm.reduce_dict({"loss_b": 2.0, "loss_a": np.float32(1)}) == {"loss_b": 2, "loss_a": 1}
    monkeypatch.setattr(comm, "all_gather", lambda array: np.stack([array, array + 1]))
    assert comm.reduce_dict({"loss": 2.0})["loss"].item() == 2.5
    assert comm.reduce_dict({"loss": 2.0}, average=False)["loss"] == 5


def test_all_processes_get_the_seed_of_rank_0(monkeypatch):
    assert 0 <= comm.shared_random_seed() < 2**31
    monkeypatch.setattr(comm, "broadcast_object", lambda value: 7)
    assert comm.shared_random_seed() == 7


def test_collectives_before_join_are_an_error(rank_2_of_4):
    with pytest.raises(
        RuntimeError, match="is not connected to the others yet: call default_setup"
    ):
        comm.synchronize()


@pytest.fixture
def two_on_one_machine(monkeypatch):
    """Emulate one of two ranks; the other one sends the given text."""

    def become(rank, *, other=""):
        variables = {"MS_ROLE": "MS_WORKER", "MS_WORKER_NUM": "2"}
        variables |= {"RANK_ID": str(rank), "DEVICE_ID": str(rank)}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        reported = []

        def gather(array):
            reported.append(
                array.astype(np.uint8).tobytes().rstrip(b"\0").decode("utf-8", "surrogateescape")
            )
            heard = np.zeros_like(array)
            codes = np.frombuffer(other.encode("utf-8", "surrogateescape"), np.uint8)
            heard[: len(codes)] = codes
            return np.stack([array, heard] if rank == 0 else [heard, array])

        monkeypatch.setattr(comm, "all_gather", gather)
        return reported

    return become


def test_local_rank_0_runs_the_block_before_it_synchronizes(two_on_one_machine):
    reported = two_on_one_machine(0)
    with comm.local_rank_zero_first():
        assert reported == []
    assert reported == [""]


def test_other_ranks_run_the_block_after_local_rank_0(two_on_one_machine):
    reported = two_on_one_machine(1)
    with comm.local_rank_zero_first():
        assert reported == [""]
    assert reported == [""]


def test_a_failure_of_local_rank_0_is_raised_in_the_other_ranks(two_on_one_machine):
    reported = two_on_one_machine(0)
    with pytest.raises(OSError, match="No space left"), comm.local_rank_zero_first():
        raise OSError("No space left: émile")
    assert reported == ["No space left: émile"]
    two_on_one_machine(1, other="No space left: émile")
    worked = []
    with pytest.raises(comm.OtherRankError, match="^Rank 0 failed: No space left: émile$"):  # noqa: SIM117
        with comm.local_rank_zero_first():
            worked.append(1)
    assert worked == []


def test_the_error_sent_to_other_ranks_keeps_non_utf8_names_and_has_no_quotes(two_on_one_machine):
    message = "There is no \udcff.jpg"
    reported = two_on_one_machine(0)
    with pytest.raises(KeyError), comm.local_rank_zero_first():
        raise KeyError(message)
    assert reported == [message]
    two_on_one_machine(1, other=message)
    with pytest.raises(comm.OtherRankError, match=f"^Rank 0 failed: {message}$"):  # noqa: SIM117
        with comm.local_rank_zero_first():
            pass


def test_an_interrupted_process_does_not_wait_for_the_others(two_on_one_machine):
    reported = two_on_one_machine(0)
    with pytest.raises(KeyboardInterrupt), comm.local_rank_zero_first():
        raise KeyboardInterrupt
    assert reported == []
