"""CUHK03, from prepared files."""

import json
import sys
from pathlib import Path

import pytest

from fastreid.config import get_cfg
from fastreid.data.datasets import CUHK03, load_dataset
from test.data.datasets.cuhk03_release import write_protocol, write_release
from test.data.datasets.layouts import names_of, touch, write_cuhk03_splits


def test_prepared_files_of_another_machine_are_used(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    folder = write_cuhk03_splits(tmp_path)
    cuhk03 = CUHK03(tmp_path)
    assert names_of(cuhk03.train) == [
        ("1_001_1_01.png", "CUHK03_0", "CUHK03_0"),
        ("1_001_2_06.png", "CUHK03_0", "CUHK03_1"),
        ("2_001_1_01.png", "CUHK03_1", "CUHK03_0"),
    ]
    assert names_of(cuhk03.query) == [("1_002_1_01.png", 41, 0)]
    assert names_of(cuhk03.gallery) == [("1_002_2_06.png", 41, 1)]
    assert {Path(path).parent for path, _, _ in cuhk03.train} == {folder / "images_labeled"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_prepared_files_from_windows_are_read(tmp_path, encoding):
    folder = write_cuhk03_splits(tmp_path, written_at="C:\\\\data")
    expected = CUHK03(tmp_path).train
    path = folder / "splits_new_labeled.json"
    text = path.read_text(encoding="utf-8").replace("/", "\\\\")
    path.write_bytes(text.encode(encoding))
    image = folder / "images_labeled" / "1_001_1_01.png"
    image.rename(image.with_suffix(".PNG"))
    (first, *others) = CUHK03(tmp_path).train
    assert (Path(first[0]).name, others) == ("1_001_1_01.PNG", expected[1:])


def test_paths_of_windows_are_resolved(tmp_path):
    write_cuhk03_splits(tmp_path, written_at="D:\\reid\\cuhk03_new")
    split = tmp_path / "cuhk03_new" / "splits_new_labeled.json"
    split.write_text(split.read_text().replace("/", "\\\\"))
    assert len(CUHK03(tmp_path).train) == 3


@pytest.mark.parametrize("number", [7.5, 2**63])
def test_an_identity_that_is_not_an_integer_of_64_bits_is_rejected(tmp_path, number):
    split = {name: [["images_labeled/1_001_1_01.png", number, 0]] for name in ("train", "query")}
    folder = tmp_path / "cuhk03_new"
    folder.mkdir()
    text = json.dumps([{**split, "gallery": []}])
    (folder / "splits_new_labeled.json").write_text(text)
    with pytest.raises(ValueError, match=f"splits_new_labeled.json, query: .*{number}"):
        CUHK03(tmp_path).query  # noqa: B018


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": []}, "labeled.json is not a list of splits; remove it"),
        ([[1]], "labeled.json is not a list of splits; remove it"),
        (None, "labeled.json is not a list of splits; remove it"),
        ([], "split_id is 0; .*labeled.json has 0 split"),
        ([{"train": 5, "query": [], "gallery": []}], "labeled.json, train: it is not a list"),
        (
            [{"train": [["a.png", 1]], "query": [], "gallery": []}],
            r"train: \['a.png', 1\] is not \[path, identity",
        ),
        ([{"train": [[3, 1, 0]], "query": [], "gallery": []}], r"train: \[3, 1, 0\] is not"),
    ],
)
def test_a_split_file_of_another_form_is_named(tmp_path, content, message):
    write_cuhk03_splits(tmp_path)
    path = tmp_path / "cuhk03_new" / "splits_new_labeled.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        CUHK03(tmp_path).train  # noqa: B018


