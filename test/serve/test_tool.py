"""tools/serve.py: how it starts, what it refuses, how it ends."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from fastreid.gallery.embedded import ENTRIES, VECTORS
from fastreid.utils.command_line.command import run_command
from serve import main
from test.deploy.small_models import write_model

from .serving import names, search

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def started(*words, errors, cwd=ROOT):
    """Start the tool; give its address, its output so far, and the process.

    Errors and import times, which are more than a pipe holds, go to a file.
    """
    with errors.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "serve.py"), *map(str, words), "--port", "0"],
            cwd=cwd,
            env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        said = ""
        while "Serving at " not in said:
            line = process.stdout.readline()
            assert line, errors.read_text(encoding="utf-8")
            said += line
        address = said.partition("Serving at ")[2].split()[0]
        yield address, said, process
    finally:
        process.kill()
        process.communicate()


def test_an_onnx_file_is_served_without_mindspore_until_ctrl_c(place, tmp_path):
    words = ("--model", place.model, "--gallery", place.gallery, "--images", place.photos)
    errors = tmp_path / "errors.txt"
    with started(*words, errors=errors) as (address, said, process):
        assert said.startswith(f"{place.gallery}: 12 images, 4 identities\nServing at http://127.")
        with httpx.Client(base_url=address, timeout=30) as client:
            answer = search(client, place.photo(5), top=1, rerank=True)
            assert names(answer) == ["5.png"]
            assert client.get(answer.json()["results"][0]["image"]).status_code == 200
            assert client.get("/api/health", headers={"Host": "foreign"}).status_code == 400
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert time.monotonic() - start < 30
    lines = errors.read_text(encoding="utf-8").splitlines()
    imported = {line.split("|")[-1].strip() for line in lines if "|" in line}
    assert {"fastapi", "onnxruntime", "fastreid.serve"} <= imported
    assert "mindspore" not in imported
    assert [line for line in lines if not line.startswith("import time:")] == []


def test_a_trusted_proxy_tells_the_address_and_the_scheme(place, tmp_path):
    words = ["--model", place.model, "--gallery", place.gallery, "--token", "a long secret"]
    limits = ["--searches-per-minute", "1", "--trusted-proxy", "127.0.0.1"]
    server = started(*words, *limits, errors=tmp_path / "errors.txt")
    with server as (address, _, _), httpx.Client(base_url=address) as client:

        def sign_in(forwarded_for):
            headers = {"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": "https"}
            return client.post("/api/session", json={"token": "a long secret"}, headers=headers)

        answers = [sign_in(each) for each in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "Secure" in answers[0].headers["Set-Cookie"]


def test_headers_of_proxies_are_not_believed_by_default(place, tmp_path):
    words = ["--model", place.model, "--gallery", place.gallery, "--requests-per-minute", "1"]
    server = started(*words, errors=tmp_path / "errors.txt")
    with server as (address, _, _), httpx.Client(base_url=address) as client:
        codes = [
            client.get("/api/health", headers={"X-Forwarded-For": each}).status_code
            for each in ("10.0.0.1", "10.0.0.2")
        ]
    assert codes == [200, 429]


def test_a_missing_package_names_the_pip_line(place, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run_command(main, ["--model", str(place.model), "--gallery", place.gallery]) == 1
    assert capsys.readouterr().err == (
        "serve.py: tools/serve.py needs uvicorn: pip install fastapi uvicorn python-multipart\n"
    )


@pytest.fixture
def folder(place, tmp_path, monkeypatch):
    """Files that are right and wrong, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(place.model, "model.onnx")
    write_model(tmp_path / "plain.onnx", None)
    Path("text.onnx").write_text("hello", encoding="utf-8")
    Path("model.mindir").touch()
    Path("model.ckpt").touch()
    Path("token.txt").write_text("short\n", encoding="utf-8")
    for name in ("people", "cut", "garbage", "unread", "old"):
        shutil.copytree(place.gallery, name)
    os.truncate(f"cut/{VECTORS}", 10)
    Path("garbage", ENTRIES).write_bytes(b"x" * 5000)
    os.truncate(f"unread/{ENTRIES}", 6000)
    with contextlib.closing(sqlite3.connect(f"old/{ENTRIES}")) as database:
        database.execute("UPDATE about SET value = '0' WHERE name = 'format'")
        database.commit()
    return tmp_path


MISTAKES = [
    ("--model none.onnx", "There is no model file none.onnx"),
    ("--model plain.onnx", "plain.onnx has no description of its input and features. Export"),
    ("--model text.onnx", "text.onnx cannot be read as an ONNX model"),
    ("--model model.mindir", "model.mindir has no description of its input and features. Export"),
    ("--model model.ckpt", "which needs its configuration: add --config-file"),
    ("--config-file c.yml", "The configuration is inside model.onnx"),
    (
        "--model model.onnx TEST.METRIC cosine",
        "model.onnx has its configuration inside; TEST.METRIC",
    ),
    ("--model model.onnx MODEL.DEVICE tpu", "device is 'tpu'; it must be one of"),
    ("--gallery none", "There is no gallery none."),
    ("--gallery cut", "The gallery cut is damaged: vectors.f32 has 10 bytes"),
    ("--gallery garbage", "The gallery garbage is damaged"),
    ("--gallery unread", "The gallery unread is damaged"),
    ("--gallery old", "The gallery old has the format 0"),
    ("--images none", "--images none is not a folder"),
    ("--port 70000", "--port is 70000; it must be from 0 to 65535"),
    ("--host 300.0.0.1", "--host 300.0.0.1 is not an address"),
    ("--token short", "The token has 5 characters; use 8 or more"),
    ("--token-file token.txt", "The token has 5 characters; use 8 or more"),
    ("--token-file none.txt", "none.txt: No such file or directory"),
    ("--token long-enough --token-file token.txt", "Give --token or --token-file, not both"),
    ("--max-crops 0", "--max-crops is 0; it must be above 0"),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line_at_the_start(line, message, capsys):
    options = {"--model": "model.onnx", "--gallery": "people", "--port": "0"}
    words = line.split()
    given = dict(zip(words[::2], words[1::2]))
    command = [word for pair in {**options, **given}.items() for word in pair]
    assert run_command(main, command) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("serve.py: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_port_that_is_taken_is_named(place, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        words = ["--model", str(place.model), "--gallery", place.gallery, "--port", port]
        assert run_command(main, words) == 1
    assert f"--host 127.0.0.1 --port {port}: Address already in use." in capsys.readouterr().err


@pytest.fixture
def briefly(place, monkeypatch, capsys):
    """Run the tool with a server that ends at once; return what it printed."""

    def run(*words):
        monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
        command = ["--model", str(place.model), "--gallery", place.gallery, "--port", "0"]
        assert run_command(main, [*command, *words]) == 130
        return capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("words", "warns"),
    [
        ([], False),
        (["--host", "localhost"], False),
        (["--host", "0.0.0.0"], True),
        (["--host", "0.0.0.0", "--token", "a long secret"], False),
    ],
)
def test_an_open_service_without_a_token_is_warned_of(briefly, words, warns):
    warning = "WARNING: everyone who reaches 0.0.0.0 can search this gallery: use --token.\n"
    assert briefly(*words).err == warning * warns


def test_what_is_missing_is_said_at_the_start(briefly, place):
    assert "Results have no pictures: --images names the folder" in briefly().out
    assert "no pictures" not in briefly("--images", str(place.photos)).out
