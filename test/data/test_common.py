import pytest

from fastreid.data.common import CommDataset

ITEMS = [
    ("a.jpg", "B_10", "B_1"),
    ("b.jpg", "B_2", "B_0"),
    ("c.jpg", "A_7", "A_0"),
    ("d.jpg", "B_10", "B_0"),
    ("e.jpg", "A_test_7", "A_3"),
]


def test_classes_and_cameras_are_sorted_strings_domain_after_domain():
    dataset = CommDataset(ITEMS, domains=["B", "A"])
    assert dataset.pids == ["B_10", "B_2", "A_7", "A_test_7"]
    assert dataset.targets.tolist() == [0, 1, 2, 0, 3]
    assert dataset.cams == ["B_0", "B_1", "A_0", "A_3"]
    assert dataset.camids.tolist() == [1, 0, 2, 0, 3]
    assert dataset.domainids.tolist() == [0, 0, 1, 0, 1]
    assert dataset.classes_per_domain == [2, 2]
    assert (dataset.num_classes, dataset.num_cameras, len(dataset)) == (4, 4, 5)
    assert dataset.indices_of(1) == [2, 4]
    assert dataset.img_items == ITEMS


def test_without_domains_all_items_are_of_domain_0():
    dataset = CommDataset(ITEMS)
    assert dataset.domainids.tolist() == [0] * 5
    assert dataset.classes_per_domain == [4]
    assert dataset.targets.tolist() == [2, 3, 0, 2, 1]


def test_a_test_set_keeps_its_numbers():
    dataset = CommDataset([("a", 30, 2), ("b", -1, 0), ("c", 30, 1)], relabel=False)
    assert dataset.targets.tolist() == [30, -1, 30]
    assert dataset.camids.tolist() == [2, 0, 1]
    assert dataset.num_classes == 2


def test_the_longest_domain_name_that_fits_wins():
    items = [("a", "CUHK_1", "CUHK_0"), ("b", "CUHK_SYSU_1", "CUHK_SYSU_0")]
    assert CommDataset(items, domains=["CUHK", "CUHK_SYSU"]).domainids.tolist() == [0, 1]


def test_an_identity_of_no_domain_is_named():
    with pytest.raises(ValueError, match=r"'A_7' belongs to none of DATASETS.NAMES \('B',\)"):
        CommDataset(ITEMS[:3], domains=["B"])


def test_a_domain_without_images_is_named():
    with pytest.raises(ValueError, match="data set C of DATASETS.NAMES has no training images"):
        CommDataset(ITEMS, domains=["A", "B", "C"])
