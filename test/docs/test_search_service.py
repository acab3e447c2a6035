"""The three commands of the README make a search service of the demo data."""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.config import load_config
from fastreid.engine import DefaultTrainer
from fastreid.utils.checkpoint import Checkpointer
from test.deploy.small_models import write_model

from .commands import commands
from .markdown import ROOT, blocks


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout in which demo data were made."""
    for name in ("configs", "fastreid", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "datasets").mkdir()
    data = tmp_path / "datasets" / "demo"
    make_demo_data(data, sizes=Sizes(5, 5, 4), names=["Market1501"])
    return tmp_path


def three_commands():
    (block,) = [
        block
        for block in blocks(ROOT / "README.md")
        if block.language == "bash" and "tools/serve.py" in block.text
    ]
    export, add, serve = commands(block.text)
    return export, add, serve


def run(words, folder):
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def serving(words, folder):
    """Start the server at a free port, and give a client of it."""
    process = subprocess.Popen(
        [sys.executable, *words[1:], "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        said = [process.stdout.readline() for _ in range(2)]
        address = said[1].partition("Serving at ")[2].split()[0]
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.communicate()


def require_answers(client, folder):
    """Search with a query of the demo data."""
    query = min((folder / "datasets/demo/Market-1501-v15.09.15/query").iterdir())
    with query.open("rb") as file:
        answer = client.post("/api/search", files={"images": file}, data={"top": 3})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert len(results) == 3
    for result in results:
        assert result["file"].startswith("Market-1501-v15.09.15/bounding_box_test/")
        assert Path(result["file"]).name.startswith((result["pid"] or "-1") + "_c")
        assert client.get(result["image"]).headers["Content-Type"] == "image/jpeg"


def test_a_gallery_of_the_demo_data_is_served(checkout):
    export, add, serve = three_commands()
    write_model(checkout / export[export.index("--output") + 1])
    run(add, checkout)
    with serving(serve, checkout) as client:
        require_answers(client, checkout)


@pytest.mark.zoo
def test_all_three_commands_run(checkout):
    export, add, serve = three_commands()
    cfg = load_config("configs/demo.yml")
    weights = checkout / export[export.index("MODEL.WEIGHTS") + 1]
    weights.parent.mkdir(parents=True)
    Checkpointer(DefaultTrainer.build_model(cfg), str(weights.parent)).save(weights.stem)
    for words in (export, add):
        run(words, checkout)
    with serving(serve, checkout) as client:
        require_answers(client, checkout)
    # A checkpoint instead of the exported model.
    checkpoint = shlex.split(f"--model {weights} --config-file configs/demo.yml")
    position = serve.index("--model")
    with serving([*serve[:position], *checkpoint, *serve[position + 2 :]], checkout) as client:
        require_answers(client, checkout)
