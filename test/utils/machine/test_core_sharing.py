import logging

import pytest

from fastreid.utils.machine import (
    Busy,
    CoreSharing,
    RunDelay,
    core_sharing,
    cores_beside_others,
    describe_cores,
    is_crowded,
)
from fastreid.utils.machine.core_sharing import is_starved, share_cores


@pytest.mark.parametrize(
    ("cores", "visible", "elsewhere", "crowded"),
    [
        (2, 2, None, False),
        (2, 2, 0.0, False),
        (2, 2, 0.5, False),
        (2, 2, 0.6, True),
        (1, 1, 1.0, True),
        (16, 16, 4.0, False),
        (16, 16, 4.1, True),
        # Another program leaves as many cores as this process may use.
        (50, 64, 10.0, False),
        (2, 64, 63.5, True),
    ],
)
def test_where_others_leave_less_than_three_quarters_it_is_crowded(
    cores, visible, elsewhere, crowded
):
    assert is_crowded(cores, visible, elsewhere) is crowded


@pytest.mark.parametrize(
    ("cores", "visible", "elsewhere", "expected"),
    [
        # What they leave,
        (2, 2, 1.0, 1),
        (16, 16, 6.0, 10),
        (3, 3, 1.4, 2),
        # and half at least.
        (2, 2, 2.0, 1),
        (16, 16, 16.0, 8),
        (3, 3, 3.0, 1),
        (1, 1, 1.0, 1),
        (2, 64, 63.5, 1),
        (8, 64, 32.0, 4),
    ],
)
def test_kernels_get_what_others_leave_and_half_of_the_cores_at_least(
    cores, visible, elsewhere, expected
):
    assert cores_beside_others(cores, visible, elsewhere) == expected


@pytest.mark.parametrize(
    ("ran", "waited", "starved"),
    [
        # Beside one busy program for each core.
        (30.0, 30.0, False),
        (10.0, 45.0, False),
        # Waiting by yielding beside busy programs, as measured.
        (1.3, 57.0, True),
        # Two runs of the demo beside each other, and others of low priority.
        (8.4, 49.0, True),
        # Mostly idle: little to wait for.
        (0.1, 14.0, False),
        (0.0, 0.0, False),
    ],
)
def test_who_waits_five_times_as_long_as_it_runs_is_starved(ran, waited, starved):
    assert is_starved(RunDelay(ran, waited), 30.0) is starved


@pytest.mark.parametrize(("cores", "name"), [({0}, "core 0"), ({3}, "core 3"), ({1, 2}, "2 cores")])
def test_cores_have_names_for_messages(cores, name):
    assert describe_cores(cores) == name


class Machine:
    """Four cores with programs, and the threads of this process, which a test changes."""

    def __init__(self, monkeypatch):
        self.now, self.delay = 100.0, RunDelay(5.0, 5.0)
        self.elsewhere, self.kernels, self.short = 0.0, {0, 1, 2, 3}, False
        self.grants = self.moves = True
        self.by_core = {0: 0.9, 1: 0.5, 2: 0.7, 3: 0.6}
        monkeypatch.setattr(core_sharing.time, "monotonic", lambda: self.now)
        for name, function in {
            "num_cores": lambda: 4,
            "visible_cores": lambda: {0, 1, 2, 3},
            "read_run_delay": lambda: self.delay,
            "kernel_cores": lambda: self.kernels,
            "keep_kernels_on": self.keep,
            "free_cores": self.choose,
            "BusyMeter": lambda: self,
            "has_short_time_slices": lambda: self.short,
            "shorten_time_slices": self.shorten,
            "share_cores": share_cores,
        }.items():
            monkeypatch.setattr(core_sharing, name, function)

    def choose(self, count, by_core, now):
        self.asked = (count, set(now))
        return set(sorted(by_core, key=by_core.get)[:count])

    def keep(self, cores):
        if self.moves:
            self.kernels = set(cores)
        return self.moves

    def shorten(self):
        self.short = self.grants
        return self.grants

    def look(self):
        if self.elsewhere is None:
            return None
        return Busy(self.elsewhere, self.by_core)

    def wait(self, seconds, ran=1.0, waited=1.0):
        self.now += seconds
        self.delay = RunDelay(self.delay.ran + ran, self.delay.waited + waited)

    def starve(self, seconds=10):
        self.wait(seconds, ran=seconds / 40, waited=seconds * 1.9)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def look(sharing, machine, elsewhere, times=1):
    """Let intervals pass beside others; return what the last look says."""
    machine.elsewhere = elsewhere
    for _ in range(times):
        machine.wait(10, ran=6)
        said = sharing.look()
    return said


