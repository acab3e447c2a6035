"""Module paths of release 0.1 give the modules where they are now."""

import importlib
import subprocess
import sys

import pytest

from fastreid.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_gives_the_module_of_the_new_one(old):
    with pytest.warns(DeprecationWarning, match=MOVED[old]):
        module = importlib.import_module(f"fastreid.{old}")
    assert module is importlib.import_module(f"fastreid.{MOVED[old]}")
    del sys.modules[f"fastreid.{old}"]


def test_a_module_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"fastreid\.utils\.weight_files"):
        importlib.import_module("fastreid.utils.weight_files")


def test_names_are_imported_from_an_old_path_in_a_fresh_process():
    code = (
        "from fastreid.utils.weights_file import read_torch_weights;"
        "from fastreid.data.loader import ReidDataLoader"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
