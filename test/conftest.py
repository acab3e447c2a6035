import mindspore as ms
import pytest


@pytest.fixture(params=["graph", "pynative"])
def mode(request):
    """Run the test in both execution modes."""
    ms.set_context(mode=ms.GRAPH_MODE if request.param == "graph" else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)
