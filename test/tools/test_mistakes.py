"""User errors end every tool with one line, before anything is written."""

import importlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.utils.command_line.command import run_command
from tools import visualize

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "demo.yml"
TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py"))
YAML = {
    "list.yml": "- a\n",
    "empty.yml": "",
    "word.yml": "word\n",
    "twice.yml": "SEED: 1\nSEED: 2\n",
    "tab.yml": "SOLVER:\n\tBASE_LR: 1\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that are invalid as inputs of the tools."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    (folder / "file").write_text("x", encoding="utf-8")
    (folder / "text.npz").write_text("hello", encoding="utf-8")
    np.savez(folder / "other.npz", a=np.zeros(3))
    columns = {"pids": np.arange(3), "camids": np.zeros(3, int), "paths": np.array(["a"] * 3)}
    features = np.ones((3, 4), np.float32)
    np.savez(folder / "single.npz", features=np.float32(1), **columns)
    np.savez(folder / "count.npz", features=features, num_query="two", **columns)
    np.savez(folder / "plain.npz", features=features, **columns)
    np.save(folder / "array.npy", features)
    (folder / "array.npy").rename(folder / "array.npz")
    for name, text in YAML.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run a tool inside the folder; return its exit code and its output."""

    def run_tool(line):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("FASTREID_DATASETS", str(folder))
        tool, *words = shlex.split(line.replace("CONFIG", str(CONFIG)))
        module = importlib.import_module(f"tools.{tool}")
        before = sorted(folder.rglob("*"))
        code = run_command(getattr(module, "run", None) or module.main, words)
        assert sorted(folder.rglob("*")) == before
        return code, capsys.readouterr().err

    return run_tool


MISTAKES = [
    ("check_dataset Market", "DATASET registry has no 'Market'. Did you mean 'Market1501'?"),
    ("check_dataset Market1501 DATASETS.NAMES Market1501", "Write it as \"['Market1501']\"."),
    ("check_dataset Market1501 DATASETS.NAMES", "Overrides must be KEY VALUE pairs"),
    ("check_dataset Market1501 FOO 3", "FOO is not a known key"),
    ("check_dataset A --config-file none.yml", "There is no configuration file none.yml"),
    ("check_dataset A --config-file empty", "no configuration file empty: it is a folder"),
    ("check_dataset A --config-file list.yml", "must contain keys and values, but contains list"),
    ("check_dataset A --config-file empty.yml", "must contain keys and values, but is empty"),
    ("check_dataset A --config-file word.yml", "must contain keys and values, but contains str"),
    ("check_dataset A --config-file twice.yml", "duplicate key SEED line 2, column 1"),
    ("check_dataset A --config-file tab.yml", "found character '\\t' that cannot start any token"),
    ("convert_weights none.pth a.ckpt", "none.pth does not exist"),
    ("convert_weights none.pth empty", "empty"),
    ("convert_weights none.pth file/a.pth", "DST: file is a file, where a folder is needed"),
    ("convert_weights a.pth a.pth", "SRC and DST are the same file"),
    ("crop_cuhk_sysu empty", "empty/annotation/Person.mat is missing"),
    ("crop_cuhk_sysu empty --root file", "--root: file is a file, where a folder is needed"),
    ("crop_video none.mp4 --output o", "There is no video file none.mp4"),
    ("crop_video file --output o", "file cannot be read as a video"),
    ("crop_video file --output file/o", "--output: file is a file, where a folder is needed"),
    ("demo --config-file none.yml --data d", "There is no configuration file none.yml"),
    ("demo --data file", "--data: file is a file, where a folder is needed"),
    ("make_demo_data --root file", "--root: file is a file, where a folder is needed"),
    ("make_demo_data --root d --train-ids 0", "train_ids is 0; it must be 5 or more"),
    ("make_demo_data --root d --images 100", "images is 100; it must be 4 to 10"),
    ("make_demo_data --root d --seed -1", "The seed is -1"),
    ("make_demo_data --root d --datasets Foo", "There are no demo data for 'Foo'"),
    ("extract_features --config-file none.yml --dataset A --output o.npz", "none.yml"),
    ("extract_features --config-file CONFIG --images none --output o.npz", "none is not a folder"),
    ("extract_features --config-file CONFIG --images file --output o.npz", "file is not a folder"),
    ("extract_features --config-file CONFIG --images empty --output o.npz", "has no images"),
    ("extract_features --config-file CONFIG --images empty --output o.txt", "must end with .npz"),
    ("extract_features --config-file CONFIG --images empty --output empty", "has no images"),
    ("extract_features --config-file CONFIG --images empty --output file/o.npz", "file is a file"),
    ("extract_features --config-file CONFIG --images empty --output o.npz --pattern x", "groups"),
    (
        "extract_features --config-file CONFIG --dataset A --output o.npz DATASETS.NAMES A",
        "DATASETS.NAMES must be a list",
    ),
    ("extract_features --config-file CONFIG --dataset A --output o.npz", "registry has no 'A'"),
    ("search q.jpg --gallery none.npz", "There is no feature file none.npz"),
    ("search q.jpg --gallery text.npz", "text.npz is not a feature file"),
    ("search q.jpg --gallery other.npz", "it lacks features, pids, camids, paths"),
    ("search q.jpg --gallery plain.npz", "has no configuration of a model"),
    ("search q.jpg --gallery plain.npz --top 0", "--top is 0; it must be at least 1"),
    ("search q.jpg --gallery plain.npz --output x.foo", "--output x.foo must end with .png"),
    ("search q.jpg --gallery plain.npz --output empty", "--output empty is a folder"),
    ("search --image q.jpg --gallery none", "There is no gallery none"),
    ("search --video none.mp4 --gallery none", "--video needs --boxes"),
    ("visualize --features none.npz --output v", "There is no feature file none.npz"),
    ("visualize --features empty --output v", "empty has no parts"),
    ("visualize --features array.npz --output v", "it is a single array (.npy)"),
    ("visualize --features single.npz --output v", "features is a single value"),
    ("visualize --features count.npz --output v", "num_query is not a whole number"),
    ("visualize --features plain.npz --output file", "file is a file, where a folder is needed"),
    ("visualize --features plain.npz --output v --seed -1", "--seed is -1"),
    ("visualize --features plain.npz plain.npz --output v", "the name plain is given twice"),
    ("visualize --features ~nobody-here/a.npz --output v", "but there is no such home folder"),
    ("visualize --features a=~nobody-here/a.npz --output v", "but there is no such home folder"),
    ("visualize --features a= --output v", "a file is missing after the equals sign"),
    ("train_net --config-file none.yml", "There is no configuration file none.yml"),
    ("train_net --num-gpus 0", "--num-gpus (0) and --num-machines (1) must be at least 1"),
    ("train_net --num-gpus 2 --dist-url tcp://[::1", "must be auto or tcp://HOST:PORT"),
    ("train_net --config-file CONFIG SEED -1", "SEED is -1; it must be from 0 to 4294967295"),
    (
        "train_net --config-file CONFIG SEED 1 --eval-only",
        "--eval-only is among the KEY VALUE pairs",
    ),
    ("train_net --config-file CONFIG OUTPUT_DIR=o", "Write OUTPUT_DIR o instead of OUTPUT_DIR=o"),
    ("train_net --config-file CONFIG OUTPUT_DIR file", "OUTPUT_DIR file cannot be written"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_user_error_is_one_line_that_names_the_cause(line, words, run):
    code, said = run(line)
    assert code == 1
    assert said.startswith(f"{line.split()[0]}.py: ")
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("check_dataset Market1501", "is missing (FASTREID_DATASETS is the folder that contains"),
        ("check_dataset ImageList DATASETS.IMAGE_LIST -x.csv", "-x.csv, which is neither a file"),
    ],
)
def test_a_missing_data_set_is_a_fault(line, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FASTREID_DATASETS", str(folder))
    assert run_command(importlib.import_module("tools.check_dataset").main, line.split()[1:]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("FAULT: ")
    assert words in last


@pytest.mark.parametrize(
    "line",
    [
        "check_dataset",
        "check_dataset A --workers many",
        "convert_weights a.pth",
        "convert_weights '' a.pth",
        "crop_cuhk_sysu",
        "make_demo_data --seed abc",
        "extract_features --config-file CONFIG --images a --dataset b --output o.npz",
        "extract_features --config-file CONFIG --images a --output o.npz --pattern (",
        "search --gallery plain.npz",
        "search q.jpg --gallery plain.npz --top x",
        "visualize --features plain.npz --output v --metric foo",
        "train_net --num-gpus abc",
    ],
)
def test_a_wrong_option_ends_with_the_usage_and_2(line, folder, monkeypatch, capsys):
    tool, *words = shlex.split(line.replace("CONFIG", str(CONFIG)))
    monkeypatch.chdir(folder)
    module = importlib.import_module(f"tools.{tool}")
    with pytest.raises(SystemExit) as ended:
        run_command(getattr(module, "run", None) or module.main, words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"usage: {tool}.py ")
    assert f"\n{tool}.py: error: " in said


@pytest.mark.parametrize("tool", TOOLS)
def test_the_help_names_the_tool_and_gives_an_example(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTREID_DATASETS", raising=False)
    module = importlib.import_module(f"tools.{tool}")
    with pytest.raises(SystemExit) as ended:
        run_command(getattr(module, "run", None) or module.main, ["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: {tool}.py ")
    assert f"python tools/{tool}.py " in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["ours=a.npz"], {"ours": "a.npz"}),
        (["a.npz", "b/c.npz"], {"a": "a.npz", "c": "b/c.npz"}),
        (["lr=0.1/f.npz"], {"f": "lr=0.1/f.npz"}),
        (["ours=lr=0.1/f.npz"], {"ours": "lr=0.1/f.npz"}),
        (["lr=0.2/f.npz"], {"lr": "0.2/f.npz"}),
        (["b/lr=0.1/f.npz"], {"f": "b/lr=0.1/f.npz"}),
        (["my run (1).npz"], {"my_run__1_": "my run (1).npz"}),
        (["ours=my run (1).npz"], {"ours": "my run (1).npz"}),
        (["Müller=a.npz"], {"Müller": "a.npz"}),
    ],
)
def test_names_and_paths_with_equals_signs_are_distinguished(
    arguments, files, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1").mkdir()
    Path("lr=0.1/f.npz").touch()
    got = visualize.named_files(arguments)
    assert {name: str(path) for name, path in got.items()} == files


def test_closed_output_and_another_working_directory_cause_no_error(tmp_path):
    make_demo_data(tmp_path, sizes=Sizes(5, 5, 4), names=["Market1501"])
    process = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "check_dataset.py", "Market1501", "--quick"],
        cwd=tmp_path,
        env={**os.environ, "FASTREID_DATASETS": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (141, "")


def test_ctrl_c_while_a_tool_loads_ends_it_with_one_line(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", ROOT / "tools" / "train_net.py"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = iter(process.stderr.readline, "")
    for line in lines:
        if line.split("|")[-1].strip() == "numpy":
            break
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 130
    assert time.monotonic() - start < 2
    said = [line for line in rest.splitlines() if not line.startswith("import time:")]
    assert said == ["train_net.py: interrupted"]
