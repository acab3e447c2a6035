"""What the documents name exists."""

import ast
import re
from pathlib import Path

import pytest

from fastreid.config import get_cfg

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "INSTALL.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "datasets" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
SECTIONS = "MODEL|INPUT|DATASETS|DATALOADER|SOLVER|TEST|KD"
# Written by runs, not part of the repository.
MADE = ("logs", "datasets/demo", ".venv")


def in_code(document):
    """What stands between backticks, one line at most, and the lines of code blocks."""
    text = document.read_text(encoding="utf-8")
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^[^|#>].*$", text, flags=re.MULTILINE)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document):
    pattern = r"(?<![\w/.$~-])((?:benchmarks|configs|fastreid|tools|test|docs|datasets)/[\w./-]*\w)"
    for name in {match for line in in_code(document) for match in re.findall(pattern, line)}:
        if not name.startswith(MADE):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_that_are_named_exist(document):
    for key in set(re.findall(rf"\b(?:{SECTIONS})(?:\.[A-Z0-9_]+)+", "\n".join(in_code(document)))):
        node = get_cfg()
        for part in key.split("."):
            assert part in node, key
            node = node[part]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_are_named_exist(document):
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", document.read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / "test" / file).read_text(encoding="utf-8"))
        functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert name in functions, f"{file}::{name}"


def test_every_row_of_the_fidelity_table_has_its_test():
    text = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| [QF]\d+ \|", line)]
    assert len(rows) > 30
    assert [row for row in rows if ".py::test_" not in row] == []
    numbers = [re.match(r"\| (\w+)", row)[1] for row in rows]
    assert len(set(numbers)) == len(numbers)
