"""What the documents name exists: files, headings, settings and tests."""

import ast
import pydoc
import re

import pytest

from fastreid.config import get_cfg

from .markdown import (
    DOCUMENTS,
    LANGUAGES,
    NEEDS,
    ROOT,
    anchors,
    blocks,
    code_spans,
    read,
)

SECTIONS = "MODEL|INPUT|DATASETS|DATALOADER|SOLVER|TEST|KD"
FILES = r"(?<![\w/.$~-])((?:benchmarks|configs|fastreid|tools|test|docs|datasets)/[\w./-]*\w)"
# Written by runs, not part of the repository.
MADE = ("datasets/demo", "datasets/small")

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def in_code(document):
    return "\n".join([*code_spans(document), *(block.text for block in blocks(document))])


@each_document
def test_links_lead_to_files_and_headings_that_exist(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(document)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (document.parent / name).resolve() if name else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@each_document
def test_files_that_are_named_exist(document):
    for name in set(re.findall(FILES, in_code(document))):
        assert name.startswith(MADE) or (ROOT / name).exists(), name


@each_document
def test_settings_that_are_named_exist(document):
    for key in set(re.findall(rf"\b(?:{SECTIONS})(?:\.[A-Z0-9_]+)+", in_code(document))):
        node = get_cfg()
        for part in key.split("."):
            assert part in node, key
            node = node[part]


@each_document
def test_tests_that_are_named_exist(document):
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", read(document)):
        tree = ast.parse((ROOT / "test" / file.removeprefix("test/")).read_text(encoding="utf-8"))
        functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert name in functions, f"{file}::{name}"


@each_document
def test_python_names_that_are_named_exist(document):
    for name in code_spans(document):
        if re.fullmatch(r"fastreid(\.\w+)+", name):
            assert pydoc.locate(name) is not None, name


def test_every_row_of_the_fidelity_table_has_its_test():
    rows = re.findall(r"^\| [QF]\d+ \|.*$", read(ROOT / "docs" / "fidelity.md"), flags=re.MULTILINE)
    assert len(rows) > 30
    assert [row for row in rows if ".py::test_" not in row] == []
    numbers = [row.split()[1] for row in rows]
    assert len(set(numbers)) == len(numbers)


@each_document
def test_rows_of_a_table_have_as_many_cells_as_its_head(document):
    outside = re.sub(r"^(\s*)```.*?^\1```$", "", read(document), flags=re.DOTALL | re.MULTILINE)
    tables = re.findall(r"^\|.*\n(?:.+\n)*", outside, flags=re.MULTILINE)
    for head, *rows in (table.splitlines() for table in tables):
        for row in rows:
            assert row.startswith("|"), row
            assert row.endswith("|"), row
            assert len(re.findall(r"(?<!\\)\|", row)) == head.count("|"), row


@each_document
def test_blocks_have_a_language_and_known_needs(document):
    for block in blocks(document):
        assert block.language in LANGUAGES, block
        assert block.needs <= set(NEEDS), block
        assert not block.needs or block.language in ("bash", "python"), block
    marks = re.findall(r"^\s*<!-- needs: ", read(document), flags=re.MULTILINE)
    assert len(marks) == sum(bool(block.needs) for block in blocks(document))


def test_all_pages_are_reached_from_the_readme_in_two_steps():
    reached = pages_linked_from(ROOT / "README.md")
    reached |= {page for index in reached for page in pages_linked_from(index)}
    pages = set((ROOT / "docs").rglob("*.md")) - set((ROOT / "docs" / "zh").rglob("*.md"))
    assert pages <= reached


def pages_linked_from(document):
    links = re.findall(r"\]\(([^)\s#:]+\.md)(?:#[^)]*)?\)", read(document))
    return {(document.parent / link).resolve() for link in links}


def test_the_layout_in_the_readme_lists_the_folders_that_exist():
    (tree,) = [b.text for b in blocks(ROOT / "README.md") if "├── fastreid/" in b.text]
    top, package = set(), set()
    for line in tree.splitlines():
        found = re.match(r"(?:├──|└──|│   ├──|│   └──) (\w+)/", line)
        if found:
            (package if line.startswith("│") else top).add(found[1])
    assert all((ROOT / name).is_dir() for name in top)
    assert {"configs", "datasets", "docs", "fastreid", "test", "tools"} <= top
    assert package == {
        p.name for p in (ROOT / "fastreid").iterdir() if (p / "__init__.py").exists()
    }
