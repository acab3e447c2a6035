"""Code blocks of the documents run, except those marked with what they need."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo_data import Sizes, make_demo_data
from fastreid.config import load_config
from fastreid.engine import DefaultTrainer
from fastreid.utils.checkpoint import Checkpointer

from .markdown import DOCUMENTS, ROOT, TRANSLATIONS, TUTORIALS, all_blocks, blocks

LINKED = ("benchmarks", "configs", "docs", "fastreid", "test", "tools")
# Translations have the code of the originals, which test_translations.py compares; tutorials have
# a test of their own.
ELSEWHERE = (*TRANSLATIONS.values(), *TUTORIALS)
PAGES = [document for document in DOCUMENTS if document not in ELSEWHERE]
RUNNABLE = [d for d in PAGES if any(b.language == "bash" and not b.needs for b in blocks(d))]


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory):
    """The demo data sets, smaller."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo_data(folder, sizes=Sizes(train_ids=10, test_ids=5, images=4))
    return folder


@pytest.fixture
def checkout(tmp_path, demo_data):
    """A folder that looks like a checkout in which the demo data were made."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "demo").symlink_to(demo_data)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("document", RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_blocks_run_one_after_another(document, checkout):
    script = "\n".join(b.text for b in blocks(document) if b.language == "bash" and not b.needs)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=checkout,
        env={**os.environ, "PATH": path, "FASTREID_DATASETS": "datasets/demo"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def python_blocks():
    found = [block for block in all_blocks("python") if block.file is None]
    return [block for block in found if block.document in PAGES]


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in python_blocks() if not b.needs], ids=str)
def test_python_blocks_run_with_the_model_of_the_demo(block, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    cfg = load_config("configs/demo.yml")
    folder = checkout / "logs" / "demo"
    folder.mkdir(parents=True)
    Checkpointer(DefaultTrainer.build_model(cfg), str(folder)).save("model_final")
    script = checkout / "example.py"
    script.write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_readme_has_a_snippet_that_runs():
    (snippet,) = [b for b in python_blocks() if b.document == ROOT / "README.md"]
    assert not snippet.needs
    assert len(snippet.text.splitlines()) <= 15


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_what_python_blocks_import_exists(block):
    shown = {each.file.removesuffix(".py") for each in blocks(block.document) if each.file}
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)
        elif isinstance(node, ast.ImportFrom) and node.module not in shown:
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{block}: {node.module}.{name.name}"


def test_files_that_python_blocks_show_compile():
    for document in DOCUMENTS:
        files = {}
        for block in blocks(document):
            if block.language == "python" and block.file:
                files[block.file] = files.get(block.file, "") + block.text
        for name, text in files.items():
            compile(text, f"{document.name}: {name}", "exec")
