from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.data import check_test_sets
from fastreid.data.dataset_check import check_dataset, check_train_set
from fastreid.data.datasets import DATASET_REGISTRY

RNG = np.random.default_rng(0)
FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


@pytest.fixture
def add(tmp_path):
    """Write an image of Market1501's layout."""

    def write(split, pid, camera, number=0):
        folder = tmp_path / "Market-1501-v15.09.15" / FOLDERS[split]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{pid:04d}_c{camera}s1_{number:06d}_00.jpg"
        pixels = RNG.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def market(add, tmp_path):
    for pid, camera in ((1, 1), (1, 2), (2, 1), (2, 2)):
        add("train", pid, camera)
    for pid in (3, 4):
        add("query", pid, 1)
        add("gallery", pid, 2)

    def load(name="Market1501"):
        return DATASET_REGISTRY.get(name)(root=tmp_path)

    return load


@pytest.mark.parametrize("options", [{"quick": True}, {}, {"num_workers": 1}])
def test_a_sound_set_has_counts_and_nothing_else(market, options):
    result = check_dataset(market(), **options)
    assert result.counts == {"train": (2, 4, 2), "query": (2, 2, 1), "gallery": (2, 2, 1)}
    assert (result.faults, result.remarks) == ([], [])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_broken_files_are_faults(market, add, num_workers):
    empty, cut = add("train", 5, 1), add("gallery", 6, 1)
    whole = cut.read_bytes()
    empty.write_bytes(b"")
    cut.write_bytes(whole[: len(whole) // 2])
    result = check_dataset(market(), num_workers=num_workers)
    assert result.faults[0].startswith(f"Image files that cannot be read: 1 ({cut} (")
    assert result.faults[1] == f"Image files that are empty: 1 ({empty})."
    assert check_dataset(market(), quick=True).faults == result.faults[1:]


def test_identities_of_training_and_test_are_told(market, add):
    add("train", 3, 1)
    add("train", 3, 2)
    (fault,) = check_dataset(market(), quick=True).faults
    assert fault.startswith("Test identities that are training identities too: 1 (3). Do not test")


def test_what_is_in_both_by_protocol_is_a_note(tmp_path):
    folders = ("cuhk_sysu/cropped_images", "cuhksysu4reid/query", "cuhksysu4reid/gallery")
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        pixels = np.full((8, 8, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "p7_s1.jpg")
    result = check_dataset(DATASET_REGISTRY.get("cuhkSYSU")(root=tmp_path))
    assert result.faults == []
    assert any(
        remark.startswith("Test identities that are training identities too: 1")
        for remark in result.remarks
    )


def test_few_images_and_cameras_are_noted(market, add):
    add("train", 8, 1)
    remarks = check_dataset(market(), quick=True).remarks
    assert "Training identities with a single image: 1 of 3." in remarks
    assert "Training identities seen by one camera only: 1 of 3." in remarks


def test_a_test_image_that_is_in_training_under_another_name_is_noted(market, add):
    source, copy = add("train", 1, 3), add("gallery", 9, 1)
    copy.write_bytes(source.read_bytes())
    result = check_dataset(market())
    assert any(
        r.startswith("Files in training and in test, under two names: 1") for r in result.remarks
    )


def test_unusual_images_are_counted(market, add):
    path = add("train", 1, 4)
    Image.new("CMYK", (8, 16)).save(path)
    remarks = check_dataset(market()).remarks
    assert "Images of unusual kinds, which become upright 8-bit RGB (CMYK: 1)." in remarks


def test_counts_like_the_published_ones_but_not_equal_are_noted(market):
    data = market()
    data._published = {"train": type(data).published["train"]._replace(ids=2, images=5)}
    expected = "train: 2 identities and 4 images; the published set has 2 and 5."
    assert expected in check_dataset(data, quick=True).remarks


def test_links_that_lead_back_are_faults(market, add):
    folder = add("train", 1, 5).parent
    (folder / "again").symlink_to(folder)
    (fault,) = check_dataset(market(), quick=True).faults
    assert fault.startswith(
        f"Links that lead back to a folder above them: 1 ({folder / 'again'} -> "
    )


def test_training_does_not_start_with_empty_files_unless_they_may_be_skipped(market, add, caplog):
    path = add("train", 5, 1)
    Path(path).write_bytes(b"")
    with pytest.raises(
        ValueError, match=rf"Data set M: Image files that are empty: 1 \({path}\). Unpack"
    ):
        check_train_set("M", market(), skips_unreadable=False)
    check_train_set("M", market(), skips_unreadable=True)
    assert f"Data set M: Image files that are empty: 1 ({path})." in caplog.text


def test_test_sets_are_looked_at_before_training(market, add, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    check_test_sets(get_cfg())
    path = add("query", 3, 4)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"Test set Market1501: .* empty: 1 \({path}\). Unpack"):
        check_test_sets(get_cfg())
    path.unlink()
    for image in (path.parent.parent / "bounding_box_test").iterdir():
        image.unlink()
    add("gallery", 9, 1)
    with pytest.raises(ValueError, match="No query of the test set Market1501 has a match"):
        check_test_sets(get_cfg())
