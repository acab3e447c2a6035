"""tools/explain.py: its pictures, numbers and mistakes."""

import json

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.utils.command_line.command import run_command
from test.explain.models import ACL, CONVOLUTIONS, person, predictor_of
from tools import explain


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
