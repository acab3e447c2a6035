"""CUHK03 in the form of open-reid."""

import json

import pytest

from fastreid.data.datasets import CUHK03FULL
from test.data.datasets.layouts import names_of, touch


def write(root):
    folder = root / "cuhk03" / "cuhk03_release"
    of_person = {0: (2, 1), 1: (1, 3), 2: (2, 2)}
    identities = [
        [
            [f"{pid:05d}_{cam:02d}_{n:04d}.png" for n in range(count)]
            for cam, count in enumerate(counts)
        ]
        for pid, counts in of_person.items()
    ]
    touch(folder / "images", *(name for cams in identities for own in cams for name in own))
    split = {"trainval": [2, 0], "query": [1], "gallery": [1]}
    (folder / "meta.json").write_text(json.dumps({"identities": identities}))
    (folder / "splits.json").write_text(json.dumps([split]))
    return folder


def test_the_last_image_of_each_camera_is_a_query(tmp_path):
    write(tmp_path)
    data = CUHK03FULL(tmp_path)
    assert [pid for _, pid, _ in data.train] == ["CUHK03FULL_0"] * 3 + ["CUHK03FULL_1"] * 4
    assert names_of(data.query) == [("00001_00_0000.png", 1, 0), ("00001_01_0002.png", 1, 1)]
    assert names_of(data.gallery) == [
        ("00001_00_0000.png", 1, 0),
        ("00001_01_0000.png", 1, 1),
        ("00001_01_0001.png", 1, 1),
    ]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("splits.json", "{", "splits.json is not JSON"),
        ("splits.json", "[]", "splits.json has no split 0"),
        ("splits.json", "[{}]", "has no identities 'trainval'; it is of another program"),
        ("meta.json", '{"identities": []}', "meta.json does not list the images of person"),
        ("meta.json", "[]", "meta.json does not list the images of person"),
    ],
)
def test_files_of_another_version_are_refused(file, text, message, tmp_path):
    (write(tmp_path) / file).write_text(text)
    with pytest.raises(ValueError, match=f"CUHK03FULL: .*{message}"):
        CUHK03FULL(tmp_path).train  # noqa: B018


def test_a_missing_folder_or_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="CUHK03FULL: the folder .*cuhk03_release is"):
        CUHK03FULL(tmp_path)
    (write(tmp_path) / "images" / "00002_00_0000.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"the image .*00002_00_0000\.png.*meta\.json"):
        CUHK03FULL(tmp_path).train  # noqa: B018


@pytest.mark.parametrize("part", ["trainval", "query", "gallery"])
def test_a_negative_identity_is_refused(part, tmp_path):
    split = {"trainval": [2, 0], "query": [1], "gallery": [1]}
    split[part] = [-1]
    (write(tmp_path) / "splits.json").write_text(json.dumps([split]))
    data = CUHK03FULL(tmp_path)
    with pytest.raises(ValueError, match=f"splits.json has the identity -1 in '{part}'"):
        data.train, data.query, data.gallery  # noqa: B018


def test_identities_in_training_and_in_test_are_those_of_the_file(tmp_path):
    folder = write(tmp_path)
    assert CUHK03FULL(tmp_path).identities_in_both() == set()
    split = {"trainval": [2, 0], "query": [1], "gallery": [1, 2]}
    (folder / "splits.json").write_text(json.dumps([split]))
    assert CUHK03FULL(tmp_path).identities_in_both() == {2}


@pytest.mark.parametrize("name", ["../../x.png", "/etc/x.png", "", ".", 5])
def test_images_outside_of_the_folder_are_refused(name, tmp_path):
    folder = write(tmp_path)
    meta = json.loads((folder / "meta.json").read_text())
    meta["identities"][0][0][0] = name
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(ValueError, match=r"meta\.json does not list the images of person 0"):
        CUHK03FULL(tmp_path).train  # noqa: B018
