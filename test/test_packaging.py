"""What is installed is what was tested."""

import ast
import importlib
import re
import sys
from importlib import metadata as distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement

import fastreid
from fastreid.commands import train_net
from test import conftest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ("requirements.txt", "requirements-demo.txt", "requirements-test.txt")
DOCS = ("requirements-docs.txt",)


def pins(name):
    """Requirements of a file, without the files that it names."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


# Packages of fastreid that need an extra.
EXTRA_OF = {"export": "onnx", "serve": "serve"}
# What another package brings along.
BROUGHT_BY = {"protobuf": "mindspore", "pydantic": "fastapi", "starlette": "fastapi"}


def normalized(name):
    """Name of a distribution as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements):
    return {normalized(Requirement(line).name) for line in requirements}


def imported_at_module_level(path):
    """Top-level names that importing a file imports, without those of Python and fastreid."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"fastreid"}


@pytest.fixture
def metadata(monkeypatch):
    """What setup.py gives to setuptools."""
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    monkeypatch.syspath_prepend(str(ROOT))
    sys.modules.pop("setup", None)
    __import__("setup")
    return given


def test_the_version_is_written_once(metadata):
    assert metadata["version"] == fastreid.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])


def test_every_package_is_installed(metadata):
    folders = {path.parent for path in (ROOT / "fastreid").rglob("__init__.py")}
    wanted = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert wanted == set(metadata["packages"])


def test_files_of_the_package_that_are_not_python_are_installed(metadata):
    installed = {
        path
        for package, patterns in metadata["package_data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    files = {path for path in (ROOT / "fastreid").rglob("*") if path.is_file()}
    others = {path for path in files if path.suffix not in (".py", ".pyc")}
    missing = sorted(str(path.relative_to(ROOT)) for path in others - installed)
    assert not missing, f"package_data in setup.py lacks {missing}"


def test_installed_commands_are_functions_of_the_package(metadata):
    for line in metadata["entry_points"]["console_scripts"]:
        command, module, function = re.fullmatch(r"([\w-]+) = ([\w.]+):(\w+)", line).groups()
        assert command.startswith("fastreid-")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="3.9 does not list distributions")
def test_every_imported_package_is_required(metadata):
    installed = distributions.packages_distributions()
    for path in sorted((ROOT / "fastreid").rglob("*.py")):
        package = path.relative_to(ROOT / "fastreid").parts[0]
        extra = metadata["extras_require"].get(EXTRA_OF.get(package), [])
        wanted = names_of([*metadata["install_requires"], *extra])
        for name in imported_at_module_level(path):
            found = {normalized(distribution) for distribution in installed[name]}
            required = found | {BROUGHT_BY[each] for each in found & set(BROUGHT_BY)}
            assert required & wanted, f"{path} imports {name}, which setup.py does not require"


@pytest.mark.parametrize(("name", "other"), BROUGHT_BY.items())
def test_a_package_brings_another_along(name, other):
    assert name in names_of(distributions.requires(other))


def test_the_help_of_the_installed_command_names_what_is_installed(capsys):
    with pytest.raises(SystemExit):
        train_net.run(["--help"], prog="fastreid-train")
    printed = capsys.readouterr().out
    assert printed.startswith("usage: fastreid-train ")
    for absent in ("tools/", "README", "train_net.py", "demo"):
        assert absent not in printed
    (path,) = set(re.findall(r"configs/\S+\.yml", printed))
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("files", "extra"),
    [
        *((REQUIREMENTS[:1], None), (REQUIREMENTS[1:2], "demo"), (DOCS, "docs")),
        ((*REQUIREMENTS, *DOCS), "test"),
    ],
)
def test_the_pinned_set_lies_in_the_ranges_of_setup(metadata, files, extra):
    wanted = metadata["extras_require"][extra] if extra else metadata["install_requires"]
    ranges = [Requirement(line) for line in wanted]
    pinned = {(pin.name, str(pin.marker)): pin for name in files for pin in pins(name)}
    for wanted in ranges:
        pin = pinned[wanted.name, str(wanted.marker)]
        (version,) = pin.specifier
        assert version.operator == "=="
        assert wanted.specifier.contains(version.version), wanted
    if extra != "test":
        assert {wanted.name for wanted in ranges} == {name for name, _ in pinned}


def test_ci_runs_the_checks_and_then_the_test_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert script.read_text(encoding="utf-8").endswith("\nmake check\nexec make test\n")
    assert script.stat().st_mode & 0o111
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"\nmake {target} " in readme
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize(("asked", "run"), [(False, ["plain"]), (True, ["plain", "marked"])])
def test_tests_marked_zoo_run_on_request_only(asked, run):
    left_out = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
    config = SimpleNamespace(getoption={"zoo": asked}.get, hook=hook)
    items = [
        SimpleNamespace(name="plain", get_closest_marker=lambda name: None),
        SimpleNamespace(name="marked", get_closest_marker=lambda name: name == "zoo"),
    ]
    conftest.pytest_collection_modifyitems(config, items)
    assert [item.name for item in items] == run
    assert len(items) + len(left_out) == 2


def test_pre_commit_runs_the_tools_of_make_check():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in hooks.values()} == {"system"}
    assert {hook["entry"].split()[2] for hook in hooks.values()} == {"ruff", "mypy"}
    # mypy checks the whole program, not the files of a commit.
    assert hooks["mypy"]["pass_filenames"] is False
