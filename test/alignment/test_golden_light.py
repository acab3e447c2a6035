"""Golden files of OSNet, MobileNetV2 and MobileNetV3."""

import mindspore as ms
import pytest

from test.alignment.check_golden import run_checks
from test.alignment.golden import FOLDER, GoldenFile


def assert_aligned(name):
    failed = [
        " ".join(check.row())
        for check in run_checks(GoldenFile(FOLDER / f"fastreid_{name}.npz"))
        if not check.passed
    ]
    assert not failed


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize(
    "name",
    [
        "osnet_x0_25-ibn",
        "mobilenetv2_0.1x",
        "mobilenetv3_Small",
        pytest.param("osnet_x0_25", marks=pytest.mark.zoo),
        pytest.param("mobilenetv3_Large", marks=pytest.mark.zoo),
    ],
)
def test_light_backbones_are_the_originals(name, pynative):
    assert_aligned(name)


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["osnet_x0_25-ibn", "mobilenetv2_0.1x", "mobilenetv3_Small"])
def test_light_backbones_in_graph_mode_are_the_originals(name):
    assert_aligned(name)
