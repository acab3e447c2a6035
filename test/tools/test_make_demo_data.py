from pathlib import Path

import pytest

from fastreid.utils.command_line.command import run_command
from tools.make_demo_data import main, parse_arguments

SMALL = ["--train-ids", "5", "--test-ids", "5", "--images", "4", "--datasets", "Market1501"]


def run(root, *more):
    return run_command(main, ["--root", str(root), *SMALL, *more])


def test_the_summary_says_what_was_written_and_how_to_use_it(tmp_path, capsys):
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert (
        f"{tmp_path / 'Market-1501-v15.09.15'}: written; 5 training and 5 test identities, "
        "4 images each\n"
    ) in out
    assert f"FASTREID_DATASETS={tmp_path}" in out
    assert len(list((tmp_path / "Market-1501-v15.09.15").glob("bounding_box_train/*.jpg"))) == 20


def test_a_second_run_keeps_what_is_there(tmp_path, capsys):
    run(tmp_path)
    assert run(tmp_path) == 0
    assert "already there" in capsys.readouterr().out


def test_a_user_error_is_printed_as_one_line(tmp_path, capsys):
    run(tmp_path)
    assert run(tmp_path, "--seed", "9") == 1
    message = capsys.readouterr().err
    assert message.startswith("make_demo_data.py: ")
    assert message.count("\n") == 1
    assert run(tmp_path, "--seed", "9", "--overwrite") == 0


def test_real_data_are_not_overwritten_by_default():
    assert parse_arguments([]).root == Path("datasets/demo")


def test_the_options_are_explained(capsys):
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for option in ("--root", "--seed", "--train-ids", "--test-ids", "--images", "--overwrite"):
        assert option in out
