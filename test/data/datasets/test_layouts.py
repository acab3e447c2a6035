"""The table of data sets: each row reads identity and camera as fast-reid does."""

import pytest

from fastreid.data.datasets import DATASET_REGISTRY, Layout, LayoutDataset, Part
from test.data.datasets.layouts import names_of, touch

# Name -> the folder of the data set, files, and what is read from them.
TRAIN_ONLY = {
    "PKU": ("PKUv1a_128x48", ["0001_2_x.png"], [("0001", "2")]),
    "PRAI": ("PRAI-1581/images", ["00000010_0001_2.jpg"], [("00000010", "0001")]),
    "SAIVT": ("SAIVT-SoftBio/cropped_images", ["007/0001-C2-3-8.jpeg"], [("007", "3")]),
    "SenseReID": (
        "SenseReID",
        ["test_gallery/00004_1.jpg", "test_prob/00004_0.jpg"],
        [("00004", "1"), ("00004", "0")],
    ),
    "SYSU_mm": (
        "SYSU-MM01",
        [*(f"cam{n}/0001/0001.jpg" for n in (1, 2, 4, 5)), "cam3/0001/1.jpg", "exp/0001/1.jpg"],
        [("0001", f"cam{n}") for n in (1, 2, 4, 5)],
    ),
    "Thermalworld": ("thermalworld_rgb", ["12/a.jpg"], [("12", "cam0")]),
    "PeS3D": ("3DPeS", ["12/a.bmp"], [("12", "cam0")]),
    "CAVIARa": ("CAVIARa", ["0001012.jpg"], [("0001", "cam0")]),
    "LPW": (
        "pep_256x128/data_slim",
        ["scen1/view1/0/1.jpg", "scen2/view3/0/1.jpg", "scen3/view4/17/1.jpg"],
        [("scen1-0", "view1"), ("scen2-0", "view3"), ("scen3-17", "view4")],
    ),
    "Shinpuhkan": ("shinpuhkan", ["a/0001_001_02_0001.jpg"], [("0001", "02")]),
    "WildTrackCrop": ("Wildtrack_crop_dataset/crop", ["3/2_00000.png"], [("3", "2")]),
}
MARKET_LIKE = {
    "DukeMTMC": ("DukeMTMC-reID", "bounding_box_train", "query", "bounding_box_test"),
    "OccludedDuke": ("Occluded_Duke", "bounding_box_train", "query", "bounding_box_test"),
    "VeRi": ("veri", "image_train", "image_query", "image_test"),
}
TEST_ONLY = {
    "OccludedREID": ("OccludedREID", "query", "gallery"),
    "PartialREID": ("Partial_REID", "partial_body_images", "whole_body_images"),
    "PartialiLIDS": ("PartialiLIDS", "query", "gallery"),
}


def make(name, root):
    return DATASET_REGISTRY.get(name)(root)


@pytest.mark.parametrize("name", TRAIN_ONLY)
def test_training_sets_read_their_paths(name, tmp_path):
    folder, files, expected = TRAIN_ONLY[name]
    touch(tmp_path / folder, *files, "Thumbs.db")
    data = make(name, tmp_path)
    assert [item[1:] for item in data.train] == [
        (f"{name}_{pid}", f"{name}_{camid}") for pid, camid in expected
    ]
    assert data.query == data.gallery == []


