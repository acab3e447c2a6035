import mindspore as ms
import pytest

from test.faults import table

# Where a device is set at all, MindSpore wants it before anything runs.
ms.set_device("CPU")
# The toolbox's own default; MindSpore's is the other one, until a test sets a mode.
ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(params=["graph", "pynative"])
def mode(request):
    """Run the test in both execution modes."""
    ms.set_context(mode=ms.GRAPH_MODE if request.param == "graph" else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)


def pytest_sessionfinish(session):
    """Hand the counts of faults to the process that starts the others, where one does."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = table.rows()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over the counts of a process of pytest-xdist."""
    table.add(getattr(node, "workeroutput", {}).get("faults", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Print the table of faults, where any was tried."""
    if table.text():
        terminalreporter.section("faults")
        terminalreporter.write_line(table.text())
