import numpy as np
import pytest


@pytest.fixture(params=[(6, 4), (7, 5)], ids=["even", "odd"])
def images(request):
    """A (2, 8, H, W) feature map with negative values."""
    return np.random.RandomState(1).randn(2, 8, *request.param).astype(np.float32)
