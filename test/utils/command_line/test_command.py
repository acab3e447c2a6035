"""How tools end: with one line for a user error, with a traceback for a bug."""

import errno
import io
import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.utils.command_line.command import run_command
from fastreid.utils.logger import setup_logger
from fastreid.utils.messages.errors import ExplainedError, explain
from fastreid.utils.registry import Registry

ROOT = Path(__file__).parents[3]


class ToldError(ExplainedError):
    pass


def raising(error):
    def main(argv):
        raise error

    return main


def ending(main, capsys, **options):
    code = run_command(main, [], name="tool.py", **options)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("X is 3; it must be 4."), "X is 3; it must be 4."),
        (KeyError("A.B is not a known key."), "A.B is not a known key."),
        (TypeError("A must be a list."), "A must be a list."),
        (ImportError("my.py has no class Net"), "my.py has no class Net"),
        (ValueError("two\n  lines\n"), "two lines"),
        (ValueError(), "ValueError"),
        (ToldError("A worker was killed."), "A worker was killed."),
        (
            OSError(errno.ENOENT, "No such file or directory", "a/b"),
            "a/b: No such file or directory",
        ),
        (OSError(errno.EADDRINUSE, "port 5 is in use"), "port 5 is in use"),
        (OSError("OUTPUT_DIR x cannot be written"), "OUTPUT_DIR x cannot be written"),
        (
            OSError(errno.ENOSPC, "No space left on device", "log.txt"),
            "log.txt: No space left on device. Make room, or write elsewhere.",
        ),
        (
            OSError(errno.EXDEV, "Invalid link", "a", None, "b"),
            "a -> b: Invalid link",
        ),
        (
            MemoryError("Unable to allocate 8 GiB"),
            "There is not enough memory: Unable to allocate 8 GiB. Use smaller batches or images.",
        ),
        (MemoryError(), "There is not enough memory. Use smaller batches or images."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_user_error_is_printed_as_one_line(error, line, capsys):
    assert ending(raising(error), capsys) == (1, f"tool.py: {line}\n")


def lookup(argv):
    return {}["x"]


def convert(argv):
    return int("four")


def attribute(argv):
    return argv.size


def own_runtime_error(argv):
    raise RuntimeError("not for users")


@pytest.mark.parametrize(
    ("main", "kind"),
    [
        (lookup, KeyError),
        (convert, ValueError),
        (attribute, AttributeError),
        (own_runtime_error, RuntimeError),
        (raising(AssertionError("no")), AssertionError),
        (raising(IndexError("no")), IndexError),
    ],
)
def test_a_bug_keeps_its_traceback(main, kind, capsys):
    with pytest.raises(kind):
        run_command(main, [], name="tool.py")
    assert capsys.readouterr().err == ""


def test_an_error_of_a_library_is_not_a_user_error(capsys):
    def main(argv):
        return logging.getLogger("x").setLevel("LOUD")

    with pytest.raises(ValueError, match="Unknown level"):
        run_command(main, [])


def test_a_check_that_names_its_cause_is_one_line(capsys):
    def main(argv):
        try:
            int("four")
        except ValueError as error:
            raise ValueError("--top is four.") from error

    assert ending(main, capsys) == (1, "tool.py: --top is four.\n")


def test_a_check_of_the_package_is_one_line(capsys):
    code, line = ending(lambda argv: Registry("LOSS").get("Tripled"), capsys)
    assert code == 1
    assert line.startswith("tool.py: LOSS registry has no 'Tripled'. It has []. To add one of")
    assert line.count("\n") == 1


def test_the_name_in_messages_is_the_file_of_the_tool(capsys):
    assert run_command(raising(ValueError("no")), []) == 1
    assert capsys.readouterr().err == "test_command.py: no\n"


def test_the_exit_code_of_the_tool_is_kept_and_none_is_success(capsys):
    assert run_command(lambda argv: None, []) == 0
    assert run_command(lambda argv: 3, []) == 3
    with pytest.raises(SystemExit) as ended:
        run_command(raising(SystemExit(2)), [])
    assert ended.value.code == 2


def test_ctrl_c_ends_without_a_traceback(capsys):
    assert ending(raising(KeyboardInterrupt()), capsys) == (130, "")


@pytest.mark.parametrize(("code", "left"), [(0, []), (3, [3])])
def test_a_process_of_a_job_that_failed_does_not_wait_for_the_others(code, left, monkeypatch):
    codes = []
    monkeypatch.setattr("fastreid.utils.command_line.command.exit_now", codes.append)
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    assert run_command(lambda argv: code, []) == code
    assert codes == left


def test_the_traceback_is_shown_when_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("FASTREID_TRACEBACK", "1")
    code, text = ending(raising(ValueError("no")), capsys)
    assert code == 1
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: no\ntool.py: no\n")


@pytest.fixture
def log(tmp_path):
    """The log file of the package; its logger is as before afterwards."""
    logger = setup_logger(tmp_path)
    yield tmp_path / "log.txt"
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def test_the_traceback_is_in_the_log_file_and_not_on_the_screen(log, capsys):
    assert run_command(raising(ValueError("no")), [], name="tool.py") == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "tool.py: no\n")
    assert "fastreid ERROR: no\nTraceback" in log.read_text(encoding="utf-8")


