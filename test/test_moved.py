"""Module paths and names of release 0.1 give the modules and names of today."""

import importlib
import subprocess
import sys

import pytest

from fastreid.moved import MOVED, RENAMED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_gives_the_module_of_the_new_one(old):
    with pytest.warns(DeprecationWarning, match=MOVED[old]):
        module = importlib.import_module(f"fastreid.{old}")
    assert module is importlib.import_module(f"fastreid.{MOVED[old]}")
    del sys.modules[f"fastreid.{old}"]


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_gives_the_object_of_the_new_name(old):
    module, _, name = f"fastreid.{old}".rpartition(".")
    path, _, new = f"fastreid.{RENAMED[old]}".rpartition(".")
    with pytest.warns(DeprecationWarning, match="since release 0.2"):
        found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(path), new)


def test_a_name_that_never_was_is_not_found():
    module = importlib.import_module("fastreid.config")
    with pytest.raises(AttributeError, match=r"fastreid\.config has no attribute 'is_mgn'"):
        module.is_mgn  # noqa: B018 - the access raises


def test_a_module_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"fastreid\.utils\.weight_files"):
        importlib.import_module("fastreid.utils.weight_files")


def test_names_are_imported_from_an_old_path_in_a_fresh_process():
    code = (
        "from fastreid.utils.weights_file import read_torch_weights;"
        "from fastreid.data.loader import ReidDataLoader;"
        "from fastreid.data.shares import Place;"
        "from fastreid.config import is_acl"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
