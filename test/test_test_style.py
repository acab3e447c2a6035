"""Tests are written in one style, so that they prove what the package does and not how.

Private names: a file of tests may touch those of one class or of one module, where no public name
shows what the test is about. Inherited names count as the subclass's, and names that this
repository does not define count for nothing. An object keeps its class.
"""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "test").rglob("*.py"))
# Those of test/alignment are of the standard library's unittest.
FUNCTIONS = [p for p in FILES if p.match("test_*.py") and p.parent != ROOT / "test" / "alignment"]
# Of NamedTuples these are public; see the documentation of collections.namedtuple.
PUBLIC = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def is_self(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def names_defined_in(body):
    """Private names of a class or of a module."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for target in targets for n in ast.walk(target)):
                if isinstance(name, ast.Name):
                    yield name.id


def names_set_on_self(body):
    for node in (n for statement in body for n in ast.walk(statement)):
        if isinstance(node, ast.Attribute) and is_self(node.value):
            yield node.attr


def classes_and_modules():
    """What defines private names: its name -> (private names, names of its base classes)."""
    owners = defaultdict(lambda: (set(), set()))
    for folder in ("fastreid", "tools", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = parsed(path)
            owners[str(path.relative_to(ROOT))][0].update(names_defined_in(tree.body))
            for node in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
                names, bases = owners[node.name]
                names.update(names_defined_in(node.body), names_set_on_self(node.body))
                bases.update(ast.unparse(base).rpartition(".")[2] for base in node.bases)
                bases.discard(node.name)
    return dict(owners)


OWNERS = classes_and_modules()


def private_names(owner):
    """Those of a class, with what it inherits, or of a module."""
    names, bases = OWNERS.get(owner, (set(), ()))
    return {name for name in names if is_private(name)}.union(*map(private_names, bases))


DEFINED = set().union(*map(private_names, OWNERS))


def touched(path):
    """Private names that a file takes from elsewhere."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and not is_self(node.value):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("attr", "patch")):
            # monkeypatch.setattr(module, "_name", ...), getattr(thing, "_name").
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value.rpartition(".")[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "test")))
def test_a_file_touches_private_names_of_one_class_or_module_at_most(path):
    names = {name for name in touched(path) if is_private(name)} & DEFINED
    if names:
        assert any(names <= private_names(owner) for owner in OWNERS), sorted(names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "test")))
def test_no_object_gets_another_class(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and node.attr == "__class__":
            assert isinstance(node.ctx, ast.Load), f"line {node.lineno}"


def test_private_names_of_a_class_include_inherited_ones():
    assert {"_hooks", "_batches"} <= private_names("MetaTrainer")
    assert "_hooks" not in private_names("Registry")


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: str(path.relative_to(ROOT / "test")))
def test_tests_are_plain_functions_named_by_what_they_prove(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef):
            assert not node.name.startswith("Test"), node.name
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert node.name.count("_") >= 3, node.name
