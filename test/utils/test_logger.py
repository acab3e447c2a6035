import logging
import sys

import pytest

from fastreid.utils.logger import setup_logger


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
