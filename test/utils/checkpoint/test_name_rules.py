import subprocess
import sys

import pytest

import fastreid.modeling  # noqa: F401 - its rules are registered before the tests replace them
from fastreid.utils.checkpoint import name_rules
from fastreid.utils.checkpoint.name_rules import (
    register_names,
    to_mindspore_parts,
    to_torch_parts,
)


@pytest.fixture(autouse=True)
def _rules(monkeypatch):
    """Two backbones that both have `layer1` and a part of their own, and a head."""
    monkeypatch.setattr(name_rules, "_RULE_SETS", [])
    register_names({"stages.{i}.blocks": "layer{n}", "stages.{i}.extra": "extra{n}"})
    register_names({"stages.{i}.inner.blocks": "layer{n}", "stages.{i}.gate": "gate{n}_base"})
    register_names({"classifiers.{i}": "weight{n}"})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("stages.0.blocks.1.conv.weight", "layer1.1.conv.weight"),
        ("net.stages.11.inner.blocks.0.bn", "net.layer12.0.bn"),
        ("stages.2.gate.w", "gate3_base.w"),
        ("heads.classifiers.9.weight", "heads.weight10.weight"),
        ("stages.0.other.weight", "stages.0.other.weight"),
    ],
)
def test_parts_get_their_pytorch_names(ours, theirs):
    assert to_torch_parts(ours) == theirs


def test_the_parts_of_a_stage_decide_between_two_backbones():
    names = ["layer1.0.w", "extra1.w", "layer2.0.w", "gate2_base.w", "weight1.weight"]
    assert list(to_mindspore_parts(names).values()) == [
        "stages.0.blocks.0.w",
        "stages.0.extra.w",
        "stages.1.inner.blocks.0.w",
        "stages.1.gate.w",
        "classifiers.0.weight",
    ]


def test_the_backbone_registered_first_wins_where_a_stage_fits_several_or_none():
    assert to_mindspore_parts(["layer1.w"])["layer1.w"] == "stages.0.blocks.w"
    mixed = ["layer1.w", "extra1.w", "gate1_base.w"]
    assert to_mindspore_parts(mixed)["layer1.w"] == "stages.0.blocks.w"


def test_names_without_a_rule_stay():
    names = ["conv1.weight", "layer.weight", "player1.weight", "layer1"]
    assert to_mindspore_parts(names) == {name: name for name in names}


def test_a_script_that_does_not_import_the_models_gets_their_rules():
    code = (
        "from fastreid.utils.checkpoint.names import to_mindspore_names;"
        "print(to_mindspore_names({'backbone.NL_2.0.g.bias': (4,)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "{'backbone.NL_2.0.g.bias': 'backbone.stages.1.non_local.0.g.bias'}\n"