def test_kernels_move_when_others_come_and_back_when_they_have_gone(machine):
    sharing = CoreSharing(10, moves=True)
    assert look(sharing, machine, 0.0) is None
    machine.elsewhere = 4.0
    machine.wait(9, ran=6)
    assert sharing.look() is None
    machine.wait(1)
    assert sharing.look() == (
        "Other programs use 4.0 of 4 cores: from now on, kernels run on 2 cores, with short time "
        "slices",
        logging.INFO,
    )
    assert (machine.kernels, machine.short, machine.asked) == ({1, 3}, True, (2, set()))
    assert look(sharing, machine, 3.0, times=3) is None
    assert machine.asked == (2, {1, 3})
    # Others may only have paused.
    assert look(sharing, machine, 0.5) is None
    assert machine.kernels == {1, 3}
    text = "Other programs use 0.5 of 4 cores: from now on, kernels run on all cores"
    assert look(sharing, machine, 0.5) == (text, logging.INFO)
    assert machine.kernels == {0, 1, 2, 3}


def test_kernels_get_more_and_fewer_cores_with_what_others_leave(machine):
    sharing = CoreSharing(10, moves=True)
    assert look(sharing, machine, 4.0).text.endswith("on 2 cores, with short time slices")
    assert look(sharing, machine, 1.2) is None
    assert look(sharing, machine, 1.2).text.endswith("on 3 cores, with short time slices")
    assert machine.kernels == {1, 3, 2}
    assert look(sharing, machine, 3.0).text.endswith("on 2 cores, with short time slices")


def test_one_quiet_interval_between_busy_ones_changes_nothing(machine):
    sharing = CoreSharing(10, moves=True)
    look(sharing, machine, 4.0)
    for _ in range(3):
        assert look(sharing, machine, 0.0) is None
        assert look(sharing, machine, 4.0) is None


def test_what_was_chosen_at_the_start_is_undone_too(machine):
    machine.kernels = {2}
    sharing = CoreSharing(10, moves=True)
    assert look(sharing, machine, 0.0, times=2).text.endswith("kernels run on all cores")


@pytest.mark.parametrize("elsewhere", [0.0, 4.0])
@pytest.mark.parametrize("kernels", [{2}, {0, 1, 2, 3}])
def test_who_must_not_move_stays(machine, kernels, elsewhere):
    machine.kernels = kernels
    sharing = CoreSharing(10)
    assert look(sharing, machine, elsewhere, times=3) is None
    machine.starve()
    text, _ = sharing.look()
    assert "Other programs, other ranks or data workers use the cores. To make" in text
    assert (machine.kernels, machine.short) == (kernels, False)


def test_kernels_leave_their_cores_for_better_ones(machine):
    sharing = CoreSharing(10, moves=True)
    look(sharing, machine, 4.0)
    machine.by_core = {0: 0.0, 1: 0.9, 2: 0.1, 3: 1.0}
    assert look(sharing, machine, 2.0).text.endswith("on 2 cores, with short time slices")
    assert machine.kernels == {0, 2}


def test_after_a_long_time_without_a_look_a_new_interval_starts(machine):
    sharing = CoreSharing(10, moves=True)
    machine.elsewhere = 4.0
    machine.wait(121, ran=100)
    assert sharing.look() is None
    assert machine.kernels == {0, 1, 2, 3}
    machine.wait(119, ran=100)
    assert sharing.look() is not None


