import contextlib
import io
import logging
import os
import sys

import pytest

from fastreid.utils.logger import (
    log_every_n,
    log_every_n_seconds,
    log_first_n,
    setup_logger,
)


@pytest.fixture
def name():
    """A logger of the test's own, without handlers afterwards."""
    yield "logger_of_a_test"
    logger = logging.getLogger("logger_of_a_test")
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)


def test_messages_go_to_the_screen_and_into_log_txt(tmp_path, capsys, name):
    setup_logger(tmp_path / "run", name=name)
    logging.getLogger(f"{name}.part").info("hello %d", 3)
    assert capsys.readouterr().out.endswith(f"{name}.part INFO: hello 3\n")
    assert (tmp_path / "run" / "log.txt").read_text().endswith(f"{name}.part INFO: hello 3\n")


def test_calling_again_adds_no_second_line(tmp_path, capsys, name):
    for _ in range(2):
        logger = setup_logger(tmp_path, name=name)
    logger.info("once")
    assert capsys.readouterr().out.count("once") == 1
    assert (tmp_path / "log.txt").read_text().count("once") == 1


def test_other_ranks_keep_to_a_file_of_their_own(tmp_path, capsys, name):
    setup_logger(tmp_path, 2, name=name).info("hidden")
    assert capsys.readouterr().out == ""
    assert "hidden" in (tmp_path / "log.txt.rank2").read_text()


def test_a_path_of_a_file_is_taken_as_it_is(tmp_path, name):
    setup_logger(tmp_path / "my.log", name=name).info("here")
    assert "here" in (tmp_path / "my.log").read_text()


def test_on_a_terminal_warnings_stand_out(capsys, monkeypatch, name):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    setup_logger(name=name).warning("careful")
    line = capsys.readouterr().out
    assert "\x1b[" in line
    assert line.endswith("careful\n")


def test_a_closed_screen_does_not_stop_the_log_file(tmp_path, capsys, monkeypatch, name):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        logger = setup_logger(tmp_path, name=name)
        for number in range(3):
            logger.info("line %d", number)
        sys.stdout.write("a table")
        sys.stdout.flush()
        monkeypatch.undo()
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert [log.count(f"INFO: line {number}\n") for number in range(3)] == [1, 1, 1]
    assert log.count("The screen output ends here: Broken pipe\n") == 1
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_reported_once(tmp_path, capsys, name):
    (tmp_path / "log.txt").symlink_to("/dev/full")
    logger = setup_logger(tmp_path, name=name)
    for _ in range(3):
        logger.info("line")
    printed = capsys.readouterr()
    assert printed.out.count("line") == 3
    assert (
        printed.err == f"{tmp_path / 'log.txt'} lacks lines from here on: No space left on device\n"
    )
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


def test_names_that_cannot_be_encoded_are_written_with_escapes(tmp_path, monkeypatch, name):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    setup_logger(tmp_path, name=name).info("M\xfcller \udcff")
    assert raw.getvalue().endswith(b"INFO: M\\xfcller \\udcff\n")
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert log.endswith("INFO: M\xfcller \\udcff\n")


def test_a_line_of_code_logs_its_first_calls_only(caplog):
    caplog.set_level(logging.INFO)
    for number in range(5):
        log_first_n(logging.WARNING, f"first {number}", n=2)
    log_first_n(logging.WARNING, "another line of code")
    assert [record.getMessage() for record in caplog.records] == [
        "first 0",
        "first 1",
        "another line of code",
    ]
    assert {record.name for record in caplog.records} == {__name__}


def test_the_same_message_is_logged_once_wherever_it_comes_from(caplog):
    log_first_n(logging.WARNING, "the same message", key="message")
    log_first_n(logging.WARNING, "the same message", key="message")
    for text in ("one", "two", "one"):
        log_first_n(logging.WARNING, text, key=("caller", "message"))
    assert caplog.messages == ["the same message", "one", "two"]
    with pytest.raises(ValueError, match="key is 'module'; it must be"):
        log_first_n(logging.WARNING, "text", key="module")


def test_every_nth_call_is_logged_under_the_name_that_is_given(caplog):
    for number in range(7):
        log_every_n(logging.WARNING, str(number), n=3, name="of_a_test")
    assert caplog.messages == ["0", "3", "6"]
    assert {record.name for record in caplog.records} == {"of_a_test"}


def test_calls_are_logged_again_after_some_seconds(caplog, monkeypatch):
    clock = iter([0.0, 4.9, 5.0, 7.0])
    monkeypatch.setattr("fastreid.utils.logger.time.monotonic", lambda: next(clock))
    for number in range(4):
        log_every_n_seconds(logging.WARNING, str(number), n=5)
    assert caplog.messages == ["0", "2"]
