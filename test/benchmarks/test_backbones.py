"""benchmarks/backbones.py: that it runs, measures and counts, not how fast."""

import json
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from benchmarks import backbones
from benchmarks.floor import forward_gflops
from benchmarks.networks.families import FAMILIES, Family
from benchmarks.networks.sizes import sizes_of
from fastreid.modeling import build_backbone
from fastreid.modeling.backbones.channel_gate import ChannelGate
from fastreid.modeling.backbones.vision_transformer.blocks import Attention
from test.alignment.tensor_table import FOLDER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


@pytest.mark.slow
def test_both_tasks_are_measured(capfd, tmp_path):
    words = ["--families", "MobileNetV3", "--batch", "2", "--size", "32", "32", "--rounds", "2"]
    assert backbones.main([*words, "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())["details"]
    assert [one["task"] for one in found] == ["forward", "training"]
    for one in found:
        assert len(one["seconds"]["ours"]) == 2
        assert min(one["seconds"]["ours"]) > 0
        assert one["peak_gib"]["ours"] > 0.1
    assert "goal" not in capfd.readouterr().out


def test_a_failing_process_ends_the_benchmark(tmp_path):
    script = Path(backbones.__file__).parent / "networks" / "original.py"
    with pytest.raises(SystemExit, match="benchmark process original failed; its error is above"):
        backbones.measure("forward", [script], {"original": str(tmp_path)}, 1)


def test_ratios_are_medians_of_pairs_and_compared_with_the_goals():
    assert backbones.paired_ratio({"ours": [1, 2, 9], "original": [2, 2, 3]}) == 1
    assert backbones.paired_ratio({"ours": [1]}) is None
    text = backbones.verdict("forward", {"A": 0.5, "B": 1.0, "C": 1.6})
    assert (
        "1.00 (goal: at most 1.0, met), highest 1.60 (goal: at most 1.5, missed by C 1.60)" in text
    )
    assert "1.20 (goal: at most 1.0, missed)" in backbones.verdict("training", {"A": 1.2})


def test_backbones_that_are_missing_are_named(capsys, monkeypatch):
    monkeypatch.setitem(FAMILIES, "Another", Family("build_another_backbone", {"x": 8}, "x"))
    assert list(backbones.registered(["Another", "OSNet"])) == ["OSNet"]
    assert "Another is skipped: build_another_backbone is not" in capsys.readouterr().err


def test_widths_are_those_of_fastreid():
    rows = {}
    for path in FOLDER.glob("tensors_*.json"):
        for words, row in json.loads(path.read_text(encoding="utf-8")).items():
            backbone, depth = words.split()[1:4:2]
            # The students and teachers of distillation are the same ResNets.
            rows[backbone.removesuffix("_distill"), depth] = row["feat_dim"]
    ours = {
        (family.backbone, depth): width
        for family in FAMILIES.values()
        for depth, width in family.widths.items()
    }
    assert {key: ours[key] for key in rows} == rows


def test_the_timed_members_are_in_the_tables_and_build():
    assert all(family.member in family.widths for family in FAMILIES.values())
    build_backbone(FAMILIES["OSNet"].config("x0_25"))


def test_parameters_and_operations_are_counted():
    found = sizes_of("MobileNetV2", FAMILIES["MobileNetV2"], "0.1x", (64, 32))
    ms.set_context(mode=ms.GRAPH_MODE)
    # Of the 81,976 elements in the file, each norm's two statistics are not trained.
    assert found.parameters < 81_976
    twice = sizes_of("MobileNetV2", FAMILIES["MobileNetV2"], "0.1x", (64, 64))
    ms.set_context(mode=ms.GRAPH_MODE)
    assert twice.gflop == pytest.approx(2 * found.gflop)
    assert found.feat_dim == 1280


@pytest.fixture
def pynative():
    before = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=before)


@pytest.mark.usefixtures("pynative")
def test_products_of_attention_are_counted_besides_its_linear_layers():
    tokens, width = 5, 8
    found = forward_gflops(Attention(width, 2), Tensor(np.zeros((1, tokens, width), np.float32)))
    linear = 2 * tokens * (width * 3 * width + width * width)
    # Each token meets each token twice: query and key, weight and value.
    products = 2 * 2 * tokens * tokens * width
    assert sum(found.values()) * 1e9 == pytest.approx(linear + products)


@pytest.mark.usefixtures("pynative")
def test_gates_are_counted_once_an_image():
    found = forward_gflops(ChannelGate(8, 2), Tensor(np.zeros((1, 8, 4, 3), np.float32)))
    assert sum(found.values()) * 1e9 == pytest.approx(2 * (8 * 2 + 2 * 8))
