"""tools/explain.py: its pictures, numbers and mistakes."""

import json
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.explain import (
    activation_numbers,
    compare_domains,
    pair_numbers,
    routing_numbers,
    write_report,
)
from fastreid.utils.command_line.command import run_command
from test.explain.models import ACL, CONVOLUTIONS, person, predictor_of
from tools import explain

ROUTING = routing_numbers(compare_domains({}), {}, {})


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """Configuration files of a plain model and of ACL, whose MODEL.WEIGHTS exist."""
    files = {}
    for name, words in (("plain", CONVOLUTIONS), ("acl", ACL)):
        folder = tmp_path_factory.mktemp(name)
        files[name] = folder / "config.yml"
        cfg = predictor_of(folder, *words, "MODE", "pynative").cfg
        files[name].write_text(cfg.dump())
    return files


@pytest.fixture(autouse=True)
def graph_mode_afterwards():
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two folders of three persons each."""
    folder = tmp_path_factory.mktemp("pictures")
    for domain in ("north", "south"):
        (folder / domain).mkdir()
        for seed in range(3):
            picture = person(seed + 10 * (domain == "south"))
            Image.fromarray(picture).save(folder / domain / f"{seed}.png")
    return folder


def run(*words):
    return run_command(explain.main, [str(word) for word in words])


def test_pair_writes_a_sheet_and_numbers_that_add_up(configs, pictures, tmp_path, capsys):
    output = tmp_path / "new" / "pair.png"
    query, *results = (pictures / "north" / f"{number}.png" for number in range(3))
    words = ("--config-file", configs["plain"], "--output", output)
    assert run("pair", query, *results, *words) == 0
    assert f"Drawn in {output}, numbers in {output.with_suffix('.json')}" in capsys.readouterr().out
    with Image.open(output) as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > 2 * 256
    numbers = json.loads(output.with_suffix(".json").read_text())
    assert numbers["query"] == str(query)
    assert [row["image"] for row in numbers["results"]] == [str(path) for path in results]
    for row in numbers["results"]:
        places = np.sum(row["query_map"]) + np.sum(row["gallery_map"])
        assert places + row["bias"] + row["rest"] == pytest.approx(row["cosine"], rel=1e-3)
    assert sorted(path.name for path in output.parent.iterdir()) == ["pair.json", "pair.png"]


def test_activation_writes_the_maps_of_all_images(configs, pictures, tmp_path):
    output = tmp_path / "activation.png"
    images = sorted((pictures / "north").iterdir())
    words = ("--config-file", configs["plain"], "--output", output, "MODEL.DEVICE", "cpu")
    assert run("activation", *images, *words) == 0
    rows = json.loads(output.with_suffix(".json").read_text())["images"]
    assert [row["image"] for row in rows] == [str(path) for path in images]
    assert np.shape(rows[0]["map"]) == (16, 8)
    with Image.open(output) as sheet:
        assert sheet.height > 3 * 256


def test_routing_writes_the_weights_of_domains_and_images(configs, pictures, tmp_path, capsys):
    output = tmp_path / "routing.png"
    domains = ("--domains", pictures / "north", pictures / "south", "--count", 2)
    single = ("--images", pictures / "north" / "1.png")
    words = ("--config-file", configs["acl"], "--output", output)
    assert run("routing", *domains, *single, *words) == 0
    assert "south: 2 images" in capsys.readouterr().out
    numbers = json.loads(output.with_suffix(".json").read_text())
    assert list(numbers["domains"]) == ["north", "south"]
    north = numbers["domains"]["north"]
    weights = np.array([row["weights"] for row in north["images"]])
    np.testing.assert_allclose(weights.mean(axis=0), north["mean"], rtol=1e-5)
    assert [row["image"] for row in north["images"]] == [
        str(pictures / "north" / name) for name in ("0.png", "2.png")
    ]
    np.testing.assert_allclose(np.sum(numbers["images"][0]["weights"], axis=1), 1, rtol=1e-5)
    assert np.shape(numbers["distances"]) == (2, 2)
    assert output.is_file()


def test_domains_and_images_of_one_name_are_told_apart(
    configs, pictures, tmp_path, monkeypatch, capsys
):
    figures = []

    def draw(routing, images):
        figures.append((list(routing.weights), list(images)))
        return routing_figure(routing, images)

    routing_figure = explain.routing_figure
    monkeypatch.setattr(explain, "routing_figure", draw)
    monkeypatch.chdir(tmp_path)
    for folder, seeds in (("a", (0, 1)), ("b", (5, 6, 7)), ("c", (8,))):
        Path(folder, "x").mkdir(parents=True)
        for seed in seeds:
            Image.fromarray(person(seed)).save(Path(folder, "x", f"{seed}.png"))
        Image.fromarray(person(20 + seeds[0])).save(Path(folder, "same.png"))
    Path("c", "x").rename("y.png")
    single = ["a/same.png", "b/same.png", "c/y.png"]
    Path("c", "same.png").rename("c/y.png")
    words = ("--images", *single, "--config-file", configs["acl"], "--output", "r.png")
    assert run("routing", "--domains", "a/x", "b/x", "y.png", *words) == 0
    numbers = json.loads(Path("r.json").read_text())
    found = {name: len(each["images"]) for name, each in numbers["domains"].items()}
    assert found == {"a/x": 2, "b/x": 3, "y.png": 1}
    assert [each["image"] for each in numbers["images"]] == single
    assert figures == [(["a/x", "b/x", "y.png"], single)]
    Path("r.png").unlink()
    assert run("routing", "--domains", "a/x", "a/x", *words) == 1
    assert "--domains: two are called a/x" in capsys.readouterr().err
    assert not Path("r.png").exists()


@pytest.mark.parametrize(
    ("command", "config", "message"),
    [
        (("pair", "none.png", "none.png"), "plain", "none.png does not exist"),
        (("routing", "--domains", "Narnia"), "acl", "Narnia"),
        (("routing", "--domains", "--images"), "acl", "Name domains by --domains"),
        (("routing", "--count", "0"), "acl", "--count is 0"),
        (("routing", "--domains", "."), "plain", "has no routers"),
        (("activation", "none.png", "MODEL.WEIGHTS", "no.ckpt"), "plain", "no.ckpt"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    command, config, message, configs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ("--config-file", configs[config], "--output", tmp_path / "x.png")
    assert run(*command, *words) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert error[-1].startswith("explain.py: ")
    assert "Traceback" not in "".join(error)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_no_png_is_refused_before_the_model_is_built(tmp_path, capsys):
    words = ("--config-file", tmp_path / "none.yml", "--output", tmp_path / "x.pdf")
    assert run("activation", "a.jpg", *words) == 1
    assert "must end with .png" in capsys.readouterr().err


@pytest.mark.parametrize("content", ['{"images": [], "info": 1}', "[1]", "not JSON", "\udcff"])
def test_a_json_file_of_something_else_is_not_replaced(content, tmp_path, capsys):
    other = tmp_path / "x.json"
    other.write_bytes(content.encode("utf-8", "surrogateescape"))
    before = other.read_bytes()
    words = ("--config-file", tmp_path / "none.yml", "--output", tmp_path / "x.png")
    assert run("activation", "a.jpg", *words) == 1
    assert f"{other}, which exists and is not a file of explanations" in capsys.readouterr().err
    with pytest.raises(ValueError, match="not a file of explanations"):
        write_report(tmp_path / "x.png", lambda path: path.write_bytes(b""), {"images": []})
    assert other.read_bytes() == before
    other.unlink()
    other.mkdir()
    assert run("activation", "a.jpg", *words) == 1
    assert "is a folder" in capsys.readouterr().err


def test_numbers_of_an_earlier_explanation_are_replaced(tmp_path):
    for numbers in (activation_numbers([], []), pair_numbers("q", [], []), ROUTING):
        write_report(tmp_path / "x.png", lambda path: path.write_bytes(b"new"), numbers)
        assert json.loads((tmp_path / "x.json").read_text()) == numbers
    write_report(tmp_path / "x.png", lambda path: path.write_bytes(b"new"), ROUTING)
