import logging

import numpy as np
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
    dataset = CommDataset(ITEMS, domains=["B", "A"], domainids=[0, 0, 1, 0, 1])
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


def test_numbers_of_a_test_set_have_64_bits_and_those_of_training_32():
    numbers = [2**63 - 1, 2**63 - 1 - 2**32, -(2**63)]
    items = [(f"{n}.jpg", number, number) for n, number in enumerate(numbers)]
    dataset = CommDataset(items, relabel=False)
    assert dataset.targets.tolist() == dataset.camids.tolist() == numbers
    assert dataset.targets.dtype == dataset.camids.dtype == np.int64
    trained = CommDataset(ITEMS)
    assert {trained.targets.dtype, trained.camids.dtype, trained.domainids.dtype} == {
        np.dtype(np.int32)
    }


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (("a.jpg", 2**63, 0), "a.jpg, identity: the number 9223372036854775808 does not fit"),
        (("a.jpg", 0, -(2**63) - 1), "a.jpg, camera: the number -9223372036854775809 does not"),
        (("a.jpg", 7.5, 0), "a.jpg, identity: 7.5 is not a whole number"),
        (("a.jpg", "7", 0), "a.jpg: the identity '7' of a test item must be an integer"),
    ],
)
def test_a_test_label_that_is_not_an_integer_of_64_bits_is_rejected(item, message):
    with pytest.raises(ValueError, match=message):
        CommDataset([item], relabel=False)


def test_data_sets_are_domains_also_with_equal_labels():
    sets = {"A": [("a", "x_10", "x_0"), ("b", "x_2", "x_1")], "B": [("c", "A_1", "A_0")]}
    dataset = CommDataset.of_sets(sets)
    assert dataset.domains == ("A", "B")
    assert dataset.domainids.tolist() == [0, 0, 1]
    assert dataset.classes_per_domain == [2, 1]
    assert dataset.pids == ["x_10", "x_2", "A_1"]
    assert dataset.targets.tolist() == [0, 1, 2]
    assert dataset.camids.tolist() == [0, 1, 2]
    assert dataset.img_items == [*sets["A"], *sets["B"]]


def test_equal_labels_of_two_sets_get_prefixes(caplog):
    sets = {"A": [("a", "1", "c0"), ("b", "2", "c1")], "B": [("c", "1", "c1"), ("d", "3", "c2")]}
    with caplog.at_level(logging.INFO):
        dataset = CommDataset.of_sets(sets)
    assert dataset.pids == ["2", "A:1", "3", "B:1"]
    assert dataset.cams == ["A:c1", "c0", "B:c1", "c2"]
    assert dataset.targets.tolist() == [1, 0, 3, 2]
    assert dataset.camids.tolist() == [1, 0, 2, 3]
    assert dataset.img_items[2] == ("c", "B:1", "B:c1")
    assert (
        "1 identities, such as '1', are in several of the data sets ('A', 'B'); they" in caplog.text
    )


def test_an_identity_in_two_domains_is_named():
    with pytest.raises(ValueError, match="identity 'A_7' of e.jpg is in two data sets"):
        CommDataset(
            [("a.jpg", "A_7", "A_0"), ("e.jpg", "A_7", "A_0")], domains="AB", domainids=[0, 1]
        )


def test_a_domain_without_images_is_named():
    with pytest.raises(ValueError, match="data set C of DATASETS.NAMES has no training images"):
        CommDataset.of_sets({"A": ITEMS, "C": []})


def test_the_positional_arguments_are_those_of_fast_reid():
    items = [("a.jpg", 7, 3), ("b.jpg", 5, 3)]
    transform = str.upper
    kept = CommDataset(items, transform, False)
    assert kept.transform is transform
    assert kept.targets.tolist() == [7, 5]
    assert CommDataset(items, None, True).targets.tolist() == [1, 0]
    assert CommDataset(items).relabel
    with pytest.raises(TypeError, match="transform is False, which cannot be called; relabel is"):
        CommDataset(items, False)
