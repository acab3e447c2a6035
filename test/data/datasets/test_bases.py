import logging
import re

import pytest

from fastreid.data.datasets import DATASET_REGISTRY, Counts, ImageDataset


class People(ImageDataset):
    dataset_name = "People"
    _junk_pids = (0,)


TRAIN = [("a.jpg", "People_3", "People_0"), ("b.jpg", "People_3", "People_1")]
QUERY = [("q.jpg", 5, 0)]
GALLERY = [("g.jpg", 5, 1), ("d.jpg", 0, 2)]


def test_a_data_set_gives_its_items_and_their_counts():
    people = People(TRAIN, QUERY, GALLERY)
    assert people.train == TRAIN
    assert people.query == QUERY
    assert people.gallery == GALLERY
    assert (people.num_train_pids, people.num_train_cams) == (1, 2)
    assert people.parse_data(GALLERY) == (2, 2)


def test_a_split_is_read_once_at_its_first_use():
    read = []

    def source(split, items):
        return lambda: read.append(split) or items

    people = People(*(source(*pair) for pair in zip("tqg", (TRAIN, QUERY, GALLERY))))
    assert read == []
    assert people.query == people.query == QUERY
    assert read == ["q"]


def test_combineall_trains_on_test_persons_too_without_junk():
    people = People(TRAIN, QUERY, GALLERY, combineall=True)
    assert people.train == [
        *TRAIN,
        ("q.jpg", "People_test_5", "People_test_0"),
        ("g.jpg", "People_test_5", "People_test_1"),
    ]
    assert people.gallery == GALLERY


def test_the_tables_show_ids_images_and_cameras(caplog):
    people = People(TRAIN, QUERY, GALLERY)
    with caplog.at_level(logging.INFO, logger="fastreid"):
        people.show_train()
        people.show_test()
    text = re.sub(r"\x1b\[\d+m", "", caplog.text)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert text.count("=> Loaded People:") == 2
    assert ["subset", "# ids", "# images", "# cameras"] in rows
    for row in (["train", "1", "2", "2"], ["query", "1", "1", "1"], ["gallery", "2", "2", "2"]):
        assert row in rows


@pytest.mark.parametrize(
    ("published", "warned"),
    [(Counts(1, 2), False), (Counts(1, 3), True), (Counts(2, 2), True), (Counts(9, 900), False)],
)
def test_counts_that_differ_from_the_published_ones_are_a_warning_unless_it_is_a_sample(
    caplog, published, warned
):
    assert People(TRAIN, QUERY, GALLERY, published={"train": published}).train == TRAIN
    assert ("People train: 1 identities and 2 images" in caplog.text) == warned


def test_all_published_counts_have_a_source():
    checked = 0
    for name, entry in DATASET_REGISTRY:
        if entry.__module__.startswith("fastreid."):
            published = getattr(entry, "published", None) or getattr(entry, "layout", None)
            assert entry.counts_source or not published or name == "ImageList", name
            checked += 1
    assert checked > 35


def test_published_counts_are_described_with_their_source():
    class Counted(ImageDataset):
        counts_source = "Doe, 2020"

    assert Counted([], [], []).describe_published() == ""
    counted = Counted([], [], [], published={"train": Counts(3, 12)})
    assert counted.describe_published() == "published: train 3 ids, 12 images (Doe, 2020)."
