import pytest

from fastreid.data.datasets import Market1501

from .layouts import names_of, touch, write_market


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


def test_combineall_leaves_out_distractors(tmp_path):
    write_market(tmp_path)
    added = names_of(Market1501(tmp_path, combineall=True).train)[3:]
    assert added == [
        ("0001_c1s1_001051_00.jpg", "Market1501_test_1", "Market1501_test_0"),
        ("0001_c2s1_001976_01.jpg", "Market1501_test_1", "Market1501_test_1"),
    ]


def test_a_file_of_another_name_is_refused(tmp_path):
    folder = write_market(tmp_path)
    touch(folder / "query", "person.jpg")
    with pytest.raises(ValueError, match=r"Market1501: the name of .*person\.jpg does not begin"):
        Market1501(tmp_path).query  # noqa: B018


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The data root .*none is not a folder"):
        Market1501(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"Market1501: the folder .*v15\.09\.15 is missing"):
        Market1501(tmp_path).train  # noqa: B018
    touch(tmp_path / "Market-1501-v15.09.15" / "bounding_box_train", "readme.txt")
    with pytest.raises(ValueError, match=r"bounding_box_train has no \*\.jpg images"):
        Market1501(tmp_path).train  # noqa: B018
    with pytest.raises(FileNotFoundError, match=r"the folder .*query is missing"):
        Market1501(tmp_path).query  # noqa: B018
