from pathlib import Path

import numpy as np
import pytest

from fastreid.evaluation import FeatureSet, ImageFeatures, look_for_images, under_root
from fastreid.evaluation.features.image_paths import common_folder
from fastreid.utils.visualizer import RankedImage, RankedQuery
from test.data.datasets.layouts import touch

NAMES = ("query/1.jpg", "gallery/1.jpg", "gallery/deep/2.jpg")


def features(*paths):
    labels = np.arange(len(paths))
    images = ImageFeatures(np.ones((len(paths), 2)), labels, labels, np.array(paths))
    return FeatureSet(images, 1, "Toy")


@pytest.mark.parametrize("former", ["/gone/set", "set", "a/set", "."])
@pytest.mark.parametrize("is_above", [False, True])
def test_images_are_found_where_their_folder_is_now(tmp_path, former, is_above):
    # The folder itself, or one above it that was moved with all that was in it.
    below = Path(former).name if is_above else ""
    touch(tmp_path / below, *NAMES)
    stored = features(*(str(Path(former, name)) for name in NAMES))
    moved = under_root(stored, tmp_path, source="f.npz").images.paths.tolist()
    assert moved == [str(tmp_path / below / name) for name in NAMES]


def test_images_that_exist_only_at_their_old_path_keep_it(tmp_path):
    former, root = tmp_path / "former", tmp_path / "root"
    touch(root, NAMES[0])
    touch(former, NAMES[0], NAMES[1])
    stored = features(*(str(former / name) for name in NAMES))
    moved = under_root(stored, root, source="f.npz").images.paths.tolist()
    assert moved == [str(root / NAMES[0]), str(former / NAMES[1]), str(root / NAMES[2])]


def test_equal_file_names_in_other_folders_are_not_matched(tmp_path):
    # query/1.jpg and gallery/1.jpg are two images: neither is this one.
    touch(tmp_path, "1.jpg")
    with pytest.raises(FileNotFoundError, match="none of the images of f.npz is there. They were"):
        under_root(features("/gone/query/1.jpg", "/gone/gallery/1.jpg"), tmp_path, source="f.npz")


def test_images_that_were_not_moved_stay_where_they_are(tmp_path, caplog):
    touch(tmp_path / "set", *NAMES)
    (tmp_path / "root").mkdir()
    stored = features(*(str(tmp_path / "set" / name) for name in NAMES))
    assert under_root(stored, tmp_path / "root", source="f.npz") is stored
    assert f"f.npz: its images are still in {tmp_path / 'set'}, not in --root" in caplog.text


def test_the_common_folder_is_that_of_all_images():
    assert common_folder(["/a/b/1.jpg", "/a/c/2.jpg"]) == "/a"
    assert common_folder(["/a/b/1.jpg"]) == "/a/b"
    assert common_folder(["x/1.jpg", "y/2.jpg"]) == "."
    assert common_folder(["x/1.jpg", "/y/2.jpg"]) == "."


def look(folder, *present, **options):
    """Look for a query and two gallery images, of a gallery that has others in another folder."""
    touch(folder / "shown", *present)
    query, *gallery = (RankedImage(str(folder / "shown" / name), 1, 0, 0.5) for name in "abc")
    queries = [RankedQuery(query, 0.5, tuple(gallery))]
    paths = [image.path for image in (query, *gallery)]
    everything = features(*paths, str(folder / "other" / "d"))
    return queries, look_for_images(queries, everything, source="f.npz", **options)


def test_missing_images_are_one_warning_and_marked(tmp_path, caplog):
    _, (marked,) = look(tmp_path, "a", "c")
    (record,) = caplog.records
    reported = f"f.npz: 1 of 3 images to be drawn are not found, first {tmp_path / 'shown' / 'b'}. "
    reported += (
        "If they were moved, give --root the new path of the folder that contained them all; "
    )
    reported += f"it was '{tmp_path}'. They are drawn as empty tiles."
    assert record.getMessage() == reported
    assert [image.is_found for image in (marked.image, *marked.gallery)] == [True, False, True]


def test_nothing_is_logged_if_all_images_exist(tmp_path, caplog):
    given, found = look(tmp_path, "a", "b", "c")
    assert found == given
    assert caplog.text == ""


@pytest.mark.parametrize("present", [(), ("a",)])
def test_it_is_an_error_if_no_image_exists(tmp_path, present):
    message = "f.npz: [23] of [23] images to be drawn are not found.*--root.*Nothing is drawn"
    with pytest.raises(FileNotFoundError, match=message):
        look(tmp_path, *present, with_queries="a" not in present)
