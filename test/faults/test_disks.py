"""Disks that are full, and folders that cannot be written."""

import os
import resource
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mindspore as ms
import pytest

from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from test.faults import table

ROOT = Path(__file__).parents[2]


def run(command, **options):
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def on_a_small_disk(folder, options, command):
    """Run a command in a namespace of its own, where a folder is a small file system."""
    mount = f"mount -t tmpfs -o {options} none {shlex.quote(str(folder))}"
    return run(["unshare", "-Urm", "sh", "-c", f"{mount} && exec {shlex.join(command)}"])


@pytest.fixture(scope="module")
def namespaces(tmp_path_factory):
    """Tell whether this system lets users mount."""
    folder = tmp_path_factory.mktemp("mount")
    try:
        return on_a_small_disk(folder, "size=1m", ["true"]).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_costs_one_checkpoint_and_nothing_else(tmp_path, namespaces):
    if not namespaces:
        pytest.skip("only root can mount a small disk on this system")
    command = [sys.executable, "-m", "test.faults.full_disk", str(tmp_path)]
    done = on_a_small_disk(tmp_path, "size=3m", command)
    table.record("full disk (ENOSPC)", survived=done.returncode == 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cannot save model_iter_0000002: [Errno 28] No space left on device" in done.stderr


def test_a_file_that_may_not_grow_costs_one_checkpoint_and_nothing_else(tmp_path, caplog):
    periodic = PeriodicCheckpointer(Checkpointer(ms.nn.Dense(64, 64), tmp_path), 0)
    assert periodic.save_rolling(iteration=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    lost = []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 1, 100, 4096, 10_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            saved = periodic.save_rolling(iteration=2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        survived = not saved and after == before
        table.record("write that fails part of the way", survived=survived)
        lost += [] if survived else [size]
    assert lost == []
    assert "File too large" in caplog.text
    assert periodic.save_rolling(iteration=3)


SETUP = [
    *(sys.executable, "-c"),
    "import sys; sys.path.insert(0, '.');"
    "from fastreid.config import get_cfg;"
    "from fastreid.engine import default_argument_parser, default_setup;"
    "cfg = get_cfg(); cfg.OUTPUT_DIR = sys.argv[1];"
    "default_setup(cfg, default_argument_parser().parse_args([]))",
]


def test_an_output_folder_that_cannot_be_written_is_reported_at_the_start(tmp_path, namespaces):
    (tmp_path / "file").write_text("")
    places = {
        "under a file": lambda: run([*SETUP, str(tmp_path / "file" / "logs")]),
        "in /proc": lambda: run([*SETUP, "/proc/logs"]),
    }
    if namespaces:
        (tmp_path / "disk").mkdir()
        command = [*SETUP, str(tmp_path / "disk" / "logs")]
        places["on a read-only disk"] = lambda: on_a_small_disk(tmp_path / "disk", "ro", command)
    if os.getuid():
        (tmp_path / "closed").mkdir(mode=0o555)
        command_in = [*SETUP, str(tmp_path / "closed")]
        places["in a folder without the right to"] = lambda: run(command_in)
    with ThreadPoolExecutor(2) as pool:
        tried = dict(zip(places, pool.map(lambda start: start(), places.values())))
    reported = {
        where: done.returncode == 1
        and "cannot be written" in done.stderr
        and "Set OUTPUT_DIR to a writable folder" in done.stderr
        for where, done in tried.items()
    }
    for survived in reported.values():
        table.record("read-only OUTPUT_DIR", survived=survived)
    assert [where for where, ok in reported.items() if not ok] == [], tried
