"""docs/reference: the written pages are current, and there is a page for each package."""

import importlib
import re

import pytest

from .config_keys import all_keys, comments, uses
from .markdown import ROOT, read
from .write_reference import pages

# Kept for fast-reid's files; nothing reads them.
WITHOUT_EFFECT = {
    *("CUDNN_BENCHMARK", "MODEL.BACKBONE.SIE_COE"),
    *("MODEL.LOSSES.FL.ALPHA", "MODEL.LOSSES.FL.GAMMA", "MODEL.LOSSES.FL.SCALE"),
}


@pytest.fixture(scope="module")
def written():
    return pages()


@pytest.mark.parametrize("name", ["configuration.md", "tools.md"])
def test_the_page_is_the_one_that_the_code_gives(name, written):
    path = ROOT / "docs" / "reference" / name
    assert read(path) == written[path], "run python test/docs/write_reference.py"


def test_every_key_has_a_meaning():
    assert [key.name for key in all_keys() if not key.meaning] == []


def test_keys_that_nothing_reads_are_those_without_effect():
    unread = {name for name, files in uses().items() if not files}
    assert unread == WITHOUT_EFFECT
    told = {key.name for key in all_keys() if "without effect" in key.meaning}
    assert told | {"MODEL.BACKBONE.SIE_COE"} == WITHOUT_EFFECT


def test_a_comment_counts_for_the_assignments_below_it_up_to_an_empty_line():
    source = """
def defaults():
    cfg = CN()
    # First,
    # in two lines.
    cfg.A = 1
    cfg.B = 2

    cfg.C = 3
    # Of a section.
    cfg.S = CN({"X": 1, "Y": 2})
    cfg.T = _inner()


def _inner():
    node = CN()
    # Of an inner key.
    node.Z = list([1])
    return node
"""
    assert comments(source) == {
        "A": "First, in two lines.",
        "B": "First, in two lines.",
        "C": "",
        "S.X": "Of a section.",
        "S.Y": "Of a section.",
        "T.Z": "Of an inner key.",
    }


def test_there_is_a_page_for_each_package():
    packages = {path.parent.name for path in (ROOT / "fastreid").glob("*/__init__.py")}
    folder = ROOT / "docs" / "reference" / "api"
    assert {path.stem for path in folder.glob("*.md")} == packages
    for package in packages:
        page = read(folder / f"{package}.md")
        assert f"\n::: fastreid.{package}\n" in page
        for name in re.findall(r"^::: (.*)$", page, flags=re.MULTILINE):
            assert name.startswith(f"fastreid.{package}"), name
            assert exists(name), name


def exists(name):
    """Tell whether there is a module, or a member of one, with this name."""
    module, _, member = name.rpartition(".")
    try:
        return bool(importlib.import_module(name))
    except ModuleNotFoundError:
        return hasattr(importlib.import_module(module), member)


def test_public_lists_of_inner_packages_are_shown():
    text = "\n".join(read(path) for path in (ROOT / "docs" / "reference" / "api").glob("*.md"))
    for name in ("data.datasets", "data.samplers", "modeling.backbones", "modeling.losses"):
        assert f"\n::: fastreid.{name}\n" in text
