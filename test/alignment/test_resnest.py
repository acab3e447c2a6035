"""ResNeSt and ResNeXt: parts against torch, whole networks against golden files."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from fastreid.layers import IBN, BatchNorm, Conv2d, SplAtConv2d
from fastreid.modeling.backbones.blocks import BlockCells, GroupedBottleneck
from fastreid.modeling.backbones.resnest import ResNeSt, ResNeStSpec, StageSpec
from fastreid.modeling.backbones.resnest.blocks import SplitAttentionBottleneck, pooled_shortcut
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.against_torch import assert_close, copy_weights, feature_map, ours, theirs
from test.alignment.check_golden import run_checks
from test.alignment.golden import FOLDER, GoldenFile
from test.alignment.reference.resnest import (
    TorchGroupedBlock,
    TorchResNeSt,
    TorchSplitAttention,
    TorchSplitBlock,
)
from test.alignment.reference.resnet import small_weights

# Rounding grows by dividing by deviations.
TOLERANCE = 1e-4
CELLS = BlockCells(conv=Conv2d, norm=BatchNorm, ibn=IBN)


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def assert_aligned(cell, module, *, channels, size, training=True, tolerance=TOLERANCE):
    """Outputs, all gradients and the running statistics."""
    small_weights(module).train(training)
    copy_weights(cell.set_train(training), module)
    x = feature_map(size, channels=channels, rows=4)
    got, want = ours(cell, x), theirs(module, x)
    assert_close(got[0], want[0], tolerance)
    assert_near(got[1], want[1], "input", tolerance)
    assert got[2].keys() == want[2].keys()
    largest = max(np.linalg.norm(gradient) for gradient in want[2].values())
    for name, gradient in want[2].items():
        # What a norm undoes has no gradient but rounding.
        if np.linalg.norm(gradient) > 1e-6 * largest:
            assert_near(got[2][name], gradient, name, tolerance)
    weights = export_weights(cell)
    for name, value in module.named_buffers():
        if not name.endswith("num_batches_tracked"):
            assert_close(weights[name], value.numpy(), tolerance)


def assert_near(got, want, name, tolerance):
    assert np.linalg.norm(got - want) / np.linalg.norm(want) < 2 * tolerance, name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("radix", "stride", "dilation", "size"),
    [(2, 1, 1, (6, 4)), (2, 1, 2, (7, 5)), (3, 2, 1, (7, 5))],
)
def test_split_attention(radix, stride, dilation, size, training, pynative):
    options = {"radix": radix, "stride": stride, "dilation": dilation}
    cell = SplAtConv2d(6, 8, 3, padding=dilation, **options)
    module = TorchSplitAttention(6, 8, **options)
    assert_aligned(cell, module, channels=6, size=size, training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(6, 4), (7, 5)])
@pytest.mark.parametrize(
    ("pool", "dilation", "shortcut"), [(0, 1, 0), (0, 2, 0), (0, 1, 1), (1, 1, 1), (2, 1, 2)]
)
def test_blocks_with_split_attention(pool, dilation, shortcut, size, training, pynative):
    downsample = pooled_shortcut(32, 32, shortcut, norm=BatchNorm) if shortcut else None
    cell = SplitAttentionBottleneck(
        32, 8, norm=BatchNorm, pool_stride=pool, dilation=dilation, downsample=downsample
    )
    module = TorchSplitBlock(32, 8, pool=pool, dilation=dilation, shortcut=shortcut)
    assert_aligned(cell, module, channels=32, size=size, training=training)


def test_a_small_resnest_in_graph_mode():
    stages = (
        StageSpec(8, 1, 1, 1, False),
        StageSpec(8, 2, 2, 1, True),
        StageSpec(16, 2, 1, 2, True),
    )
    cell, module = ResNeSt(ResNeStSpec(8, stages)), TorchResNeSt(8, stages)
    assert_aligned(cell, module, channels=3, size=(67, 35), training=False, tolerance=5e-4)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stride", "with_ibn"), [(1, True), (2, False)])
def test_grouped_bottlenecks(stride, with_ibn, training, pynative):
    downsample = nn.SequentialCell(Conv2d(16, 128, 1, stride=stride), BatchNorm(128))
    cell = GroupedBottleneck(
        16, 32, cells=CELLS, stride=stride, with_ibn=with_ibn, downsample=downsample
    )
    module = TorchGroupedBlock(16, 32, stride=stride, with_ibn=with_ibn)
    assert_aligned(cell, module, channels=16, size=(7, 5), training=training)


def assert_is_the_original(name):
    failed = [
        " ".join(check.row())
        for check in run_checks(GoldenFile(FOLDER / f"fastreid_{name}.npz"))
        if not check.passed
    ]
    assert not failed


@pytest.mark.parametrize("name", ["resnest50", "resnext50-ibn"])
def test_the_networks_are_the_originals(name, pynative):
    assert_is_the_original(name)


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["resnest50", "resnext50-ibn"])
def test_the_networks_in_graph_mode_are_the_originals(name):
    assert_is_the_original(name)
