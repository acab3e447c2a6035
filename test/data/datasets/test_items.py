import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from fastreid.data.common import CommDataset
from fastreid.data.datasets import ImageDataset


class MySet(ImageDataset):
    dataset_name = "myset"


GOOD = [("a.jpg", 1, 0), ("b.jpg", 2, 1)]


def test_integers_in_training_are_prefixed_with_the_class_name():
    items = [("a.jpg", 1, 0), ["b.jpg", np.int64(10), np.int32(1)], (Path("c.jpg"), "x_2", "02")]
    data = MySet(items, [], [])
    assert data.train == [
        ("a.jpg", "MySet_1", "MySet_0"),
        ("b.jpg", "MySet_10", "MySet_1"),
        ("c.jpg", "x_2", "MySet_2"),
    ]
    assert CommDataset.of_sets({"MySet": data.train}).targets.tolist() == [0, 1, 2]


def test_strings_in_test_splits_are_numbered_and_equal_strings_get_the_same_number():
    query = [("q.jpg", "anna", "hall"), ("r.jpg", "7", "c2")]
    gallery = [("g.jpg", "bo", "c2"), ("h.jpg", "anna", "gate"), ("i.jpg", 7, 1)]
    data = MySet([], query, gallery)
    assert data.query == [("q.jpg", 0, 3), ("r.jpg", 7, 0)]
    assert data.gallery == [("g.jpg", 1, 0), ("h.jpg", 0, 2), ("i.jpg", 7, 1)]


def test_integers_in_test_splits_are_kept_beside_strings():
    data = MySet([], [("q.jpg", 0, 1)], [("g.jpg", "anna", 0), ("h.jpg", -3, 0)])
    assert data.query == [("q.jpg", 0, 1)]
    assert data.gallery == [("g.jpg", 1, 0), ("h.jpg", -3, 0)]


def test_label_names_are_the_original_labels():
    data = MySet([], [("q.jpg", "anna", "hall")], [("g.jpg", 7, "02"), ("h.jpg", "anna", 2)])
    assert data.label_names().pids.tolist() == ["anna", "7", "anna"]
    assert data.label_names().camids.tolist() == ["hall", "02", "2"]
    assert data.gallery == [("g.jpg", 7, 2), ("h.jpg", 0, 2)]


def test_a_number_that_is_too_large_is_named():
    long = "9" * 20
    for number in (long, int(long), 2**63, -(2**63) - 1):
        for split, column in itertools.product(("train", "query", "gallery"), (1, 2)):
            item = ["b.jpg", 3, 4]
            item[column] = number
            data = MySet(**{"train": GOOD, "query": GOOD, "gallery": GOOD, split: [*GOOD, item]})
            reported = (
                f"Data set MySet, {split}, item 2: the number {number} does not fit into 64 bits"
            )
            with pytest.raises(ValueError, match=reported):
                getattr(data, split)


def test_the_largest_numbers_keep_their_digits():
    numbers = [2**63 - 1, -(2**63), 2**32, 2**31, 0]
    items = [(f"{number}.jpg", number, number) for number in numbers]
    data = MySet([], items, items)
    assert data.query == data.gallery == items
    test_set = CommDataset([*data.query, *data.gallery], relabel=False)
    assert test_set.targets.tolist() == test_set.camids.tolist() == [*numbers, *numbers]


def test_white_space_around_a_name_is_ignored():
    items = [("a.jpg", "anna", " hall"), ("b.jpg", " anna ", "hall")]
    data = MySet(items, items, items)
    assert data.train == [("a.jpg", "anna", "hall"), ("b.jpg", "anna", "hall")]
    assert data.query == [("a.jpg", 0, 0), ("b.jpg", 0, 0)]
    with pytest.raises(ValueError, match="MySet, query, item 0: the label is empty"):
        MySet([], [("a.jpg", " ", 0)], []).query  # noqa: B018


def test_an_integer_and_a_string_that_would_get_the_same_label_are_rejected():
    assert MySet([("a.jpg", 7, 0), ("b.jpg", 8, "MySet_7")], [], []).train[1][2] == "MySet_7"
    with pytest.raises(ValueError, match="the number 7 is named 'MySet_7', which is also a label"):
        MySet([("a.jpg", "007", 0), ("b.jpg", "MySet_7", 0)], [], []).train  # noqa: B018


def test_spellings_of_a_number_are_one_person_with_combineall():
    data = MySet([], [("q.jpg", "007", "01")], [("g.jpg", 7, 1)], combineall=True)
    assert data.train == [
        ("q.jpg", "myset_test_7", "myset_test_1"),
        ("g.jpg", "myset_test_7", "myset_test_1"),
    ]


@pytest.mark.parametrize(
    ("junk", "found"), [((0, -1), {-1}), (["007"], {7}), (["nobody", "+7"], {1, 7}), ((), set())]
)
def test_junk_identities_are_compared_in_their_normal_form(junk, found):
    class Crowd(ImageDataset):
        _junk_pids = junk

    items = [("a.jpg", "anna", 0), ("b.jpg", -1, 0), ("c.jpg", 7, 0), ("d.jpg", "nobody", 0)]
    data = Crowd([], items, items, combineall=True)
    # "anna" has the number 0 and "nobody" the number 1, but neither is called so.
    assert set(data.junk_pids) == found
    assert len(data.train) == 2 * (len(items) - len(found))


