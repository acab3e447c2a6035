"""Docstrings describe every argument, and the shapes of arrays."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastreid"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
# Packages whose public functions take or give arrays.
OF_ARRAYS = ("layers", "modeling/losses", "evaluation")
SHAPE = re.compile(r"\([A-Z0-9][^)]*\)|scalar")


def public(tree):
    """Public functions, methods and classes of a module, with their arguments."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, node, arguments_of(node)
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method, arguments_of(method)


def arguments_of(node):
    if isinstance(node, ast.ClassDef):
        inits = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
        return arguments_of(inits[0]) if inits else []
    given = node.args
    names = [a.arg for a in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    names += [a.arg for a in (given.vararg, given.kwarg) if a]
    return [name for name in names if name not in ("self", "cls")]


def takes_arrays(function):
    kinds = [ast.unparse(a.annotation) for a in function.args.args if a.annotation]
    return any(re.search(r"Tensor|ndarray", kind) for kind in kinds)


def documented_arguments(docstring):
    """Names under "Args:", several in one line included."""
    match = re.search(r"^ *Args:\n((?:(?: +.*)?\n?)*)", docstring, flags=re.MULTILINE)
    if not match:
        return None
    lines = match[1].split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    names = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            break
        entry = re.match(rf" {{{indent}}}(\*{{0,2}}\w+(?:, \*{{0,2}}\w+)*):", line)
        if entry:
            names += [name.strip().lstrip("*") for name in entry[1].split(",")]
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_documented_arguments_are_those_of_the_signature(path):
    for name, node, arguments in public(ast.parse(path.read_text(encoding="utf-8"))):
        documented = documented_arguments(ast.get_docstring(node) or "")
        if documented is not None:
            assert set(documented) == set(arguments), name


@pytest.mark.parametrize("folder", OF_ARRAYS)
def test_docstrings_of_functions_of_arrays_give_shapes(folder):
    for path in sorted((PACKAGE / folder).glob("*.py")):
        for name, node, _ in public(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and takes_arrays(node):
                assert SHAPE.search(ast.get_docstring(node) or ""), f"{path.name}: {name}"
