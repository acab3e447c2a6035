"""The processes of an ONNX file import neither MindSpore nor Ray."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["fastreid.extraction", "fastreid.extraction.command"])
def test_the_package_imports_neither_mindspore_nor_ray(module):
    code = f"import {module}, sys; print({{'mindspore', 'ray', 'pyarrow'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