def test_airports_list_has_backslashes_and_persons_that_are_left_out(tmp_path):
    folder = tmp_path / "AirportALERT"
    touch(
        folder, "cam1/11001/a.jpg", "cam2/11000/b.jpg", "cam2/12345/c.jpg", "cam2/12345/other.jpg"
    )
    (folder / "filepath.txt").write_text(
        "cam1\\11001\\a.jpg\r\ncam2\\11000\\b.jpg\r\ncam2\\12345\\c.jpg"
    )
    assert names_of(make("AirportALERT", tmp_path).train) == [
        ("a.jpg", "AirportALERT_11001", "AirportALERT_cam1"),
        ("c.jpg", "AirportALERT_12345", "AirportALERT_cam2"),
    ]
    (folder / "filepath.txt").write_text("cam9\\11001\\a.jpg")
    with pytest.raises(FileNotFoundError, match=r"AirportALERT: the image .*filepath\.txt"):
        make("AirportALERT", tmp_path).train  # noqa: B018
    (folder / "filepath.txt").write_text("cam1\\..\\..\\a.jpg")
    with pytest.raises(ValueError, match=r"in line 1 of .*filepath\.txt leads out of"):
        make("AirportALERT", tmp_path).train  # noqa: B018
    (folder / "filepath.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"AirportALERT: the list .*filepath\.txt is empty"):
        make("AirportALERT", tmp_path).train  # noqa: B018


@pytest.mark.parametrize("name", MARKET_LIKE)
def test_sets_that_are_named_like_market1501(name, tmp_path):
    folder, train, query, gallery = MARKET_LIKE[name]
    touch(tmp_path / folder / train, "0010_c002_1_0.jpg", "0002_c1_f1.jpg")
    touch(tmp_path / folder / query, "0005_c8_f1.jpg")
    touch(tmp_path / folder / gallery, "0005_c2_f1.jpg", "0002_c011_f1.jpg")
    data = make(name, tmp_path)
    assert [item[1:] for item in data.train] == [
        (f"{name}_2", f"{name}_0"),
        (f"{name}_10", f"{name}_1"),
    ]
    assert [item[1:] for item in data.query] == [(5, 7)]
    assert [item[1:] for item in data.gallery] == [(2, 10), (5, 1)]
    assert data.identities_in_both() == {2}


@pytest.mark.parametrize("name", TEST_ONLY)
def test_test_sets_read_their_paths(name, tmp_path):
    folder, query, gallery = TEST_ONLY[name]
    touch(tmp_path / folder / query, "001_001.jpg")
    touch(tmp_path / folder / gallery, "001_002.jpg", "012_001.jpg")
    data = make(name, tmp_path)
    assert data.train == []
    assert [item[1:] for item in data.query] == [(1, 1)]
    assert [item[1:] for item in data.gallery] == [(1, 2), (12, 1)]


def write_cuhk02(root):
    for pair in range(1, 6):
        for side in (1, 2):
            touch(
                root / "cuhk02" / "Dataset" / f"P{pair}" / f"cam{side}", "001_01.png", "002_02.png"
            )


def test_cuhk02_numbers_persons_in_each_pair_of_cameras(tmp_path):
    write_cuhk02(tmp_path)
    data = make("CUHK02", tmp_path)
    assert data.get_imagedata_info(data.train) == (8, 16, 8)
    assert data.train[0][1:] == ("CUHK02_P1-001", "CUHK02_P1-cam1")
    assert data.get_imagedata_info(data.query) == (2, 2, 1)
    assert [pid for _, pid, _ in data.query] == [pid for _, pid, _ in data.gallery]
    assert {camid for *_, camid in data.query} != {camid for *_, camid in data.gallery}
    assert data.label_names().pids.tolist() == ["P5-001", "P5-002"] * 2
    assert data.identities_in_both() == set()


def test_cuhk02_with_combineall_has_the_persons_of_all_pairs(tmp_path):
    write_cuhk02(tmp_path)
    data = DATASET_REGISTRY.get("CUHK02")(tmp_path, combineall=True)
    assert data.get_imagedata_info(data.train) == (10, 20, 10)


@pytest.mark.parametrize("name", [*TRAIN_ONLY, *MARKET_LIKE, *TEST_ONLY, "CUHK02", "AirportALERT"])
def test_a_missing_folder_is_named(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{name}: the folder .* is missing"):
        make(name, tmp_path)


@pytest.mark.parametrize("name", [*TRAIN_ONLY, "DukeMTMC", "VeRi"])
def test_an_image_of_an_unexpected_name_is_refused(name, tmp_path):
    folder, files = {n: (f, fs[0]) for n, (f, fs, _) in TRAIN_ONLY.items()}.get(
        name, (MARKET_LIKE.get(name, ("", ""))[0], f"{MARKET_LIKE.get(name, ('', ''))[1]}/1_c1.jpg")
    )
    touch(tmp_path / folder, files)
    depth = files.rpartition("/")[0]
    bad = "x.jpg" if name in ("Thermalworld", "PeS3D") else f"{depth}/x.jpg" if depth else "x.jpg"
    if name == "SYSU_mm":
        bad = "cam1/x.jpg"
        touch(tmp_path / folder, *TRAIN_ONLY[name][1])
    if name == "LPW":
        bad = "scen1/view1/x.jpg"
        touch(tmp_path / folder, *TRAIN_ONLY[name][1])
    if name == "SenseReID":
        touch(tmp_path / folder, *TRAIN_ONLY[name][1])
    touch(tmp_path / folder, bad)
    with pytest.raises(ValueError, match=rf"{name}: the path .*x\.jpg does not match"):
        make(name, tmp_path).train  # noqa: B018


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "PKUv1a_128x48").mkdir()
    with pytest.raises(ValueError, match="PKU: the folder .* has no images"):
        make("PKU", tmp_path).train  # noqa: B018


def test_junk_in_a_name_is_refused_with_file_and_number(tmp_path):
    touch(tmp_path / "veri" / "image_train", f"{2**63}_c001_1.jpg")
    with pytest.raises(ValueError, match=rf"VeRi: the name of .*{2**63}.* does not fit"):
        make("VeRi", tmp_path).train  # noqa: B018


def test_a_relative_root_gives_the_same_labels(tmp_path, monkeypatch):
    touch(tmp_path / "PKUv1a_128x48", "0001_2_x.png")
    expected = [item[1:] for item in make("PKU", tmp_path).train]
    monkeypatch.chdir(tmp_path)
    assert [item[1:] for item in make("PKU", ".").train] == expected

    class Here(LayoutDataset):
        dataset_name = "Here"
        layout = Layout(
            "Here",
            ".",
            "",
            "",
            {"train": Part(("PKUv1a_128x48",), r"[^/]+/(?P<pid>[0-9]+)_(?P<camid>[0-9])")},
        )

    assert [item[1:] for item in Here(".").train] == [("Here_0001", "Here_2")]
