import numpy as np
import pytest

from test.extraction.cases import write_images, write_onnx


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def images(tmp_path, rng):
    """A folder of 23 images."""
    return write_images(tmp_path / "images", 23, rng)


@pytest.fixture
def onnx(tmp_path):
    return write_onnx(tmp_path / "model.onnx")
