"""Protocol files and results of runs, for tests."""

import copy
from pathlib import Path

import yaml

from fastreid.protocols import RunFolder

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "protocols"
SHIPPED = sorted(FOLDER.glob("*.yml"))

SMALL = {
    "NAME": "small",
    "SHORT": "s",
    "TITLE": "A small protocol",
    "CELLS": [
        {"TARGET": "CUHK03", "SOURCES": ["cuhkSYSU", "Market1501"]},
        {"TARGET": "MSMT17", "SOURCES": ["cuhkSYSU", "Market1501"]},
        {"TARGET": "Market1501", "SOURCES": ["cuhkSYSU", "MSMT17"]},
    ],
    "AVERAGE": ["CUHK03", "Market1501"],
    "SETTINGS": {"DATASETS.COMBINEALL": False, "TEST.METRIC": "cosine"},
    "SELECTION": "last",
    "DATA": {"Market1501": {"TRAIN": [8, 32]}, "MSMT17": {"VERSION": "MSMT17_V2"}},
    "PAPERS": [{"PAPER": "ACL", "AS_HERE": True, "HOW": "as released"}],
    "PUBLISHED": [
        {
            "METHOD": "old & first",
            "VENUE": "ECCV 2020",
            "SOURCE": "A, B",
            "SCORES": {"CUHK03": [30.0, 20.5], "Market1501": [50, 70.5]},
        }
    ],
    "SOURCES": {"A": "a table", "B": "a report"},
}


def changed(**keys):
    """The small protocol with other values; a key with the value None is left out."""
    values = {**copy.deepcopy(SMALL), **keys}
    return {key: value for key, value in values.items() if value is not None}


def write_protocol(path, values=None):
    path.write_text(yaml.safe_dump(SMALL if values is None else values), encoding="utf-8")
    return path


def score(target, *, split=0, selection="last", mean_ap=10.0, rank_1=20.0):
    return {
        "target": target,
        "split": split,
        "selection": selection,
        "checkpoint": {"file": f"model_{selection}.ckpt", "sha256": "ab" * 32, "epoch": 3},
        "mAP": mean_ap,
        "Rank-1": rank_1,
        "Rank-5": 0.0,
        "Rank-10": 0.0,
        "mINP": 0.0,
    }


def write_result(folder, sources, seed, scores, **changes):
    """Write a finished run; its folder."""
    subsets = {"train": {"ids": 8, "images": 32, "hash": "cd" * 32}}
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    run.write_result(
        {
            "protocol": "small",
            "method": "ACL",
            "sources": list(sources),
            "targets": {entry["target"]: [0] for entry in scores},
            "seed": seed,
            "scores": scores,
            "selected_on": ["CUHK03"],
            "differences": [],
            "data": {
                name: {"version": "", "is_demo": False, "subsets": subsets} for name in sources
            },
            "config": "",
            "git": "0123456789abcdef",
            "versions": {},
            "command": "",
            "seconds": {"training": 1.0, "testing": 1.0},
            **changes,
        }
    )
    return run
