import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.engine.launch.job import Job, make_job, rank_environment, scheduler_environment

ONE_MACHINE = Job(devices=4, machines=1, machine_rank=0, host="127.0.0.1", port=50152)
SECOND_OF_TWO = Job(devices=4, machines=2, machine_rank=1, host="10.0.0.1", port=50152)
SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from fastreid.engine.launch import job
print(json.dumps(job.rank_command()))
"""


@pytest.fixture
def busy_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_ranks_of_a_machine_follow_those_of_the_machines_before_it():
    assert list(ONE_MACHINE.ranks) == [0, 1, 2, 3]
    assert list(SECOND_OF_TWO.ranks) == [4, 5, 6, 7]
    assert SECOND_OF_TWO.world_size == 8


def test_the_environment_of_a_rank_holds_its_number_and_the_schedulers_address():
    environment = rank_environment(SECOND_OF_TWO, 6, {"HOME": "home"}, Path("out"))
    wanted = {
        "HOME": "home",
        "MS_ROLE": "MS_WORKER",
        "MS_WORKER_NUM": "8",
        "MS_NODE_ID": "6",
        "RANK_ID": "6",
        "RANK_SIZE": "8",
        "DEVICE_ID": "2",
        "FASTREID_LOCAL_SIZE": "4",
        "MS_SCHED_HOST": "10.0.0.1",
        "MS_SCHED_PORT": "50152",
        "FASTREID_SUPERVISOR": str(os.getpid()),
    }
    assert wanted.items() <= environment.items()


def test_what_the_user_has_set_stays():
    inherited = {"OMP_NUM_THREADS": "7", "MS_TOPO_TIMEOUT": "9", "MS_NODE_TIMEOUT": "8"}
    environment = rank_environment(ONE_MACHINE, 0, inherited, Path("out"))
    assert inherited.items() <= environment.items()


def test_the_ranks_of_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    environment = rank_environment(ONE_MACHINE, 0, {}, Path("out"))
    assert environment["OMP_NUM_THREADS"] == "2"


def test_the_environment_of_the_scheduler_holds_no_rank():
    environment = scheduler_environment(ONE_MACHINE, {})
    assert environment["MS_ROLE"] == "MS_SCHED"
    assert "RANK_ID" not in environment


def test_a_free_port_is_chosen_where_there_is_one_machine():
    for url in (None, "auto"):
        job = make_job(2, 1, 0, url)
        assert job.host == "127.0.0.1"
        with socket.create_server(("127.0.0.1", job.port)):
            pass


def test_an_address_that_is_given_is_used():
    free = make_job(2, 1, 0, "auto").port
    assert make_job(2, 1, 0, f"tcp://localhost:{free}").port == free


def test_several_machines_need_an_address():
    with pytest.raises(ValueError, match="--num-machines 2 needs --dist-url tcp://HOST:PORT"):
        make_job(1, 2, 0, "auto")


@pytest.mark.parametrize("url", ["localhost:1", "tcp://localhost", "http://a:1", "tcp://a:x"])
def test_a_malformed_address_is_refused(url):
    with pytest.raises(ValueError, match="must be auto or tcp://HOST:PORT"):
        make_job(2, 1, 0, url)


def test_an_unknown_host_is_refused():
    with pytest.raises(ValueError, match=r"the host 'no\.such\.host\.invalid' is not known"):
        make_job(2, 1, 0, "tcp://no.such.host.invalid:50152")


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ValueError, match=r"192\.0\.2\.1 is not an address of this machine"):
        make_job(1, 2, 0, "tcp://192.0.2.1:50152")


def test_a_port_in_use_is_refused_before_anything_starts(busy_port):
    with pytest.raises(OSError, match=rf"port {busy_port} of 127\.0\.0\.1 cannot be used"):
        make_job(2, 1, 0, f"tcp://127.0.0.1:{busy_port}")
    # The port is machine 0's: on another one it may be in use.
    assert make_job(1, 2, 1, f"tcp://127.0.0.1:{busy_port}").port == busy_port


@pytest.mark.parametrize("form", ["file", "module"])
def test_the_present_program_is_started_in_the_form_it_was_started_in(tmp_path, form):
    root = str(Path(__file__).parents[3])
    script = tmp_path / "program.py"
    script.write_text(SCRIPT.format(root=root), encoding="utf-8")
    words = [str(script)] if form == "file" else ["-m", "program"]
    options = ["--num-gpus", "2", "SEED", "1"]
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", *words, *options],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(printed) == [sys.executable, "-Wignore", *words, *options]
