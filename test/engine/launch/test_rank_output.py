import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.engine.launch.rank_output import RankOutput, move_output

TRACE = 'before\nTraceback (most recent call last):\n  File "x", line 1\n    fail()\n'

RANK = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from fastreid.engine.launch.rank_output import move_output
print("before")
assert move_output(Path({final!r}))
print("after", flush=True)
print("an error", file=sys.stderr)
"""


def test_a_process_that_no_supervisor_started_prints_where_it_did(tmp_path, capfd):
    assert not move_output(tmp_path / "rank_0.txt")
    sys.stdout.write("here\n")
    assert capfd.readouterr().out == "here\n"


def test_output_is_read_once_and_followed_to_its_new_place(tmp_path):
    first, final = tmp_path / "first.txt", tmp_path / "log" / "rank_0.txt"
    final.parent.mkdir()
    final.write_text("of an earlier run\n", encoding="utf-8")
    with first.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                RANK.format(root=str(Path(__file__).parents[3]), final=str(final)),
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={"PYTHONUNBUFFERED": "1", "FASTREID_RANK_OUTPUT": str(first)},
        )
    output = RankOutput(first)
    read = ""
    while process.poll() is None:
        read += output.new()
    read += output.new()
    assert read == "before\nafter\nan error\n"
    assert output.path == output.lasting_path() == final
    assert final.read_text(encoding="utf-8") == "of an earlier run\n" + read
    assert output.end_of_output() == read.rstrip()


def test_the_end_of_the_output_is_the_last_traceback_else_the_last_lines(tmp_path):
    path = tmp_path / "out.txt"
    trace = "Traceback (most recent call last):\n  File x\nValueError: no"
    path.write_text(f"start\nTraceback (most recent call last):\nfirst\n{trace}\n", "utf-8")
    assert RankOutput(path).end_of_output() == trace
    assert RankOutput(path).lasting_path() is None
    path.write_text("\n".join(map(str, range(1000))), encoding="utf-8")
    assert RankOutput(path).end_of_output().splitlines() == [str(n) for n in range(940, 1000)]


@pytest.mark.parametrize(
    ("text", "line", "is_all"),
    [
        ("start\ntrain_net.py: MODE is x.\n", "MODE is x.", True),
        (f"{TRACE}fastreid.E: no\nand more\n", "fastreid.E: no", False),
        ("start\nand the end\n", "", False),
        ("", "", False),
    ],
)
def test_the_error_of_a_rank_is_one_line(tmp_path, text, line, is_all):
    path = tmp_path / "out.txt"
    path.write_text(text, encoding="utf-8")
    output = RankOutput(path)
    assert (output.error_line(), output.ends_in_one_line()) == (line, is_all)


def test_mindspores_notes_on_connections_are_left_out(tmp_path, monkeypatch):
    note = "[INFO] DISTRIBUTED(9180,7fbd,python):2026 [mindspore/x.cc:224] Start] success!\n"
    error = "[ERROR] DISTRIBUTED(9180,7fbd,python):2026 [mindspore/x.cc:224] Start] failed\n"
    path = tmp_path / "out.txt"
    path.write_text("a\n" + note[:9])
    output = RankOutput(path)
    assert output.new() == "a\n"
    with path.open("a") as file:
        file.write(note[9:] + error + note + "[")
    assert output.new() == error
    with path.open("a") as file:
        file.write("b")
    assert output.new() == "[b"
    assert RankOutput(path).end_of_output() == f"a\n{error}[b"
    monkeypatch.setenv("GLOG_v", "1")
    assert RankOutput(path).new().count(note) == 2
