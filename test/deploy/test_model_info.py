"""The description inside of an exported file."""

import json
from dataclasses import replace

import pytest

from fastreid.deploy import ModelInfo

from .small_models import INFO

CROPPED = replace(INFO, crop=(14, 6), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


@pytest.mark.parametrize("info", [INFO, CROPPED])
def test_a_description_comes_back(info):
    assert ModelInfo.from_metadata({"other": "x", **info.to_metadata()}, "model.onnx") == info


def test_the_size_is_that_of_the_centre_if_it_is_cut_out():
    assert INFO.size == (16, 8)
    assert CROPPED.size == (14, 6)


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", "{}", json.dumps({**vars(INFO), "new": 1}), '{"resize": 3, "crop": 0}']
)
def test_a_description_that_cannot_be_read_names_the_file(text):
    with pytest.raises(ValueError, match=r"The description in m.onnx cannot be read .*export.py"):
        ModelInfo.from_metadata({"fastreid": text}, "m.onnx")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input", "cooked"),
        ("resize", [256]),
        ("resize", "ab"),
        ("crop", [0, 8]),
        ("dimension", "6"),
        ("mean", [0.5, 0.5]),
        ("std", [1, 1, 0]),
        ("config", None),
    ],
)
def test_a_wrong_entry_is_named(name, value):
    text = json.dumps({**vars(INFO), name: value})
    with pytest.raises(ValueError, match=rf"The description in m.onnx cannot be read \({name} is "):
        ModelInfo.from_metadata({"fastreid": text}, "m.onnx")


def test_a_description_without_mean_and_deviation_is_read():
    entries = {key: value for key, value in vars(INFO).items() if key not in ("mean", "std")}
    assert ModelInfo.from_metadata({"fastreid": json.dumps(entries)}, "m.onnx") == INFO


@pytest.mark.parametrize("name", ["mean", "std"])
def test_mean_and_deviation_come_together(name):
    text = json.dumps({**vars(INFO), name: [0.5, 0.5, 0.5]})
    with pytest.raises(ValueError, match=r"mean is .* but std is"):
        ModelInfo.from_metadata({"fastreid": text}, "m.onnx")
