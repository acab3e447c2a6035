"""docs/model_zoo.md: its sizes are the networks', its scores those of the configurations."""

import re

import mindspore as ms
import pytest

from benchmarks.networks.families import FAMILIES
from benchmarks.networks.sizes import sizes_of
from test.docs.markdown import ROOT, read

PAGE = ROOT / "docs" / "model_zoo.md"
CONFIGS = ROOT / "configs"
# Built in the default run: one of each family that is built in a second or two.
CHEAP = {
    *(("MobileNetV2", "0.1x"), ("MobileNetV3", "Small"), ("OSNet", "x0_25")),
    *(("ShuffleNetV2", "0.5x"), ("RegNetX", "200x"), ("RegNetY", "200y")),
    *(("EfficientNet", "b0"), ("RepVGG", "A0"), ("ResNet-IBN", "18x")),
}
# "Published: Rank-1 81.8, mAP 58.4, mINP 13.9 (...", and "... of the small set 86.6, 97.9, ...".
PUBLISHED = re.compile(r"Published: (Rank-1[^(]*)\(fast-reid's MODEL_ZOO.md")


def rows(heading):
    """The rows of the first table below a heading, without its two first lines."""
    below = read(PAGE).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def size_rows():
    for network, depth, *sizes in rows("Backbones"):
        cheap = (network, depth) in CHEAP
        yield pytest.param(network, depth, *sizes, marks=() if cheap else pytest.mark.zoo)


def numbers(text):
    return re.findall(r"\d+\.\d+", text)


def published():
    """The scores in the headers of the configurations, by file."""
    found = {}
    for path in CONFIGS.rglob("*.yml"):
        match = PUBLISHED.search(path.read_text(encoding="utf-8").replace("\n# ", " "))
        if match:
            found[str(path.relative_to(CONFIGS))] = numbers(match[1])
    return found


def test_every_member_of_every_family_has_a_row():
    members = [[name, depth] for name, family in FAMILIES.items() for depth in family.widths]
    assert [row[:2] for row in rows("Backbones")] == members


@pytest.mark.parametrize(("network", "depth", "parameters", "gflop", "feat_dim"), size_rows())
def test_sizes_are_those_of_the_network(network, depth, parameters, gflop, feat_dim):
    mode = ms.get_context("mode")
    try:
        found = sizes_of(network, FAMILIES[network], depth, (256, 128))
    finally:
        ms.set_context(mode=mode)
    assert (parameters, gflop) == (f"{found.parameters / 1e6:.2f}", f"{found.gflop:.2f}")
    assert int(feat_dim) == found.feat_dim


def test_scores_are_those_of_the_configurations():
    want = published()
    assert len(want) > 40
    shown = {}
    for name, *cells in rows("Published scores of people"):
        for folder, cell in zip(("Market1501", "DukeMTMC", "MSMT17"), cells):
            shown[f"{folder}/{name}.yml"] = cell.split(" / ")
    for name, *cells in rows("Published scores of vehicles"):
        shown.setdefault(f"{name}.yml", []).extend(numbers(cells[-1]))
    assert shown == want


def test_speeds_are_of_every_family_and_its_timed_member():
    found = [row[:2] for row in rows("Speed")]
    want = [
        [f"{name} {family.member}", f"`{family.backbone}`"] for name, family in FAMILIES.items()
    ]
    assert found == want