@pytest.mark.parametrize("junk", [-1, "-1", None])
def test_junk_identities_that_are_not_a_list_are_rejected(junk):
    class Crowd(ImageDataset):
        _junk_pids = junk

    with pytest.raises(ValueError, match=f"Data set Crowd: _junk_pids must be a list .* {junk!r}"):
        Crowd(GOOD, GOOD, GOOD).junk_pids  # noqa: B018


def test_combineall_keeps_the_original_labels_and_leaves_out_junk():
    class Crowd(ImageDataset):
        dataset_name = "crowd"
        _junk_pids = ("nobody", -1)

    data = Crowd(
        [("t.jpg", 1, 0)],
        [("q.jpg", "anna", "hall")],
        [("g.jpg", "nobody", "gate"), ("h.jpg", "-1", "gate"), ("i.jpg", "anna", 2)],
        combineall=True,
    )
    assert data.train == [
        ("t.jpg", "Crowd_1", "Crowd_0"),
        ("q.jpg", "crowd_test_anna", "crowd_test_hall"),
        ("i.jpg", "crowd_test_anna", "crowd_test_2"),
    ]
    numbers = {Path(path).name: pid for path, pid, _ in data.gallery}
    assert set(data.junk_pids) == {numbers["g.jpg"], numbers["h.jpg"]}


def test_fields_after_the_third_are_left_out(caplog):
    with caplog.at_level("INFO"):
        assert MySet([("a.jpg", "x", "y", 5, None)], GOOD, GOOD).train == [("a.jpg", "x", "y")]
    assert "Data set MySet, train: fields after path, identity and camera are" in caplog.text


@pytest.mark.parametrize("source", [iter, lambda items: (item for item in items)])
def test_items_of_a_generator_are_read_once(source):
    data = MySet(source(GOOD), lambda: source(GOOD), source(GOOD))
    assert data.query == data.query == data.gallery == GOOD


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (("a.jpg", 1), r"item 2 is \('a.jpg', 1\); it must be \(path, identity, camera\)"),
        ("a.jpg", r"item 2 is 'a.jpg'; it must be"),
        (None, "item 2 is None; it must be"),
        ({"a.jpg", 1, 0}, "item 2 is {.*}; it must be"),
        ((b"a.jpg", 1, 0), "the path must be a string or a path object, not bytes"),
        ((3, 1, 0), "the path must be a string or a path object, not int"),
        (("", 1, 0), "the path must be a string or a path object, not an empty string"),
        (("a.jpg", 1.0, 0), "the identity must be an integer or a string, not float"),
        (("a.jpg", np.float32(1), 0), "the identity must be .*, not float32"),
        (("a.jpg", None, 0), "the identity must be an integer or a string, not NoneType"),
        (("a.jpg", True, 0), "the identity must be an integer or a string, not bool"),
        (("a.jpg", np.bool_(1), 0), "the identity must be an integer or a string, not bool"),
        (("a.jpg", "", 0), "the identity must be an integer or a string, not an empty string"),
        (("a.jpg", 1, [0]), "the camera must be an integer or a string, not list"),
        (("a.jpg", b"1", 0), "the identity must be an integer or a string, not bytes"),
    ],
)
@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_an_invalid_item_is_shown(split, item, message):
    splits = {"train": GOOD, "query": GOOD, "gallery": GOOD, split: [*GOOD, item]}
    data = MySet(**splits)
    with pytest.raises(ValueError, match=message) as info:
        getattr(data, split)
    assert str(info.value).startswith(f"Data set MySet, {split}, item 2 is ")


@pytest.mark.parametrize("items", [None, 3, "a.jpg", {"a.jpg": 1}])
def test_a_split_that_is_not_a_list_is_named(items):
    message = f"Data set MySet, query must be a list of items .* but is {re.escape(repr(items))}"
    with pytest.raises(ValueError, match=message):
        MySet(GOOD, items, GOOD).query  # noqa: B018
    with pytest.raises(ValueError, match=message):
        MySet(GOOD, lambda: items, GOOD).query  # noqa: B018


def test_a_class_that_does_not_call_super_is_named():
    class Forgetful(ImageDataset):
        def __init__(self, root="datasets", **kwargs):
            self.root = root

    data = Forgetful()
    for ask in (lambda: data.train, lambda: data.query, data.show_test):
        with pytest.raises(ValueError, match=r"class Forgetful does not call super\(\).__init__\("):
            ask()


def test_attributes_that_data_sets_of_fast_reid_use_exist(tmp_path):
    data = MySet(GOOD, GOOD, GOOD, root="x", verbose=True, mode="train", transform=None)
    assert data.get_num_pids(data.train) == data.get_num_cams(data.query) == 2
    assert data.get_imagedata_info([*GOOD, ("c.jpg", 2, 2)]) == (2, 3, 3)
    data.check_before_run(str(tmp_path))
    data.check_before_run([tmp_path, str(tmp_path)])
    with pytest.raises(FileNotFoundError, match=rf"Data set MySet: {tmp_path}/gone does not exist"):
        data.check_before_run([tmp_path, tmp_path / "gone"])
    data.combine_all()
    assert len(data.train) == 6
