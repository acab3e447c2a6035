import pytest

from fastreid.utils.timer import Timer


def test_pauses_do_not_count(monkeypatch):
    clock = iter([10.0, 12.0, 15.0, 16.0, 18.0])
    monkeypatch.setattr("fastreid.utils.timer.time.perf_counter", lambda: next(clock))
    timer = Timer()
    timer.pause()
    assert timer.is_paused()
    assert timer.seconds() == 2
    timer.resume()
    assert timer.seconds() == 3
    assert timer.avg_seconds() == 2.5


def test_a_timer_is_paused_and_resumed_in_turn():
    timer = Timer()
    with pytest.raises(ValueError, match="The timer is not paused"):
        timer.resume()
    timer.pause()
    with pytest.raises(ValueError, match="The timer is paused already"):
        timer.pause()
    timer.reset()
    assert not timer.is_paused()
