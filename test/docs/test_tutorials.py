"""The tutorials run, block after block, as they are written."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import pytest

from demo_data import Sizes, make_demo_data
from tools import check_dataset

from .markdown import ROOT, TUTORIALS, blocks, read

LINKED = ("benchmarks", "configs", "docs", "fastreid", "test", "tools")

each_tutorial = pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)


def script_of(page):
    """A shell script of a page: it writes the files that blocks show and runs the other blocks."""
    parts = []
    for number, block in enumerate(b for b in blocks(page) if not b.needs):
        if block.file:
            parts.append(f"cat >> {block.file} <<'END_OF_FILE'\n{block.text}END_OF_FILE")
        elif block.language == "python":
            name = f"block_{number}.py"
            parts.append(f"cat > {name} <<'END_OF_FILE'\n{block.text}END_OF_FILE\npython {name}")
        elif block.language == "bash":
            parts.append(block.text)
    return "\n".join(parts)


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "datasets").mkdir()
    return tmp_path


@pytest.mark.zoo
@each_tutorial
def test_the_blocks_run_one_after_another(page, checkout):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script_of(page)],
        cwd=checkout,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@each_tutorial
def test_a_block_is_run_or_says_what_it_needs(page):
    script = script_of(page)
    for block in blocks(page):
        if not block.needs:
            assert block.language in ("bash", "python", "yaml", "text"), block
            assert block.language == "text" or block.text in script, block


def test_all_tutorials_are_in_the_list_of_tutorials():
    index = read(ROOT / "docs" / "tutorials" / "index.md")
    assert [page.name for page in TUTORIALS if f"]({page.name})" not in index] == []
    assert len(TUTORIALS) >= 9


@pytest.fixture
def written(tmp_path, monkeypatch, own_registries):
    """A function that writes the files of a tutorial into the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    names = []

    def write(tutorial):
        for block in blocks(ROOT / "docs" / "tutorials" / tutorial):
            if block.file:
                (tmp_path / block.file).write_text(block.text, encoding="utf-8")
                names.append(Path(block.file).stem)
        return tmp_path

    yield write
    for name in names:
        sys.modules.pop(name, None)


def test_the_loss_is_the_one_of_its_definition(written, capsys):
    written("own_loss.md")
    mode = ms.get_context("mode")
    try:
        importlib.import_module("compare_loss")
    finally:
        ms.set_context(mode=mode)
    assert "those of the definition" in capsys.readouterr().out


def test_the_data_set_passes_the_check(written, monkeypatch, capsys):
    folder = written("own_dataset.md")
    make_demo_data(folder / "datasets" / "small", sizes=Sizes(train_ids=5, test_ids=5, images=4))
    (copy,) = [
        block
        for block in blocks(ROOT / "docs" / "tutorials" / "own_dataset.md")
        if block.language == "python" and not block.file
    ]
    subprocess.run([sys.executable, "-c", copy.text], check=True, stdout=subprocess.DEVNULL)
    monkeypatch.setenv("FASTREID_DATASETS", str(folder / "datasets" / "small"))
    assert check_dataset.main(["People", "--config-file", "people.yml"]) == 0
    assert "0 faults" in capsys.readouterr().out