def test_combineall_trains_on_the_test_persons_too(tmp_path):
    write_cuhk03_splits(tmp_path)
    added = names_of(CUHK03(tmp_path, combineall=True).train)[3:]
    assert added == [
        ("1_002_1_01.png", "CUHK03_test_41", "CUHK03_test_0"),
        ("1_002_2_06.png", "CUHK03_test_41", "CUHK03_test_1"),
    ]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the folder .*cuhk03_new is missing"):
        CUHK03(tmp_path)
    (tmp_path / "cuhk03_new").mkdir()
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the file .*cuhk-03\.mat is missing"):
        CUHK03(tmp_path).train  # noqa: B018
    write_release(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"protocol_config_labeled\.mat is missing"):
        CUHK03(tmp_path).train  # noqa: B018


def test_a_listed_image_that_does_not_exist_is_named(tmp_path):
    folder = write_cuhk03_splits(tmp_path)
    (folder / "images_labeled" / "1_002_2_06.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1_002_2_06\.png, listed in .*new_labeled\.json"):
        CUHK03(tmp_path).gallery  # noqa: B018


def test_damaged_files_are_named(tmp_path):
    folder = write_cuhk03_splits(tmp_path)
    split = folder / "splits_new_labeled.json"
    split.write_text(split.read_text()[:-5])
    with pytest.raises(ValueError, match=r"splits_new_labeled\.json is not JSON .*; remove it"):
        CUHK03(tmp_path).train  # noqa: B018
    split.write_text('[{"train": []}]')
    with pytest.raises(ValueError, match=r"Split 0 of .*new_labeled\.json has no 'query'"):
        CUHK03(tmp_path).train  # noqa: B018
    release = write_release(tmp_path)
    split.unlink()
    config = write_protocol(tmp_path)
    config.write_bytes(b"MATLAB")
    with pytest.raises(ValueError, match=r"config_labeled\.mat is not a file of the new protocol"):
        CUHK03(tmp_path).train  # noqa: B018
    release.write_bytes(b"HDF")
    with pytest.raises(ValueError, match=r"cuhk-03\.mat is damaged"):
        CUHK03(tmp_path, cuhk03_labeled=False).train  # noqa: B018


def test_fast_reids_folder_is_read_if_acls_is_missing(tmp_path, caplog):
    caplog.set_level("INFO")
    write_cuhk03_splits(tmp_path).rename(tmp_path / "cuhk03")
    expected = names_of(CUHK03(tmp_path).train)
    assert len(expected) == 3
    (tmp_path / "cuhk03_new").mkdir()
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the file .*cuhk03_new.* is missing"):
        CUHK03(tmp_path).train  # noqa: B018
    assert f"{tmp_path / 'cuhk03_new'} is read, and {tmp_path / 'cuhk03'} is not" in caplog.text


@pytest.mark.parametrize(("is_classic", "split"), [(True, 7), (False, 0)])
def test_the_split_of_the_config_is_that_of_the_classic_protocol(
    is_classic, split, tmp_path, monkeypatch
):
    folder = tmp_path / "cuhk03_new"
    touch(folder / "images_labeled", "1_001_1_01.png")
    image = [["images_labeled/1_001_1_01.png", number, 0] for number in range(20)]
    listed = [{"train": [one], "query": [one], "gallery": [one]} for one in image]
    protocol = "classic" if is_classic else "new"
    (folder / f"splits_{protocol}_labeled.json").write_text(json.dumps(listed))
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    cfg = get_cfg()
    cfg.DATASETS.SPLIT = 7
    cfg.DATASETS.CUHK03.CLASSIC_SPLIT = is_classic
    assert load_dataset(cfg, "CUHK03").query[0][1] == split


@pytest.mark.parametrize("name", ["../../x.png", "images_labeled/..", "", "/x.png", "a/./"])
def test_images_outside_of_the_folder_are_refused(name, tmp_path):
    path = write_cuhk03_splits(tmp_path) / "splits_new_labeled.json"
    (split,) = json.loads(path.read_text())
    split["query"][0][0] = name
    path.write_text(json.dumps([split]))
    with pytest.raises(ValueError, match=r"splits_new_labeled\.json, query: the path "):
        CUHK03(tmp_path).query  # noqa: B018