def test_many_moves_are_not_logged_for_the_user(machine):
    sharing = CoreSharing(10, moves=True)
    levels = []
    for _ in range(4):
        levels.append(look(sharing, machine, 4.0).level)
        levels.append(look(sharing, machine, 0.0, times=2).level)
    assert levels == [logging.INFO] * 5 + [logging.DEBUG] * 3


def test_an_idle_process_learns_nothing(machine):
    sharing = CoreSharing(10, moves=True)
    machine.elsewhere = 4.0
    machine.wait(100, ran=1, waited=1)
    assert sharing.look() is None
    assert look(sharing, machine, 4.0) is not None


def test_a_main_thread_that_is_bound_to_other_cores_is_no_reason(machine, monkeypatch):
    monkeypatch.setattr(core_sharing, "visible_cores", lambda: {0})
    sharing = CoreSharing(10, moves=True)
    assert look(sharing, machine, 1.0, times=3) is None
    assert machine.kernels == {0, 1, 2, 3}


def test_what_there_is_to_say_is_logged(machine, caplog):
    sharing = CoreSharing(10, moves=True)
    with caplog.at_level(logging.INFO):
        sharing.report(logging.getLogger("run"))
        assert not caplog.records
        machine.elsewhere = 4.0
        machine.starve()
        sharing.report(logging.getLogger("run"))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("run", logging.WARNING)
    assert "renice" in record.getMessage()


def test_who_is_starved_is_warned_once_and_moves(machine):
    sharing = CoreSharing(10, moves=True)
    machine.elsewhere = 4.0
    machine.starve()
    text, level = sharing.look()
    assert level == logging.WARNING
    assert "In the last 10 s, the threads of this process ran for 0.2 s and waited" in text
    assert "for a core for 19 s. Other programs use 4.0 of 4 cores: from now on" in text
    for way_out in ("renice", "taskset", "docs/performance.md"):
        assert way_out in text
    assert (machine.kernels, machine.short) == ({1, 3}, True)
    machine.starve()
    assert sharing.look() is None


def test_who_is_starved_by_its_own_workers_is_told_so(machine):
    sharing = CoreSharing(10, moves=True)
    machine.elsewhere = 0.1
    machine.starve()
    text, _ = sharing.look()
    assert "Its own processes, such as data workers (DATALOADER.NUM_WORKERS), use" in text
    assert machine.kernels == {0, 1, 2, 3}


def test_where_nothing_can_be_moved_the_warning_says_only_what_the_user_can_do(machine):
    machine.elsewhere, machine.moves, machine.grants = 4.0, False, False
    sharing = CoreSharing(10, moves=True)
    machine.starve()
    text, _ = sharing.look()
    assert "from now on" not in text
    assert "Other programs use the cores. To make this run faster" in text
    assert look(sharing, machine, 4.0) is None


def test_on_a_single_core_only_the_time_slices_change(machine, monkeypatch):
    monkeypatch.setattr(core_sharing, "num_cores", lambda: 1)
    monkeypatch.setattr(core_sharing, "visible_cores", lambda: {1})
    machine.kernels, machine.elsewhere = {1}, 1.0
    sharing = CoreSharing(10, moves=True)
    said = look(sharing, machine, 1.0)
    assert said.text.endswith("kernels run on core 1, with short time slices")
    assert look(sharing, machine, 1.0) is None


def test_before_the_first_kernel_nothing_moves(machine):
    machine.kernels, machine.elsewhere = set(), 4.0
    sharing = CoreSharing(10, moves=True)
    assert look(sharing, machine, 4.0) is None
    assert not machine.short


def test_where_the_system_does_not_tell_nothing_happens(machine):
    machine.elsewhere, machine.delay = None, None
    sharing = CoreSharing(10, moves=True)
    machine.now += 20
    assert sharing.look() is None
    machine.delay = RunDelay(0, 0)
    machine.starve()
    assert sharing.look() is None
    machine.starve()
    assert "Other programs, other ranks or data workers" in sharing.look().text
