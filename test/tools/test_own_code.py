"""Every tool imports the files that MODULES lists."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
OWN_CODE = """
from pathlib import Path

from fastreid.data.datasets import DATASET_REGISTRY, ImageDataset


@DATASET_REGISTRY.register()
class Pairs(ImageDataset):
    def __init__(self, root="datasets", **kwargs):
        paths = sorted(Path(root).glob("*.png"))
        super().__init__(*([(p, "ab".index(p.name[0]), {camera}) for p in paths] for _ in range(3)))
"""


@pytest.mark.parametrize("tool", sorted((ROOT / "tools").glob("*.py")), ids=lambda path: path.name)
def test_a_tool_makes_its_configuration_by_the_functions_that_import_modules(tool):
    nodes = list(ast.walk(ast.parse(tool.read_text(encoding="utf-8"))))
    called = {
        getattr(node.func, "attr", getattr(node.func, "id", ""))
        for node in nodes
        if isinstance(node, ast.Call)
    }
    assert not called & {"get_cfg", "merge_from_file", "merge_from_list", "merge_from_other_cfg"}


def check(folder, *words):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_dataset.py"), "Pairs", "--quick", *words],
        cwd=folder,
        env={**os.environ, "FASTREID_DATASETS": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_checks_a_data_set_of_ones_own(tmp_path):
    for name in ("a0.png", "a1.png", "b0.png", "b1.png"):
        Image.new("RGB", (4, 8)).save(tmp_path / name)
    (tmp_path / "own.py").write_text(OWN_CODE.format(camera="int(p.stem[1])"))
    (tmp_path / "own.yml").write_text("MODULES: [own.py]\nSOLVER: {IMS_PER_BATCH: 4}\n")
    found = check(tmp_path, "MODULES", "own.py")
    assert "train           2           4            2" in found.stdout, found.stderr
    assert found.stderr == f"MODULES: imported own ({tmp_path / 'own.py'})\n"
    assert check(tmp_path, "--config-file", "own.yml").stdout == found.stdout
    (tmp_path / "own.py").write_text(OWN_CODE.format(camera="None"))
    wrong = check(tmp_path, "MODULES", "own.py")
    assert wrong.returncode == 1
    assert "FAULT: Data set Pairs, train, item 0 is (" in wrong.stdout
    assert wrong.stdout.endswith("the camera must be an integer or a string, not NoneType.\n")
