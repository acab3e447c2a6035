"""Rules for the style of the tests, checked on their source.

- A test file uses the private names of one class or of one module at most, and only where no public
  name shows what it tests. Inherited names belong to the subclass too. Names that this repository
  does not define are not counted, nor are the methods of a NamedTuple.
- No test assigns ``__class__``.
- Tests are plain functions, and their names say what they prove. Only test/alignment consists of
  ``unittest`` cases.
"""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for folder in ("benchmarks", "fastreid", "test", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
TESTS = {name: tree for name, tree in TREES.items() if name.startswith("test/")}
# Public in spite of the underscore: see the documentation of collections.namedtuple.
NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE


def is_self(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def names_defined_in(body):
    """Names of the functions, classes and variables of a module or class."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for target in targets for n in ast.walk(target)):
                if isinstance(name, ast.Name):
                    yield name.id


def attributes_of_self(class_node):
    for node in ast.walk(class_node):
        if isinstance(node, ast.Attribute) and is_self(node.value):
            yield node.attr


def find_owners():
    """Private names of each class and module, and the base classes of each class."""
    names, bases = defaultdict(set), defaultdict(set)
    for module, tree in TREES.items():
        if module in TESTS:
            continue
        names[module].update(filter(is_private, names_defined_in(tree.body)))
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            own = {*names_defined_in(node.body), *attributes_of_self(node)}
            names[node.name].update(filter(is_private, own))
            bases[node.name].update(ast.unparse(base).rpartition(".")[2] for base in node.bases)
    return names, bases


NAMES, BASES = find_owners()


def private_names(owner):
    """Private names of a module, or of a class and its base classes."""
    found, waiting, seen = set(), [owner], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found |= NAMES.get(name, set())
            waiting += BASES.get(name, ())
    return found


OWNED = {owner: private_names(owner) for owner in NAMES}
DEFINED = set().union(*OWNED.values())


def used_names(tree):
    """Names that a file takes from other objects and modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not is_self(node.value):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("attr"):
            # getattr(thing, "_name"), monkeypatch.setattr(module, "_name", value).
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value.rpartition(".")[2]


def test_a_file_uses_private_names_of_one_class_or_module_at_most():
    used = {name: DEFINED.intersection(used_names(tree)) for name, tree in TESTS.items()}
    faults = {
        name: sorted(private)
        for name, private in used.items()
        if private and not any(private <= owned for owned in OWNED.values())
    }
    assert faults == {}


def test_private_names_of_a_class_include_inherited_ones():
    assert {"_hooks", "_batches"} <= private_names("MetaTrainer")
    assert "_hooks" not in private_names("Registry")


def test_no_test_assigns_the_class_of_an_object():
    for name, tree in TESTS.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "__class__":
                assert isinstance(node.ctx, ast.Load), f"{name}, line {node.lineno}"


def test_tests_are_plain_functions_named_by_what_they_prove():
    for name, tree in TESTS.items():
        if not Path(name).name.startswith("test_") or name.startswith("test/alignment/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert not node.name.startswith("Test"), f"{name}: {node.name}"
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                # test_what_does_what: four words or more.
                assert node.name.count("_") >= 3, f"{name}: {node.name}"
