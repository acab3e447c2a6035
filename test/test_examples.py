"""Examples in docstrings run, and print what they say."""

import ast
import doctest
from pathlib import Path

import mindspore as ms
import pytest

PACKAGE = Path(__file__).parents[1] / "fastreid"
FEWEST = 100
# The packages that have examples; those left out act on files, processes or whole networks.
WITH_EXAMPLES = {
    *("config", "data", "deploy", "engine", "evaluation", "export", "extraction", "gallery"),
    *("layers", "modeling", "protocols", "solver", "utils"),
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def find_examples():
    """Find every docstring with a prompt, as a doctest named like "layers/norms.py:get_norm"."""
    parser = doctest.DocTestParser()
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ">>>" in text else ():
            docstring = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
            if docstring and ">>>" in docstring:
                name = f"{file}:{getattr(node, 'name', '')}"
                line = node.body[0].lineno - 1
                # No names are given: an example imports what it needs.
                yield parser.get_doctest(docstring, {}, name, str(path), line)


EXAMPLES = list(find_examples())


@pytest.fixture
def as_at_a_prompt(tmp_path, monkeypatch):
    """An empty folder, and the mode that MindSpore starts in."""
    monkeypatch.chdir(tmp_path)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_prints_what_it_says(example, as_at_a_prompt):
    report = []
    found = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert found.attempted == len(example.examples)
    assert found.failed == 0, "".join(report)


def test_there_are_examples_of_every_package():
    packages = {example.name.partition("/")[0] for example in EXAMPLES}
    assert packages >= WITH_EXAMPLES
    assert len(EXAMPLES) >= FEWEST


def test_every_example_shows_a_result():
    for example in EXAMPLES:
        assert any(each.want for each in example.examples), example.name