DATASET_ERROR = """Exception thrown from user defined Python function in dataset.

- Python Call Stack:
Traceback (most recent call last):
  File "/x/site-packages/mindspore/dataset/engine/datasets_user_defined.py", line 122, in _fn
    for val in gen_iter:
  File "/x/fastreid/data/feed.py", line 6, in check
    raise ValueError("Image a.jpg: it is no image.")
    ^^^^^^^^^^^^^^^^^^^
ValueError: Image a.jpg:
it is no image.

------------------------------------------------------------------
- Dataset Pipeline Error Message:
"""
GRAPH_ERROR = """'The input has 3 channels.'

----------------------------------------------------
- C++ Call Stack: (For framework developers)
----------------------------------------------------
mindspore/ccsrc/frontend/jit/ps/static_analysis/prim.cc:4658 RaiseConstant
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError(DATASET_ERROR), "Image a.jpg: it is no image."),
        (RuntimeError(DATASET_ERROR.replace("raise ValueError", "int")), None),
        (ValueError(GRAPH_ERROR), "The input has 3 channels."),
        (RuntimeError("For 'Conv2D', the shape is wrong."), None),
    ],
)
def test_a_check_inside_of_mindspore_keeps_its_message(error, line):
    assert explain(error) == line


def printing(text):
    def main(argv):
        sys.stdout.write(f"{text}\n")

    return main


def test_a_name_that_the_terminal_cannot_show_is_printed_with_an_escape(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert run_command(printing("Müller \udcff"), []) == 0
    assert raw.getvalue() == b"M\\xfcller \\udcff\n"


@pytest.fixture
def unread():
    """The writing end of a pipe whose reading end is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream


def counting(path):
    def main(argv):
        for number in range(10_000):
            sys.stdout.write(f"{number}\n")
        path.write_text("done", encoding="utf-8")

    return main


def test_an_output_closed_early_ends_a_tool_silently(unread, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", unread)
    assert run_command(counting(tmp_path / "result"), []) == 141
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "result").exists()


def test_a_short_output_to_a_closed_pipe_ends_a_tool_silently(unread, monkeypatch):
    monkeypatch.setattr(sys, "stdout", unread)
    assert run_command(printing("short"), []) == 141


def test_a_tool_that_writes_files_continues_when_its_output_is_closed(
    unread, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "stdout", unread)
    assert run_command(counting(tmp_path / "result"), [], stops_at_closed_output=False) == 0
    assert (tmp_path / "result").is_file()


def test_another_pipe_that_breaks_is_an_error(capsys):
    error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert ending(raising(error), capsys) == (1, "tool.py: Broken pipe\n")


PROGRAM = """
import sys
from fastreid.utils.command_line.command import run_command

def main(argv):
    for number in range(100_000):
        print("line", number)
    print("done", file=sys.stderr)

sys.exit(run_command(main, stops_at_closed_output={}))
"""


@pytest.mark.parametrize(
    ("stops_at_closed_output", "code", "err"), [(True, 141, ""), (False, 0, "done\n")]
)
def test_a_real_pipe_that_is_closed_early(stops_at_closed_output, code, err):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(stops_at_closed_output)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "line 0\n"
    process.stdout.close()
    assert process.stderr.read() == err
    process.stderr.close()
    assert process.wait(timeout=60) == code


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "full"])
def test_an_unwritable_standard_error_does_not_change_the_exit_code(
    error, is_open, monkeypatch, capsys
):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fastreid.utils.command_line.command.is_watching", lambda: True)
    left = []
    monkeypatch.setattr("fastreid.utils.command_line.command.exit_now", left.append)
    monkeypatch.setattr(sys, "stderr", Full() if is_open else None)
    code = run_command(raising(error), [], name="tool.py")
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert left == [130] * isinstance(error, KeyboardInterrupt)
    assert capsys.readouterr().out == ""


def test_missing_standard_streams_do_not_cause_errors(tmp_path):
    result = tmp_path / "result"
    program = (
        "import os, sys\n"
        "from fastreid.utils.command_line.command import run_command\n"
        "from fastreid.utils.logger import setup_logger\n"
        "def main(argv):\n"
        f"    setup_logger({str(tmp_path)!r}).info('logged')\n"
        "    sys.stdout.write('printed')\n"
        f"    with open({str(result)!r}, 'w') as file:\n"
        "        os.write(1, b'of a library')\n"
        "        file.write('done')\n"
        "sys.exit(run_command(main, stops_at_closed_output=False))\n"
    )
    line = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=ROOT, check=False).returncode == 0
    assert result.read_text(encoding="utf-8") == "done"
    assert "logged" in (tmp_path / "log.txt").read_text(encoding="utf-8")
