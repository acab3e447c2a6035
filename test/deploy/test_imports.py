"""`fastreid.deploy` needs NumPy, Pillow and onnxruntime only."""

import subprocess
import sys

import pytest

from .small_models import write_model

RUN = """
import sys

import numpy as np

from fastreid.deploy import Embedder

print(Embedder(sys.argv[1])(np.zeros((9, 7, 3), np.uint8)).shape)
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"mindspore", "yacs", "cv2", "scipy", "yaml", "torch", "onnx"}))
"""
WITHOUT = """
import sys

sys.modules["onnxruntime"] = None
from fastreid.deploy import Embedder

Embedder(sys.argv[1])
"""


def run(program, path):
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.onnx")


def test_a_model_runs_without_mindspore(model):
    done = run(RUN, model)
    assert done.stdout == "(1, 6)\n[]\n", done.stderr


def test_a_missing_onnxruntime_names_the_package_to_install(model):
    done = run(WITHOUT, model)
    assert "ImportError: fastreid.deploy needs onnxruntime: pip install onnxruntime" in done.stderr
