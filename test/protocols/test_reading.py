import re

import pytest

from fastreid.config import get_cfg
from fastreid.data import DATASET_REGISTRY
from fastreid.protocols import find_protocol, read_protocol
from fastreid.protocols.settings import flat_settings

from .files import FOLDER, SHIPPED, changed, write_protocol

# Averages of published tables, as mAP / Rank-1, which papers print in their last column.
AVERAGES = {
    "protocol1": {
        "QAConv50": (67.0, 58.2),
        "M3L": (64.6, 55.2),
        "MetaBIN": (68.9, 60.5),
        "META": (70.9, 63.8),
        "ACL": (75.2, 66.6),
        "DFF": (76.7, 69.4),
        "CLIP-FGDI (ViT-B/16)": (82.2, 75.5),
        "CLIP-DFGS": (82.4, 75.6),
    },
    "protocol2": {
        "QAConv50": (35.0, 51.3),
        "M3L": (37.5, 51.4),
        "MetaBIN": (34.8, 49.5),
        "META": (42.1, 57.0),
        "ACL": (45.3, 59.0),
        "ISR": (37.9, 52.3),
        "GMN": (46.6, 60.0),
        "ReNorm (R50)": (47.3, 63.1),
        "BAU (R50)": (48.1, 61.7),
        "CLIP-FGDI (ViT-B/16)": (51.6, 65.1),
    },
    "protocol3": {
        "QAConv50": (39.0, 55.0),
        "M3L": (38.5, 52.6),
        "MetaBIN": (43.0, 56.3),
        "META": (49.3, 62.9),
        "ACL": (49.3, 62.7),
        "GMN": (50.1, 63.4),
        "META+IL": (51.6, 64.9),
        "BAU, run again by others": (51.9, 65.0),
        "CLIP-FGDI (ViT-B/16)": (54.3, 67.6),
    },
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_protocol_pins_all_that_papers_do_differently(path):
    protocol = read_protocol(path)
    assert protocol.name == path.stem
    known = flat_settings(get_cfg())
    pinned = (
        *("DATASETS.COMBINEALL", "DATASETS.CUHK03.LABELED", "DATASETS.CUHK03.CLASSIC_SPLIT"),
        *("TEST.METRIC", "TEST.FLIP.ENABLED", "TEST.RERANK.ENABLED", "TEST.AQE.ENABLED"),
    )
    assert set(pinned) <= set(protocol.settings)
    for key, value in protocol.settings.items():
        assert type(value) is type(known[key]), key
    for route in protocol.routes:
        assert route.target not in route.sources
        for name in route.sources:
            assert "train" in protocol.data[name].sizes, name
        assert {"query", "gallery"} <= set(protocol.data[route.target].sizes), route.target


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_data_sets_of_a_shipped_protocol_are_registered(path):
    for route in read_protocol(path).routes:
        for name in (*route.sources, route.target):
            assert name in DATASET_REGISTRY


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, rows in AVERAGES.items() for method in rows]
)
def test_published_scores_have_the_averages_that_papers_print(name, method):
    protocol = read_protocol(FOLDER / f"{name}.yml")
    assert {row.method for row in protocol.published} == set(AVERAGES[name])
    (row,) = [row for row in protocol.published if row.method == method]
    scores = [row.scores[target] for target in protocol.average]
    for field, printed in zip(zip(*scores), AVERAGES[name][method]):
        # A printed average is one of rounded or of unrounded scores.
        assert abs(sum(field) / len(field) - printed) < 0.11


def test_the_four_targets_of_protocol_2_leave_one_data_set_out():
    routes = read_protocol(FOLDER / "protocol2.yml").routes
    sets = {"cuhkSYSU", "Market1501", "MSMT17", "CUHK03"}
    assert {route.target for route in routes} == sets
    assert all(set(route.sources) == sets - {route.target} for route in routes)


def test_protocol_1_has_ten_draws_of_each_target():
    splits = {r.target: r.splits for r in read_protocol(FOLDER / "protocol1.yml").routes}
    assert splits.pop("VIPeR") == tuple(range(20))
    assert set(splits.values()) == {tuple(range(10))}


def test_a_protocol_is_found_by_either_name_and_by_its_file(tmp_path):
    path = write_protocol(tmp_path / "small.yml")
    assert find_protocol("2", FOLDER) == find_protocol("protocol2", FOLDER)
    assert find_protocol(str(path), FOLDER).title == "A small protocol"


def test_an_unknown_protocol_is_refused_with_the_names_of_others():
    with pytest.raises(ValueError, match=r"no protocol 'protocol4'.*mean 'protocol\d.*2 \(protoc"):
        find_protocol("protocol4", FOLDER)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"CELLS": None}, "the file lacks the key CELLS"),
        ({"CELLS": []}, "CELLS is empty"),
        ({"CELLS": [{"TARGET": "A"}]}, "CELLS lacks the key SOURCES"),
        ({"CELLS": [{"TARGET": "A", "SOURCES": "B"}]}, "the sources of A must be a list"),
        (
            {"CELLS": [{"TARGET": "A", "SOURCES": ["A", "B"]}]},
            "the target A is among its own sources",
        ),
        ({"CELLS": [{"TARGET": "A", "SOURCES": ["B", "B"]}]}, "B is twice among the sources of A"),
        ({"CELLS": 2 * [{"TARGET": "A", "SOURCES": ["B"]}]}, "the same target and sources twice"),
        ({"COLOUR": 1}, "the file has 'COLOUR'"),
        ({"SPLITS": {"CUHK03": 0}}, "SPLITS.CUHK03 is 0; it must be at least 1"),
        ({"SPLITS": {"CUHK03": "ten"}}, "must be a number or a list"),
        ({"SPLITS": {"CUHK03": [1, 1]}}, "its numbers must be 0 or more and differ"),
        ({"SPLITS": {"CUHK3": 1}}, "SPLITS has 'CUHK3', which is not one of"),
        ({"AVERAGE": ["CUHK02"]}, "AVERAGE has 'CUHK02'"),
        ({"SETTINGS": {"TEST.METRICS": "cosine"}}, "'TEST.METRICS', which is no key"),
        ({"SETTINGS": ["TEST.METRIC"]}, "SETTINGS must have keys and values"),
        ({"SELECTION": "best"}, "SELECTION is 'best'; it must be one of"),
        ({"DATA": {"CUHK03": {"TRAIN": [1]}}}, r"DATA.CUHK03.TRAIN is \[1\]; it must be a list of"),
        ({"DATA": {"CUHK02": {}}}, "DATA has 'CUHK02'"),
        ({"PAPERS": [{"PAPER": "X", "AS_HERE": 1, "HOW": ""}]}, "AS_HERE must be True or False"),
        ({"SOURCES": {}}, "PUBLISHED, old & first: SOURCE has 'A'"),
    ],
    ids=str,
)
def test_a_wrong_file_is_refused_with_file_and_key(tmp_path, keys, message):
    path = write_protocol(tmp_path / "small.yml", changed(**keys))
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: .*{message}"):
        read_protocol(path)


@pytest.mark.parametrize(("scores", "word"), [([101, 5], "percent"), ([1], "two numbers")])
def test_published_scores_outside_of_percent_are_refused(tmp_path, scores, word):
    row = {"METHOD": "X", "VENUE": "Y", "SOURCE": "A", "SCORES": {"CUHK03": scores}}
    path = write_protocol(tmp_path / "small.yml", changed(PUBLISHED=[row]))
    with pytest.raises(ValueError, match=f"PUBLISHED, X: .*{word}"):
        read_protocol(path)
