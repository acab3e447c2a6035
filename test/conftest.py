import builtins
import signal

import mindspore as ms
import pytest

from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.data.samplers import SAMPLER_REGISTRY
from fastreid.data.transforms import TRANSFORM_REGISTRY
from fastreid.engine.cpu import threads
from fastreid.modeling import (
    BACKBONE_REGISTRY,
    LOSS_REGISTRY,
    META_ARCH_REGISTRY,
    REID_HEADS_REGISTRY,
)
from fastreid.utils.machine import core_sharing
from test.faults import table

# MindSpore requires that a device is set before anything runs.
ms.set_device("CPU")
# The toolbox's own default; MindSpore's is the other one, until a test sets a mode.
ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="session", autouse=True)
def kernels_on_all_cores():
    """Tests in this process do not move its kernels, which all later tests would inherit."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (threads, core_sharing):
            patch.setattr(module, "share_cores", lambda count, by_core: False)
        yield


@pytest.fixture(params=["graph", "pynative"])
def mode(request):
    """Run the test in both execution modes."""
    ms.set_context(mode=ms.GRAPH_MODE if request.param == "graph" else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture
def own_registries(monkeypatch):
    """What the test registers is removed when it ends."""
    for registry in (
        *(DATASET_REGISTRY, SAMPLER_REGISTRY, TRANSFORM_REGISTRY),
        *(BACKBONE_REGISTRY, LOSS_REGISTRY, META_ARCH_REGISTRY, REID_HEADS_REGISTRY),
    ):
        monkeypatch.setattr(registry, "_entries", dict(registry))


@pytest.fixture
def without_matplotlib(monkeypatch):
    """Importing matplotlib fails in the test."""
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


def pytest_configure():
    # A shell ignores SIGINT in commands that it starts in the background; tests of Ctrl-C need it.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--zoo", action="store_true", help="also run the tests marked zoo")


def pytest_collection_modifyitems(config, items):
    """Leave out the tests marked zoo, unless --zoo is given."""
    if not config.getoption("zoo"):
        left_out = [item for item in items if item.get_closest_marker("zoo")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session):
    """Send the counts of faults to the process that started this one, if there is one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = table.rows()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Add the counts of a process of pytest-xdist."""
    table.add(getattr(node, "workeroutput", {}).get("faults", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Print the table of faults, where any was tried."""
    if table.text():
        terminalreporter.section("faults")
        terminalreporter.write_line(table.text())
