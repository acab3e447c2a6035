"""Split files of the small targets: their form, and whether a split can be used."""

import json
import logging
import shutil

import pytest

from test.data.datasets.layouts import touch
from test.data.datasets.targets import layouts
from test.data.datasets.targets.layouts import WRITERS, load

FILES = {"PRID": "splits_single_shot.json", "VIPeR": "splits.json", "iLIDS": "splits.json"}
drawn_names = pytest.mark.parametrize("name", FILES)
TEST_PARTS = [("PRID", "test"), *((n, p) for n in ("VIPeR", "iLIDS") for p in ("query", "gallery"))]
every_part = pytest.mark.parametrize(
    ("name", "part"), [*((name, "train") for name in FILES), *TEST_PARTS]
)


def drawn(name, root, monkeypatch):
    """The file of the drawn splits, and its content."""
    WRITERS[name](root)
    data = load(name, root, monkeypatch)
    assert data.train
    return data.split_file, json.loads(data.split_file.read_text())


def assert_refused(name, root, monkeypatch, message, split=0):
    for part in ("train", "query", "gallery"):
        with pytest.raises(ValueError, match=message):
            getattr(load(name, root, monkeypatch, split), part)


@drawn_names
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("{}", "is not a list of splits"),
        ("[]", "is not a list of splits"),
        ('[{"train": []}]', "split 0, has no list"),
        ('[{"train": [1.5], "test": [2], "query": [3], "gallery": []}]', "has the entry"),
    ],
)
def test_a_split_file_of_another_form_is_refused(name, content, message, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    data = load(name, tmp_path, monkeypatch)
    (data.data_dir / FILES[name]).write_text(content)
    match = f"{FILES[name]}.*{message}.*Remove it to have the splits drawn"
    with pytest.raises(ValueError, match=match):
        data.train  # noqa: B018


@pytest.mark.parametrize(("name", "part"), TEST_PARTS)
def test_test_persons_in_training_are_refused(name, part, tmp_path, monkeypatch):
    path, splits = drawn(name, tmp_path, monkeypatch)
    splits[3]["train"].append(splits[3][part][0])
    path.write_text(json.dumps(splits))
    place = f"{name}: split 3 of .*{path.name}: 1 identities are in training and in test"
    assert_refused(name, tmp_path, monkeypatch, place, split=3)
    assert load(name, tmp_path, monkeypatch, 2).train


@every_part
def test_images_that_are_listed_twice_are_refused(name, part, tmp_path, monkeypatch):
    path, splits = drawn(name, tmp_path, monkeypatch)
    splits[0][part].append(splits[0][part][0])
    path.write_text(json.dumps(splits))
    assert_refused(name, tmp_path, monkeypatch, f"split 0 of .*{path.name}: .* more than once, su")


@every_part
def test_an_empty_part_is_refused(name, part, tmp_path, monkeypatch):
    path, splits = drawn(name, tmp_path, monkeypatch)
    splits[0][part] = []
    path.write_text(json.dumps(splits))
    assert_refused(name, tmp_path, monkeypatch, f"split 0 of .*{path.name}: the part .* is empty")


@pytest.mark.parametrize("name", ["VIPeR", "iLIDS"])
def test_a_query_without_gallery_image_is_refused(name, tmp_path, monkeypatch):
    path, splits = drawn(name, tmp_path, monkeypatch)
    splits[0]["gallery"].pop()
    path.write_text(json.dumps(splits))
    message = f"split 0 of .*{path.name}: 1 query identities have no gallery image"
    assert_refused(name, tmp_path, monkeypatch, message)


@pytest.mark.parametrize("name", ["VIPeR", "iLIDS"])
@pytest.mark.parametrize(
    "entry",
    ["", ".", "..", "/", "cam_a/..", "cam_a/.", "Persons/", "../../x.png", "..\\cam_a\\000_0.bmp"]
    + ["../../cam_a/000_0.bmp", "../0001001.jpg", "/etc/0001001.jpg", "/000_0.bmp", "cam_a/c:"],
)
def test_entries_that_lead_elsewhere_are_named(name, entry, tmp_path, monkeypatch):
    path, splits = drawn(name, tmp_path, monkeypatch)
    splits[0]["query"][0] = entry
    path.write_text(json.dumps(splits))
    for part in ("train", "query"):
        with pytest.raises(ValueError, match="has the entry|does not match") as caught:
            getattr(load(name, tmp_path, monkeypatch), part)
        assert str(path) in str(caught.value)


def test_a_negative_identity_is_not_one_of_prid(tmp_path, monkeypatch):
    path, splits = drawn("PRID", tmp_path, monkeypatch)
    splits[0]["train"][0] = -1
    path.write_text(json.dumps(splits))
    assert_refused("PRID", tmp_path, monkeypatch, f"{path.name} has the entry -1, which is not an")


@pytest.mark.parametrize(("name", "count"), [("PRID", 10), ("VIPeR", 20), ("iLIDS", 10)])
def test_fewer_splits_than_published_are_logged(name, count, tmp_path, monkeypatch, caplog):
    path, splits = drawn(name, tmp_path, monkeypatch)
    assert "splits" not in caplog.text
    path.write_text(json.dumps(splits[:1]))
    caplog.set_level(logging.WARNING)
    assert load(name, tmp_path, monkeypatch).query
    assert f"{name}: {path} has 1 of {count} splits" in caplog.text
    assert_refused(name, tmp_path, monkeypatch, "SPLIT is 1, but .* has 1 splits", split=1)


def write_both_forms(name, root):
    WRITERS[name](root)
    if name == "PRID":
        layouts.write_slim_prid(root)
    elif name == "GRID":
        touch(root / "underground_reid" / "images", "0003_5_1.jpeg")
    elif name == "iLIDS":
        layouts.write_whole_ilids(root)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("PRID", "prid_2011/single_shot/cam_a"),
        ("PRID", "prid_2011/single_shot/cam_b"),
        ("GRID", "underground_reid/probe"),
        ("GRID", "underground_reid/gallery"),
        ("VIPeR", "VIPeR/cam_b"),
        ("iLIDS", "i-LIDS_Pedestrian/Persons"),
    ],
)
def test_a_release_without_one_folder_is_refused(name, folder, tmp_path, monkeypatch):
    write_both_forms(name, tmp_path)
    (tmp_path / "i-LIDS_Pedestrian").mkdir(exist_ok=True)
    shutil.rmtree(tmp_path / folder)
    with pytest.raises(FileNotFoundError, match=f"{name}: the folder .*{folder} is missing"):
        load(name, tmp_path, monkeypatch)
    if name != "VIPeR":
        assert load(name, tmp_path, monkeypatch, -1).train


def test_training_without_the_release_is_logged(tmp_path, monkeypatch, caplog):
    layouts.write_slim_prid(tmp_path)
    assert load("PRID", tmp_path, monkeypatch, -1).train
    assert caplog.text == ""
    assert load("PRID", tmp_path, monkeypatch, 3).train
    assert "PRID: there is no split 3, because " in caplog.text
    assert "slim_train, as with DATASETS.SPLIT -1" in caplog.text
