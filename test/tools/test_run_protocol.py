"""A protocol from the command line: runs, a kill in the middle, tables, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from demo_data import Sizes, make_demo_data
from fastreid.protocols import plan_runs, read_protocol
from fastreid.protocols.run_folder import hash_of_file
from tools import run_protocol

ROOT = Path(__file__).parents[2]
SMALL = [
    *("MODULES", "['test/small_backbones.py']", "MODEL.BACKBONE.NAME", "build_one_adaptive_stage"),
    *("MODEL.BACKBONE.FEAT_DIM", "64", "INPUT.SIZE_TRAIN", "(64,32)", "INPUT.SIZE_TEST", "(64,32)"),
    *("SOLVER.IMS_PER_BATCH", "16", "DATALOADER.NUM_INSTANCE", "2", "TEST.IMS_PER_BATCH", "16"),
    *("SOLVER.META.PERIOD", "0", "SOLVER.WARMUP_EPOCHS", "0", "SOLVER.LOG_PERIOD", "1"),
    # Long enough to be killed inside of the second training.
    *("SOLVER.MAX_EPOCH", "60", "SOLVER.STOP_ITERS", "32", "TEST.EVAL_PERIOD", "4"),
    *("DATALOADER.NUM_WORKERS", "0"),
]
FIRST, SECOND = "ACL-demo_CS+M_seed0", "ACL-demo_CS+C3_seed0"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_demo_data(folder, sizes=Sizes(8, 5, 4))
    return folder


@pytest.fixture
def two_cells(tmp_path):
    """Two targets of two sources each."""
    values = yaml.safe_load((ROOT / "configs" / "protocols" / "protocol2.yml").read_text("utf-8"))
    values["NAME"] = values["SHORT"] = "two"
    values["CELLS"] = [
        {"TARGET": "CUHK03", "SOURCES": ["cuhkSYSU", "Market1501"]},
        {"TARGET": "Market1501", "SOURCES": ["cuhkSYSU", "CUHK03"]},
    ]
    values["AVERAGE"], values["PUBLISHED"] = [], []
    del values["DATA"]["MSMT17"]
    path = tmp_path / "two.yml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def start(data, protocol, output):
    return subprocess.Popen(
        [
            *(sys.executable, "tools/run_protocol.py", "--protocol", str(protocol)),
            *("--method", "ACL-demo", "--seeds", "1", "--output", str(output), *SMALL),
        ],
        cwd=ROOT,
        env={**os.environ, "FASTREID_DATASETS": str(data), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(data, protocol, output):
    process = start(data, protocol, output)
    printed, _ = process.communicate(timeout=600)
    assert process.returncode == 0, printed
    return printed


def wait_for(pattern, folder, count=1, *, seconds=240):
    deadline = time.monotonic() + seconds
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_job_that_was_killed_continues_and_fills_its_table(data, two_cells, tmp_path):
    output = tmp_path / "out"
    process = start(data, two_cells, output)
    wait_for(f"runs/{FIRST}/result.json", output)
    wait_for(f"runs/{SECOND}/model_iter_*.ckpt", output, 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first = output / "runs" / FIRST / "result.json"
    written = first.stat().st_mtime_ns
    assert not (output / "runs" / SECOND / "result.json").exists()

    printed = finish(data, two_cells, output)
    assert "2 runs, 1 of them done" in printed
    assert "differs from two: Market1501 is demo data: the persons are drawn" in printed
    assert first.stat().st_mtime_ns == written
    assert "Resumed at iteration" in (output / "runs" / SECOND / "output.txt").read_text("utf-8")
    assert "Resumed" not in (output / "runs" / FIRST / "output.txt").read_text("utf-8")
    check_tables(output, printed)

    table = (output / "table.md").read_text("utf-8")
    for path in output.glob("table.*"):
        path.unlink()
    words = ["--protocol", str(two_cells), "--method", "ACL-demo", "--output", str(output)]
    assert run_protocol.main([*words, "--report"]) == 0
    assert (output / "table.md").read_text("utf-8") == table
    assert len(list(output.glob("table.*"))) == 5


def check_tables(output, printed):
    """The tables have the scores of both runs, and lead to their files."""
    assert (output / "table.md").read_text("utf-8") in printed
    values = json.loads((output / "table.json").read_text("utf-8"))
    last, best = values["rows"]
    assert last["scores"].keys() == {"CS+M->C3", "CS+C3->M", "average"}
    for route in last["scores"]:
        assert 0 < last["scores"][route]["mAP"]["mean"] <= 100
        assert best["scores"][route]["mAP"]["num_seeds"] == 1
    for run in values["runs"]:
        result = json.loads((Path(run["folder"]) / "result.json").read_text("utf-8"))
        metric = {s["selection"]: s["mAP"] + s["Rank-1"] for s in result["scores"]}
        assert metric["last"] <= metric["target"] + 1e-6
        assert Path(run["config"]).is_file()
        file = Path(run["folder"]) / run["checkpoints"]["last"]["file"]
        assert hash_of_file(file) == run["checkpoints"]["last"]["sha256"]


def refused(tmp_path, *words):
    """The error of a command line that is refused before anything is run."""
    with pytest.raises((ValueError, KeyError, FileNotFoundError)) as caught:
        run_protocol.main([*words, "--output", str(tmp_path / "out")])
    assert not list(tmp_path.glob("out/runs/*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "4"], "There is no protocol '4'"),
        (["--protocol", "2", "--method", "ALC"], "There is no method 'ALC'"),
        (["--protocol", "2", "--targets", "PRID"], "'PRID' is not a target of protocol2"),
        (["--protocol", "2", "--seeds", "0"], "--seeds is 0; it must be at least 1"),
        (["--protocol", "2", "--num-gpus", "3", "--gpus-per-run", "2"], "must be a multiple of"),
        (["--protocol", "1", "--splits", "21"], "--splits is 21; protocol1 has 20 test split(s)"),
        (["--protocol", "2", "SEED", "1"], "SEED cannot be set for a protocol"),
        (["--protocol", "2", "--report"], "no run has finished"),
        (["--protocol", "2", "--run", "X"], "'X' is not a run of this job; there are CS+M+MS_seed"),
        (["--protocol", "single", "--targets", "CUHK03"], "needs two or more sources"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_on_the_command_line_gets_one_clear_error(tmp_path, words, message):
    assert message in refused(tmp_path, *words)


def test_a_missing_data_set_stops_the_job_before_its_first_run(tmp_path, monkeypatch):
    make_demo_data(tmp_path / "data", sizes=Sizes(5, 5, 4), names=["cuhkSYSU", "Market1501"])
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "data"))
    words = ("--protocol", "2", "--method", "ACL-demo", "--targets", "CUHK03")
    assert "MSMT17: neither" in refused(tmp_path, *words)


def test_an_unregistered_data_set_of_a_protocol_is_refused(tmp_path, two_cells):
    path = tmp_path / "wrong.yml"
    path.write_text(two_cells.read_text("utf-8").replace("cuhkSYSU", "cuhkSISU"), encoding="utf-8")
    message = refused(tmp_path, "--protocol", str(path), "--method", "ACL-demo")
    assert "no 'cuhkSISU'. Did you mean 'cuhkSYSU'" in message


def test_a_run_of_the_plan_can_be_named_alone(two_cells):
    args = run_protocol.parse_args(["--protocol", str(two_cells), "--seeds", "2"])
    _, runs = run_protocol.make_job(args)
    wanted = plan_runs(read_protocol(two_cells).routes, [0, 1])
    assert [run.key for run in runs] == [run.key for run in wanted]


def test_settings_and_targets_are_told_apart_on_the_command_line():
    words = ["--protocol", "2", "--targets", "CUHK03", "MSMT17", "SOLVER.MAX_EPOCH", "5"]
    args = run_protocol.parse_args(words)
    assert args.targets == ["CUHK03", "MSMT17"]
    assert args.opts == ["SOLVER.MAX_EPOCH", "5"]
