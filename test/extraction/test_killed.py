"""A process that is killed in the middle changes nothing about the result."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fastreid.evaluation import load_features
from fastreid.extraction import Distribution, extract_parts
from test.extraction.cases import listed, open_model, write_images, write_slow_onnx

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "extract_features.py"
COUNT, PART_SIZE = 96, 4
# What the command lines of the processes that have the model contain.
WORKERS = {"processes": "spawn_main", "ray": "MapWorker"}
# Ray starts six processes of its own. With twelve programs on each core, an extraction took more
# than three minutes.
SECONDS = 600
ENGINES = ["processes", pytest.param("ray", marks=pytest.mark.zoo)]


@pytest.fixture
def case(tmp_path, rng):
    """Images, a slow model and the parts of one process."""
    images = write_images(tmp_path / "images", COUNT, rng)
    onnx = write_slow_onnx(tmp_path / "slow.onnx")
    how = Distribution(part_size=PART_SIZE)
    assert extract_parts(listed(images), open_model(onnx), tmp_path / "one", how).written == COUNT
    return tmp_path


@pytest.fixture
def start(case):
    """A function that starts an extraction by an engine; what still runs at the end is ended."""
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    with ExitStack() as at_end:

        def start_one(engine):
            command = [sys.executable, TOOL, "--model", "slow.onnx", "--images", "images"]
            command += ["--pattern", r"(?P<pid>\w+?)_c(?P<camid>\d+)", "--output", "parts"]
            command += ["--part-size", PART_SIZE, "--engine", engine, "--num-gpus", 2]
            running = subprocess.Popen(
                list(map(str, command)),
                cwd=case,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for end in (running.stdout.close, running.wait, running.kill):
                at_end.callback(end)
            return running

        yield start_one


def descendants(pid):
    """Process ids and command lines of all processes that a process started, and theirs."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        parents[int(folder.name)], lines[int(folder.name)] = int(fields[1]), line
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return {child: lines[child] for child in found - {pid}}
        found |= more


def is_running(pid):
    try:
        # Processes that nobody waited for are zombies, Z.
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def have_ended(pids):
    """Whether all processes end within a minute."""
    deadline = time.monotonic() + 60
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(is_running, pids))


def workers_of(running, engine):
    return [pid for pid, line in descendants(running.pid).items() if WORKERS[engine] in line]


def wait_until(condition, running):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline, descendants(running.pid)
        time.sleep(0.02)


def count_parts(case):
    return len(list((case / "parts").glob("part-*.parquet")))


def session_folders():
    """Folders of every Ray on this machine; those of other programs may go meanwhile."""
    return set(Path(tempfile.gettempdir()).glob("ray-*"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_extraction_survives_that_one_of_two_workers_is_killed(case, start, engine):
    before = session_folders()
    running = start(engine)
    wait_until(lambda: count_parts(case) >= 2 and len(workers_of(running, engine)) == 2, running)
    started = descendants(running.pid)
    os.kill(workers_of(running, engine)[0], signal.SIGKILL)
    assert count_parts(case) < COUNT // PART_SIZE
    out = running.communicate(timeout=SECONDS)[0]
    assert running.returncode == 0, out
    assert f"parts: {COUNT} images written" in out
    check_complete(case)
    assert have_ended(started)
    assert session_folders() <= before


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_extraction_is_completed_by_the_same_command(case, start, engine):
    before = session_folders()
    running = start(engine)
    wait_until(lambda: count_parts(case) >= 3, running)
    started = descendants(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert have_ended(started)
    assert session_folders() <= before
    running.communicate()
    existing = {path: path.stat().st_mtime_ns for path in (case / "parts").glob("part-*")}
    assert 3 <= len(existing) < COUNT // PART_SIZE
    again = start(engine)
    out = again.communicate(timeout=SECONDS)[0]
    assert again.returncode == 0, out
    assert "were there" in out
    check_complete(case)
    assert {path: path.stat().st_mtime_ns for path in existing} == existing


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_a_worker_ends_the_extraction_with_one_line(case, start, engine):
    model = onnx.load(case / "slow.onnx")
    weight = model.graph.initializer[0]
    broken = np.full(numpy_helper.to_array(weight).shape, np.nan, np.float32)
    weight.CopyFrom(numpy_helper.from_array(broken, weight.name))
    onnx.save(model, case / "slow.onnx")
    before = session_folders()
    running = start(engine)
    out = running.communicate(timeout=SECONDS)[0]
    assert running.returncode == 1, out
    line = "extract_features.py: Features of 4 of 4 images in a batch are not finite"
    # Ray may have its own lines about the tasks that it cancels.
    assert [text for text in out.splitlines() if text.startswith(line)]
    assert "Traceback" not in out
    assert not list((case / "parts").glob("*"))
    assert session_folders() <= before


def check_complete(case):
    """Compare with the parts of one process; there are no other files."""
    names = {path.name for path in (case / "parts").iterdir()}
    assert names == {path.name for path in (case / "one").iterdir()}
    one, parts = (load_features(case / name).images for name in ("one", "parts"))
    assert parts.paths.tolist() == one.paths.tolist()
    assert parts.pid_names.tolist() == one.pid_names.tolist()
    scale = np.abs(one.features).max()
    # Another number of threads may change the order of sums.
    np.testing.assert_allclose(parts.features, one.features, rtol=0, atol=1e-5 * scale)
