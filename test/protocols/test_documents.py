"""docs/reproduce.md says what the protocols and the recipe say."""

import re

import pytest

from fastreid.config import get_cfg
from fastreid.protocols import find_protocol

from .files import FOLDER, ROOT

TEXT = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"\| [^|]+ \| `python tools/run_protocol.py --protocol (\w+) --targets (\w+)` "
    r"\| ([\d,]+) \| [^|]+ \| ([\d.]+) / ([\d.]+) \|"
)
ROWS = ROW.findall(TEXT)


def recipe():
    cfg = get_cfg()
    cfg.merge_from_file(ROOT / "configs" / "bagtricks_DR50_mix.yml")
    return cfg.SOLVER


def test_there_is_a_command_for_each_published_number_of_acl():
    published = set()
    for name in ("1", "2", "3"):
        protocol = find_protocol(name, FOLDER)
        (acl,) = [row for row in protocol.published if row.method == "ACL"]
        published |= {(name, target) for target in acl.scores}
    assert {row[:2] for row in ROWS} == published


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} to {row[1]}")
def test_expected_scores_and_iterations_follow_from_protocol_and_recipe(row):
    name, target, iterations, mean_ap, rank_1 = row
    protocol = find_protocol(name, FOLDER)
    (acl,) = [published for published in protocol.published if published.method == "ACL"]
    assert acl.scores[target] == (float(mean_ap), float(rank_1))
    (route,) = protocol.select([target])
    images = sum(protocol.data[source].sizes["train"].images for source in route.sources)
    solver = recipe()
    wanted = images // solver.IMS_PER_BATCH * solver.MAX_EPOCH
    assert int(iterations.replace(",", "")) == wanted


def test_hours_are_the_iterations_times_the_mean_step():
    for iterations, hours in re.findall(r"\| ([\d,]+) \| ([\d.]+) \|", TEXT):
        # Of three iterations, two are basic steps and one is a meta step.
        step = (2 * 0.11 + 0.40) / 3
        assert int(iterations.replace(",", "")) * step / 3600 == pytest.approx(
            float(hours), abs=0.06
        )
