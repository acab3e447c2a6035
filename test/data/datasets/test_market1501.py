import shutil

import pytest

from fastreid.config import get_cfg
from fastreid.data.datasets import Market1501, load_dataset
from test.data.datasets.layouts import names_of, touch, write_market


def test_identities_and_cameras_come_from_the_file_names(tmp_path):
    write_market(tmp_path)
    market = Market1501(tmp_path)
    assert names_of(market.train) == [
        ("0002_c1s1_000451_03.jpg", "Market1501_2", "Market1501_0"),
        ("0002_c6s2_000776_01.jpg", "Market1501_2", "Market1501_5"),
        ("0007_c3s1_000451_03.jpg", "Market1501_7", "Market1501_2"),
    ]
    assert names_of(market.query) == [("0001_c1s1_001051_00.jpg", 1, 0)]
    assert names_of(market.gallery) == [
        ("0000_c4s1_000151_01.jpg", 0, 3),
        ("0001_c2s1_001976_01.jpg", 1, 1),
    ]


def test_images_of_all_formats_are_used_in_the_order_of_their_names(tmp_path):
    folder = write_market(tmp_path)
    added = ("0001_c1s1_2.JPG", "0001_c1s1_1.png", "0001_c1s1_3.jpeg", "0001_c1s1_4.webp")
    touch(folder / "query", *added, "0001_c1s1_5.txt", "0009_c1s1.jpg/0009_c1s1_1.jpg")
    market = Market1501(tmp_path)
    assert [name for name, _, _ in names_of(market.query)] == [
        "0001_c1s1_001051_00.jpg",
        *sorted(added),
    ]
    (reported,) = market.passed_over()
    assert "1 files without the suffix of an image format (0001_c1s1_5.txt)" in reported
    assert "1 folders, which are not searched (0009_c1s1.jpg)" in reported


def test_combineall_leaves_out_distractors(tmp_path):
    write_market(tmp_path)
    added = names_of(Market1501(tmp_path, combineall=True).train)[3:]
    assert added == [
        ("0001_c1s1_001051_00.jpg", "Market1501_test_1", "Market1501_test_0"),
        ("0001_c2s1_001976_01.jpg", "Market1501_test_1", "Market1501_test_1"),
    ]


def test_identities_of_64_bits_stay_distinct_in_training_and_in_test(tmp_path):
    folder = write_market(tmp_path)
    far = 2**62
    for split in ("bounding_box_train", "query", "bounding_box_test"):
        touch(folder / split, f"{far}_c2s1_1.jpg", f"{far - 2**32}_c1s1_1.jpg")
    market = Market1501(tmp_path)
    assert {pid for _, pid, _ in market.query} == {1, far, far - 2**32}
    assert f"Market1501_{far}" in {pid for _, pid, _ in market.train}
    assert market.identities_in_both() == {far, far - 2**32}


@pytest.mark.parametrize("split", ["bounding_box_train", "query"])
def test_a_number_beyond_64_bits_is_rejected_with_file_and_number(tmp_path, split):
    folder = write_market(tmp_path)
    touch(folder / split, f"{2**63}_c1s1_1.jpg")
    message = f"Market1501: the name of .*{2**63}_c1s1_1.jpg: the number {2**63} does not fit"
    with pytest.raises(ValueError, match=message):
        getattr(Market1501(tmp_path), "train" if "train" in split else split)


def test_digits_of_other_scripts_are_not_numbers(tmp_path):
    folder = write_market(tmp_path)
    touch(folder / "query", "٧_c1s1_1.jpg")
    with pytest.raises(ValueError, match="the name of .*٧_c1s1_1.jpg does not start with"):
        Market1501(tmp_path).query  # noqa: B018


def test_a_file_with_another_name_is_rejected(tmp_path):
    folder = write_market(tmp_path)
    touch(folder / "query", "person.jpg")
    with pytest.raises(ValueError, match=r"Market1501: the name of .*person\.jpg does not start"):
        Market1501(tmp_path).query  # noqa: B018


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The data root .*none is not a folder"):
        Market1501(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"Market1501: the folder .*v15\.09\.15 is missing"):
        Market1501(tmp_path).train  # noqa: B018
    touch(tmp_path / "Market-1501-v15.09.15" / "bounding_box_train", "readme.txt")
    with pytest.raises(ValueError, match=r"bounding_box_train has no images"):
        Market1501(tmp_path).train  # noqa: B018
    with pytest.raises(FileNotFoundError, match=r"the folder .*query is missing"):
        Market1501(tmp_path).query  # noqa: B018


def test_the_500k_distractors_are_in_the_gallery_if_chosen(tmp_path, monkeypatch):
    folder = write_market(tmp_path)
    touch(folder / "images", "0000_c2s1_000001_00.jpg", "-1_c2s1_000001_00.jpg")
    market = Market1501(tmp_path, market1501_500k=True)
    assert names_of(market.gallery)[2:] == [("0000_c2s1_000001_00.jpg", 0, 1)]
    assert names_of(market.gallery)[:2] == names_of(Market1501(tmp_path).gallery)
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    cfg = get_cfg()
    cfg.DATASETS.MARKET1501_500K = True
    assert load_dataset(cfg, "Market1501").gallery == market.gallery
    shutil.rmtree(folder / "images")
    with pytest.raises(FileNotFoundError, match="Market1501: the folder .*images is missing"):
        Market1501(tmp_path, market1501_500k=True).gallery  # noqa: B018


def test_the_flat_layout_is_read_with_a_warning(tmp_path, caplog):
    expected = Market1501(write_market(tmp_path / "named").parent)
    write_market(tmp_path).rename(tmp_path / "flat")
    flat = Market1501(tmp_path / "flat")
    for split in ("train", "query", "gallery"):
        assert names_of(getattr(flat, split)) == names_of(getattr(expected, split))
    assert "this is deprecated. Move them into Market-1501-v15.09.15" in caplog.text
