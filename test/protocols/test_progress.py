import io

import pytest

from fastreid.protocols.progress import Progress, ProgressLine, fraction_done


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_the_time_left_follows_from_what_was_done_since_the_start():
    clock = Clock()
    progress = Progress("protocol2", 8, done_before=2.5, clock=clock)
    clock.now += 600
    # 1.5 runs in ten minutes, 4 to go.
    line = progress.line(3, {"CS+M_seed0": 0.75, "CS+MS_seed0": 0.25})
    assert line == (
        "protocol2: 3 of 8 runs done; CS+M_seed0 75 %, CS+MS_seed0 25 %; "
        "0:10:00 passed, about 0:26:40 left"
    )


def test_no_time_left_is_given_before_anything_is_done():
    assert Progress("p", 2, done_before=0).line(0, {}).endswith("time left not known yet")


def test_failed_runs_are_counted_and_not_waited_for():
    clock = Clock()
    progress = Progress("p", 4, done_before=0, clock=clock)
    clock.now += 60
    line = progress.line(2, {}, failed=1)
    assert "2 of 4 runs done, 1 failed" in line
    assert line.endswith("0:01:00 passed, about 0:00:30 left")


@pytest.mark.parametrize(("iterations", "wanted"), [(0, 0), (50, 0.475), (100, 0.95), (500, 0.95)])
def test_training_is_most_of_a_run(iterations, wanted):
    assert fraction_done(iterations, 100) == pytest.approx(wanted)


def test_a_file_gets_a_line_every_half_minute_and_when_runs_change():
    clock, stream = Clock(), io.StringIO()
    line = ProgressLine(stream, clock=clock)
    for seconds, text, now in [(0, "a", False), (1, "b", False), (2, "c", True), (32, "d", False)]:
        clock.now = 100.0 + seconds
        line.show(text, now=now)
    line.end()
    assert stream.getvalue() == "a\nc\nd\n"


def test_a_terminal_gets_one_line_that_replaces_itself(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Screen()
    line = ProgressLine(stream)
    for text in ("a long line of progress", "short"):
        line.show(text)
    line.end()
    assert stream.getvalue() == "\ra long line of p...\rshort              \n"
