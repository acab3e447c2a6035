"""docs/how_it_works: pictures are current, and lines of code are those of the functions."""

import ast
import importlib.util
import re

import pytest

from .markdown import ROOT, read

FOLDER = ROOT / "docs" / "how_it_works"
PAGES = sorted(FOLDER.glob("*.md"))
# | part | `line of code` | [`Class.function`](path) |; some tables have no line.
LINK = re.compile(r"\[`([\w.]+)`\]\(([^)]+\.py)\)")
ROW = re.compile(r"^\|.*\| `([^|]*)` \| \[`([\w.]+)`\]\(([^)]+\.py)\) \|$", flags=re.MULTILINE)


def source_of(name, path):
    """Source of a function or class of a file; fails if there is none."""
    text = path.read_text(encoding="utf-8")
    node = ast.parse(text)
    for part in name.split("."):
        kinds = (ast.ClassDef, ast.FunctionDef)
        (node,) = [n for n in node.body if isinstance(n, kinds) and n.name == part]
    return ast.get_source_segment(text, node)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_with_a_name_lead_to_the_file_that_defines_it(page):
    found = LINK.findall(read(page))
    assert found
    for name, target in found:
        assert source_of(name, (page.parent / target).resolve()), name


@pytest.mark.parametrize("name", ["router", "adaptors", "meta_step"])
def test_lines_of_code_are_those_of_the_functions(name):
    page = FOLDER / f"{name}.md"
    rows = ROW.findall(read(page))
    assert len(rows) >= 6
    for line, function, target in rows:
        source = source_of(function, (page.parent / target).resolve())
        assert line in (each.strip() for each in source.splitlines()), line


def test_pictures_are_those_that_the_script_draws():
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "tooling" / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    assert draw.main(["--check"]) == 0, "run python docs/tooling/draw.py"
    for name in draw.PICTURES:
        assert any(f"images/{name}" in read(page) for page in PAGES), name
