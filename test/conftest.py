import mindspore as ms
import pytest

# Where a device is set at all, MindSpore wants it before anything runs.
ms.set_device("CPU")


@pytest.fixture(params=["graph", "pynative"])
def mode(request):
    """Run the test in both execution modes."""
    ms.set_context(mode=ms.GRAPH_MODE if request.param == "graph" else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)
