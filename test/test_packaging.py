"""What is installed is what was tested."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement

import fastreid
from test import conftest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ("requirements.txt", "requirements-demo.txt", "requirements-test.txt")


def pins(name):
    """Requirements of a file, without the files that it names."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


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


def test_every_other_file_of_the_package_is_installed(metadata):
    package = ROOT / "fastreid"
    found = {path for path in package.rglob("*") if path.is_file()}
    files = {p for p in found if p.suffix != ".py" and "__pycache__" not in p.parts}
    installed = set()
    for name, patterns in metadata["package_data"].items():
        for pattern in patterns:
            installed |= set(ROOT.joinpath(*name.split(".")).glob(pattern))
    assert files == installed


@pytest.mark.parametrize(
    ("files", "extra"),
    [(REQUIREMENTS[:1], None), (REQUIREMENTS[1:2], "demo"), (REQUIREMENTS, "test")],
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
