"""What the four small targets have in common."""

import json
import logging
import shutil

import pytest

from fastreid.data.datasets import DATASET_REGISTRY
from test.data.datasets.layouts import names_of, touch
from test.data.datasets.targets import layouts
from test.data.datasets.targets.layouts import WRITERS, load

NUM_SPLITS = {"PRID": 10, "GRID": 10, "VIPeR": 20, "iLIDS": 10}
names = pytest.mark.parametrize("name", WRITERS)
drawn_names = pytest.mark.parametrize("name", ["PRID", "VIPeR", "iLIDS"])


def identities(items):
    """Identities without the prefix of training identities, as integers."""
    return {int(str(pid).split("_")[-1]) for _, pid, _ in items}


@names
def test_every_split_divides_the_persons(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    assert DATASET_REGISTRY.get(name).num_splits == NUM_SPLITS[name]
    for split in range(2 if name == "GRID" else NUM_SPLITS[name]):
        data = load(name, tmp_path, monkeypatch, split)
        assert data.train and data.query and data.gallery
        assert identities(data.query) <= identities(data.gallery)
        assert not identities(data.train) & identities(data.gallery)
        assert not {p for p, _, _ in data.train} & {p for p, _, _ in [*data.query, *data.gallery]}
        assert data.identities_in_both() == set()


@names
def test_the_splits_differ(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    first, third = (
        load(name, tmp_path, monkeypatch, 2 * n if name == "VIPeR" else n) for n in (0, 1)
    )
    assert names_of(first.train) != names_of(third.train)


@names
def test_combineall_adds_the_test_persons_without_distractors(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    data = load(name, tmp_path, monkeypatch)
    combined = load(name, tmp_path, monkeypatch, combineall=True)
    added = combined.train[len(data.train) :]
    assert combined.train[: len(data.train)] == data.train
    assert all(pid.startswith(f"{name}_test_") for _, pid, _ in added)
    assert identities(added) == identities(data.query)


@names
def test_a_split_that_does_not_exist_is_refused_with_their_number(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    with pytest.raises(ValueError, match=rf"DATASETS.SPLIT is 20, but .* of {name} has \d+ splits"):
        load(name, tmp_path, monkeypatch, 20).query  # noqa: B018
    with pytest.raises(ValueError, match=f"DATASETS.SPLIT is -2; it must be 0 to .* for {name}"):
        load(name, tmp_path, monkeypatch, -2)


@drawn_names
def test_splits_are_written_once_and_depend_on_the_names_only(name, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    for folder in ("here", "there"):
        WRITERS[name](tmp_path / folder)
    data = load(name, tmp_path / "here", monkeypatch)
    assert data.query
    assert f"{name}: drew the splits and wrote {data.split_file}" in caplog.text
    assert f"sha256 {data.split_sha256}" in caplog.text
    other = load(name, tmp_path / "there", monkeypatch)
    assert other.split_file.read_bytes() == data.split_file.read_bytes()
    caplog.clear()
    again = load(name, tmp_path / "here", monkeypatch)
    assert again.query == data.query and again.split_sha256 == data.split_sha256
    assert "drew" not in caplog.text


@drawn_names
def test_splits_go_to_the_cache_if_the_data_are_read_only(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_CACHE", str(tmp_path / "cache"))
    WRITERS[name](tmp_path / "data")
    data = load(name, tmp_path / "data", monkeypatch)
    monkeypatch.setattr("tempfile.mkdtemp", _refuse_below(data.data_dir))
    assert data.query
    assert (tmp_path / "cache") in data.split_file.parents


def _refuse_below(folder):
    import tempfile

    make = tempfile.mkdtemp

    def refuse(*args, **kwargs):
        if str(kwargs.get("dir") or (args[2] if len(args) > 2 else "")) == str(folder):
            raise PermissionError(13, "Permission denied")
        return make(*args, **kwargs)

    return refuse


@names
def test_images_that_are_missing_from_a_split_are_named(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    lost = load(name, tmp_path, monkeypatch).train[0][0]
    shutil.move(lost, tmp_path / "elsewhere")
    with pytest.raises((FileNotFoundError, ValueError), match="unpacked completely"):
        load(name, tmp_path, monkeypatch).train  # noqa: B018


@names
def test_a_file_of_an_unexpected_name_is_refused(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path)
    data = load(name, tmp_path, monkeypatch)
    touch(data.data_dir / data.release.folders[0], "someone.png")
    with pytest.raises(ValueError, match=rf"{name}: the path .*someone\.png does not match"):
        data.query  # noqa: B018


@names
def test_without_any_folder_both_layouts_are_named(name, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=rf"{name}: there is no .*\(for training only\)"):
        load(name, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        (
            "PRID",
            layouts.write_slim_prid,
            [("a_01.png", "PRID_0007", "PRID_a"), ("b_03.png", "PRID_0012", "PRID_b")],
        ),
        (
            "GRID",
            lambda root: touch(root / "underground_reid" / "images", "0003_5_1.jpeg"),
            [("0003_5_1.jpeg", "GRID_0003", "GRID_5")],
        ),
        (
            "iLIDS",
            layouts.write_whole_ilids,
            [
                ("0_1.png", "iLIDS_1", "iLIDS_0"),
                ("3_7.png", "iLIDS_1", "iLIDS_3"),
                ("0_2.png", "iLIDS_12", "iLIDS_0"),
            ],
        ),
    ],
)
def test_the_folder_of_fast_reid_is_for_training_only(name, write, expected, tmp_path, monkeypatch):
    write(tmp_path)
    data = load(name, tmp_path, monkeypatch)
    assert names_of(data.train) == expected
    with pytest.raises(FileNotFoundError, match=f"{name} has no query: .* is for training only"):
        data.query  # noqa: B018
    WRITERS[name](tmp_path)
    assert names_of(load(name, tmp_path, monkeypatch, -1).train) == expected
    assert load(name, tmp_path, monkeypatch, -1).query == []
    assert names_of(load(name, tmp_path, monkeypatch).train) != expected


def test_viper_trains_on_all_images_as_fast_reid_with_split_minus_1(tmp_path, monkeypatch):
    layouts.write_viper(tmp_path, pids=2)
    assert names_of(load("VIPeR", tmp_path, monkeypatch, -1).train) == [
        ("000_0.bmp", "VIPeR_000", "VIPeR_cam_a"),
        ("007_1.bmp", "VIPeR_007", "VIPeR_cam_a"),
        ("000_90.bmp", "VIPeR_000", "VIPeR_cam_b"),
        ("007_91.bmp", "VIPeR_007", "VIPeR_cam_b"),
    ]


def test_vipers_odd_splits_exchange_the_cameras(tmp_path, monkeypatch):
    layouts.write_viper(tmp_path)
    for split in range(0, 20, 2):
        forth, back = (load("VIPeR", tmp_path, monkeypatch, split + side) for side in (0, 1))
        assert forth.train == back.train
        assert names_of(forth.query) == names_of(back.gallery)
        assert names_of(forth.gallery) == names_of(back.query)
        assert all("cam_a" in path for path, _, _ in forth.query)


def test_vipers_file_from_acl_on_another_machine_is_used(tmp_path, monkeypatch):
    layouts.write_viper(tmp_path)
    at = "D:\\data\\VIPeR\\"
    listed = {
        "train": [[f"{at}cam_a\\000_0.bmp", "viper_0", "viper_0"]],
        "query": [["/home/x/VIPeR/cam_b/007_91.bmp", 17, 1]],
        "gallery": [["/home/x/VIPeR/cam_a/007_1.bmp", 17, 0]],
    }
    (tmp_path / "VIPeR" / "splits.json").write_text(json.dumps([listed]))
    data = load("VIPeR", tmp_path, monkeypatch)
    assert names_of(data.train) == [("000_0.bmp", "VIPeR_000", "VIPeR_cam_a")]
    assert [(name, pid) for name, pid, _ in names_of(data.query)] == [("007_91.bmp", 7)]
    assert [(name, pid) for name, pid, _ in names_of(data.gallery)] == [("007_1.bmp", 7)]


def test_a_person_of_one_camera_is_refused_in_viper(tmp_path, monkeypatch):
    layouts.write_viper(tmp_path)
    touch(tmp_path / "VIPeR" / "cam_a", "999_0.bmp")
    with pytest.raises(ValueError, match=r"person 999 must have one image in cam_a and one"):
        load("VIPeR", tmp_path, monkeypatch).query  # noqa: B018


def test_prids_gallery_has_the_distractors_of_camera_b(tmp_path, monkeypatch):
    layouts.write_prid(tmp_path, shared=4, distractors=2)
    split = [{"train": [2, 4], "test": [1, 3]}]
    (tmp_path / "prid_2011" / "splits_single_shot.json").write_text(json.dumps(split))
    data = load("PRID", tmp_path, monkeypatch)
    assert names_of(data.train) == [
        ("person_0002.png", "PRID_0002", "PRID_a"),
        ("person_0002.png", "PRID_0002", "PRID_b"),
        ("person_0004.png", "PRID_0004", "PRID_a"),
        ("person_0004.png", "PRID_0004", "PRID_b"),
    ]
    assert names_of(data.query) == [("person_0001.png", 1, 0), ("person_0003.png", 3, 0)]
    assert [pid for _, pid, _ in data.gallery] == [1, 3, 201, 202]
    assert all("cam_b" in path for path, _, _ in data.gallery)
    assert {201, 202} <= set(data.junk_pids)


def test_prids_shared_persons_must_be_seen_by_both_cameras(tmp_path, monkeypatch):
    layouts.write_prid(tmp_path)
    (tmp_path / "prid_2011" / "single_shot" / "cam_b" / "person_0003.png").unlink()
    with pytest.raises(ValueError, match="person 3 has an image in only one of the folders"):
        load("PRID", tmp_path, monkeypatch).query  # noqa: B018


def test_grids_splits_are_those_of_the_release(tmp_path, monkeypatch):
    layouts.write_grid(tmp_path)
    data = load("GRID", tmp_path, monkeypatch, 1)
    assert identities(data.train) == {2, 4}
    assert [(pid, camid) for _, pid, camid in data.query] == [(1, 0), (3, 0)]
    assert [(pid, camid) for _, pid, camid in data.gallery] == [(0, 7), (0, 7), (1, 1), (3, 3)]
    assert data.split_file.name == "features_and_partitions.mat"
    assert 0 in data.junk_pids


def test_grid_without_or_with_another_partition_file_is_refused(tmp_path, monkeypatch):
    layouts.write_grid(tmp_path)
    file = tmp_path / "underground_reid" / "features_and_partitions.mat"
    for content in (b"", b"something else", b"MATLAB 5.0 MAT-file"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="is not the published file of the 10 partitions"):
            load("GRID", tmp_path, monkeypatch).query  # noqa: B018
    layouts.write_partitions(file, [(1, 77)])
    with pytest.raises(
        ValueError, match="no image of 1 training identities of split 0.*such as 77"
    ):
        load("GRID", tmp_path, monkeypatch).query  # noqa: B018
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"features_and_partitions\.mat is missing"):
        load("GRID", tmp_path, monkeypatch).query  # noqa: B018


def test_a_split_of_grid_that_cannot_be_used_is_refused(tmp_path, monkeypatch):
    layouts.write_grid(tmp_path, splits=((), (1, 2, 3, 4), (1, 3)))
    for split, part in ((0, "train"), (1, "query")):
        message = f"GRID: split {split} of .*partitions.mat: the part '{part}' is empty"
        with pytest.raises(ValueError, match=message):
            load("GRID", tmp_path, monkeypatch, split).train  # noqa: B018
    (tmp_path / "underground_reid/gallery/0004_5_25023_116_134_128_330.jpeg").unlink()
    with pytest.raises(ValueError, match="1 query identities have no gallery image, such as 4"):
        load("GRID", tmp_path, monkeypatch, 2).train  # noqa: B018


def test_ilids_has_one_query_and_one_gallery_image_of_each_test_person(tmp_path, monkeypatch):
    layouts.write_ilids(tmp_path, pids=7)
    data = load("iLIDS", tmp_path, monkeypatch)
    assert len(identities(data.train)) == 3
    assert [pid for _, pid, _ in data.query] == [pid for _, pid, _ in data.gallery]
    assert len(data.query) == 4 == len(identities(data.query))
    assert all(q[2] != g[2] for q, g in zip(data.query, data.gallery))


def test_a_person_with_a_single_image_is_refused_in_ilids(tmp_path, monkeypatch):
    layouts.write_ilids(tmp_path)
    touch(tmp_path / "i-LIDS_Pedestrian" / "Persons", "0099001.jpg")
    with pytest.raises(ValueError, match="person 0099 has a single image"):
        load("iLIDS", tmp_path, monkeypatch).query  # noqa: B018
