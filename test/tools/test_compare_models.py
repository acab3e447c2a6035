"""tools/compare_models.py finds a planted difference, and names layers as PyTorch does."""

import importlib
import sys

import numpy as np
import pytest
import torch
from mindspore import nn

from fastreid.layers import Conv2d
from fastreid.utils.command_line.command import run_command
from test.small_backbones import TWO_CONVOLUTIONS
from tools import compare_models

PLANTED = """
import torch
from mindspore import nn

def theirs():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.Conv2d(4, 4, 1),
    )

def port(activation):
    pad = {"pad_mode": "pad", "has_bias": True}
    return nn.SequentialCell(
        nn.Conv2d(3, 4, 3, padding=1, **pad), nn.BatchNorm2d(4), activation,
        nn.Conv2d(4, 4, 1, **pad),
    )

def right():
    return port(nn.ReLU())

def wrong():
    return port(nn.LeakyReLU(0.1))

def strided():
    return port(nn.MaxPool2d(2, 2))

number = 3

def no_cell():
    return 3
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder with two networks; return its exit code and output."""
    (tmp_path / "planted.py").write_text(PLANTED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run_tool(*words):
        code = run_command(compare_models.main, [*words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    yield run_tool
    sys.modules.pop("planted", None)
    importlib.invalidate_caches()


@pytest.mark.parametrize("shape", [("2", "3", "8", "4"), ("1", "3", "5", "7")])
def test_equal_networks_agree_in_every_layer(run, shape):
    words = ("--torch", "planted:theirs", "--ours", "planted:right", "--shape", *shape)
    code, printed = run(*words)
    assert code == 0, printed
    assert "All 5 layers agree within 0.0001." in printed


def test_the_first_layer_that_differs_is_named_and_the_last_line(run):
    code, printed = run("--torch", "planted:theirs", "--ours", "planted:wrong", "--seed", "3")
    assert code == 1
    lines = printed.splitlines()
    assert lines[-1] == "The first layer that differs is 2."
    assert [line.split()[1] for line in lines[:-1]] == ["0", "1", "2"]


def test_a_wider_tolerance_accepts_the_difference(run):
    words = ("--torch", "planted:theirs", "--ours", "planted:wrong", "--tolerance", "10")
    assert run(*words)[0] == 0


def test_another_shape_is_a_difference_with_both_shapes(run):
    code, printed = run("--torch", "planted:theirs", "--ours", "planted:strided")
    assert code == 1
    assert "is 2: the shape is (2, 4, 32, 16) instead of (2, 4, 64, 32)." in printed


def test_the_input_can_be_a_file(run, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((1, 3, 4, 4)))
    words = ("--torch", "planted:theirs", "--ours", "planted:right", "--input")
    assert run(*words, "x.npy")[0] == 0
    (tmp_path / "text.npy").write_text("x")
    code, printed = run(*words, "text.npy")
    assert code == 1
    assert "--input text.npy is not a .npy file" in printed


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        ("planted", "planted:right", "--torch planted: write MODULE:FUNCTION"),
        ("absent:build", "planted:right", "--torch absent:build: No module named 'absent'"),
        ("planted:number", "planted:right", "planted has no function 'number'"),
        ("planted:theirs", "planted:no_cell", "gives int, not a cell"),
    ],
)
def test_a_wrong_function_is_an_error_of_one_line(run, theirs, ours, message):
    code, printed = run("--torch", theirs, "--ours", ours)
    assert code == 1
    assert message in printed
    assert printed.count("\n") == 1


class TorchStages(torch.nn.Module):
    """Named as fast-reid names the stages of a ResNet."""

    def __init__(self):
        super().__init__()
        self.layer1 = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1, bias=False))

    def forward(self, x):
        return self.layer1(x)


class Stage(nn.Cell):
    def __init__(self):
        super().__init__()
        self.blocks = nn.CellList([Conv2d(3, 3, 1)])

    def construct(self, x):
        return self.blocks[0](x)


class Stages(nn.Cell):
    def __init__(self):
        super().__init__()
        self.stages = nn.CellList([Stage()])

    def construct(self, x):
        return self.stages[0](x)


def test_names_are_matched_by_the_rules_for_weights():
    assert compare_models.layer_name("stages.0.blocks.1.bn1") == "layer1.1.bn1"
    images = np.random.RandomState(0).randn(2, 3, 4, 5).astype(np.float32)
    errors = compare_models.compare(TorchStages(), Stages(), images)
    assert {"layer1.0", compare_models.WHOLE} <= {layer.name for layer in errors}
    assert compare_models.first_difference(errors, 1e-5) is None


CONFIG = """
MODEL:
  META_ARCHITECTURE: Baseline
  BACKBONE: {NAME: build_two_convolutions, FEAT_DIM: 16}
"""
BACKBONE = """
import torch

class Two(torch.nn.Module):
    def __init__(self, epsilon):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        self.conv2 = torch.nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(16, eps=epsilon)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        return self.bn2(self.conv2(x)).relu()

def build():
    return Two(1e-5)

def with_epsilon():
    return Two(1e-1)
"""


@pytest.mark.parametrize(("function", "code"), [("build", 0), ("with_epsilon", 1)])
def test_the_backbone_of_a_config_is_compared(run, tmp_path, function, code):
    assert TWO_CONVOLUTIONS[1] == "build_two_convolutions"
    (tmp_path / "two.yml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "two_torch.py").write_text(BACKBONE, encoding="utf-8")
    got, printed = run("--torch", f"two_torch:{function}", "--config-file", "two.yml", "--backbone")
    sys.modules.pop("two_torch", None)
    assert got == code, printed
    names = [line.split()[1] for line in printed.splitlines()[:-1]]
    assert names[:4] == ["conv1", "bn1", "conv2", "bn2"]
    if code:
        assert printed.splitlines()[-1] == "The first layer that differs is bn2."
