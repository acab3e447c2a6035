"""Imports point one way, and the package keeps to what a user's machine has."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastreid"
MAY_IMPORT = {
    "utils": set(),
    "commands": {"engine", "modeling", "data", "config", "utils"},
    "config": {"utils"},
    "layers": {"utils"},
    "modeling": {"layers", "config", "utils"},
    "data": {"config", "utils"},
    "evaluation": {"config", "utils"},
    "explain": {"deploy", "utils"},
    "gallery": {"utils"},
    "serve": {"explain", "evaluation", "gallery", "inference", "utils"},
    "solver": {"config", "utils"},
    "protocols": {"engine", "modeling", "data", "config", "utils"},
    "engine": {"layers", "modeling", "data", "evaluation", "solver", "config", "utils", "deploy"},
    "deploy": {"utils"},
    "extraction": {"engine", "data", "evaluation", "config", "utils", "deploy"},
    "inference": {"engine", "deploy", "config", "utils"},
    "export": {"deploy", "engine", "modeling", "config", "utils"},
    "video": {"gallery", "utils"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported_modules(path):
    """Absolute names of all that a file imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return names | {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}


def relative_levels(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_every_package_has_its_rule():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(
        MAY_IMPORT
    )


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package):
    for path in (PACKAGE / package).rglob("*.py"):
        ours = {name for name in imported_modules(path) if name.startswith("fastreid.")}
        assert {name.split(".")[1] for name in ours} <= MAY_IMPORT[package] | {package}, path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_siblings_relatively_and_nothing_of_the_tests(path):
    folder = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    imported = imported_modules(path)
    assert not {name for name in imported if name.split(".")[0] in ("torch", "test", "tools")}
    if folder != "fastreid":
        assert not {name for name in imported if name.startswith(f"{folder}.")}
    # A folder inside a package may reach up to its package, never beyond.
    depth = len(path.relative_to(PACKAGE).parts) - (folder != "fastreid")
    assert max(relative_levels(path), default=0) <= depth


def test_what_data_workers_import_does_not_import_mindspore():
    with_mindspore = {
        path.relative_to(PACKAGE / "data").as_posix()
        for path in (PACKAGE / "data").rglob("*.py")
        if any(name.split(".")[0] == "mindspore" for name in imported_modules(path))
    }
    assert with_mindspore <= {"pipeline/prefetcher.py"}


def test_there_are_no_star_imports_and_no_code_from_text():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert "*" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path


def test_no_folder_has_more_than_fourteen_files():
    for folder in {path.parent for path in MODULES}:
        assert len(list(folder.glob("*.py"))) <= 14, folder
