"""The table of data sets in datasets/README.md."""

import re
from pathlib import Path

import pytest

from demo_data import ALL_DATASETS
from fastreid.config import get_cfg
from fastreid.data.datasets import load_dataset

README = Path(__file__).parents[3] / "datasets" / "README.md"
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
    for line in README.read_text(encoding="utf-8").split("## All data sets")[1].splitlines()
    if line.startswith("| `") and len(cells := line.strip("|").split(" | ")) == 6
}


def test_the_table_has_every_data_set_once():
    assert list(ROWS) == list(dict.fromkeys(ROWS))
    assert set(ROWS) == set(ALL_DATASETS)


@pytest.mark.parametrize("name", ROWS)
def test_the_counts_are_those_of_the_check(name, all_sets, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(all_sets))
    described = load_dataset(get_cfg(), name).describe_published()
    known = {
        split: f"{int(ids):,} / {int(images):,}"
        for split, ids, images in re.findall(r"(\w+) (\d+) ids, (\d+) images", described)
    }
    columns = dict(zip(("train", "query", "gallery"), ROWS[name][1:4]))
    assert {split: text for split, text in columns.items() if text not in "-?"} == known
