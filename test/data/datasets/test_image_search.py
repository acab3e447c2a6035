import os

import pytest
from PIL import Image

from fastreid.data.data_utils import read_image
from fastreid.data.datasets.files.image_search import (
    COMPANION,
    FOLDER,
    HIDDEN,
    LOOP,
    OTHER_SUFFIX,
    READ_ALREADY,
    UNREADABLE,
    image_suffixes,
    search_images,
)
from test.data.datasets.layouts import touch

WRITTEN = ("bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pcx", "png", "ppm", "tga", "tif", "tiff")


def names(found, folder):
    return [path.relative_to(folder).as_posix() for path in found.images]


def passed_over(found):
    return {name: reason for name, reason in found.passed_over}


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_images_are_found_by_their_suffix_in_any_case_and_read(tmp_path, suffix, change):
    path = tmp_path / change(f"a.{suffix}")
    Image.new("RGB", (4, 8), (9, 90, 200)).save(path)
    assert search_images(tmp_path).images == [path]
    assert read_image(str(path)).size == (4, 8)


def test_all_suffixes_that_pillow_opens_are_searched_except_those_of_other_media():
    known = Image.registered_extensions()
    left_out = {suffix for suffix, name in known.items() if name in Image.OPEN} - image_suffixes()
    assert {known[suffix] for suffix in left_out} == {
        *("BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF", "ICO", "CUR", "ICNS")
    }
    assert not image_suffixes() & {".pdf", ".mpg", ".h5", ".txt", ""}
    assert {".webp", ".mpo", ".jp2", ".sgi"} <= image_suffixes()


def test_the_suffix_of_a_plugin_format_is_searched(monkeypatch):
    Image.init()
    monkeypatch.setitem(Image.EXTENSION, ".new", "NEW")
    assert ".new" not in image_suffixes()
    monkeypatch.setitem(Image.OPEN, "NEW", (None, None))
    assert ".new" in image_suffixes()


def test_images_are_sorted_as_paths_are(tmp_path):
    given = ("b.JPG", "a/2.webp", "a/10.png", "a.b/1.gif", "a b/1.gif", "c.tiff", "B.jpg")
    touch(tmp_path, *given)
    assert search_images(tmp_path).images == sorted(tmp_path / name for name in given)


def test_files_that_are_not_images_are_skipped_and_described(tmp_path):
    touch(tmp_path, "a.jpg", "b.txt", "c", "d.jpg.part", "Thumbs.db", "README.md", ".e.jpg")
    touch(tmp_path, ".thumbs/f.jpg", "__MACOSX/g.jpg", "@eaDir/h.jpg", "deep/._i.jpg")
    found = search_images(tmp_path)
    assert names(found, tmp_path) == ["a.jpg"]
    assert passed_over(found) == {
        **dict.fromkeys(["b.txt", "c", "d.jpg.part"], OTHER_SUFFIX),
        **dict.fromkeys(["Thumbs.db", "README.md"], COMPANION),
        **dict.fromkeys([".e.jpg", ".thumbs", "__MACOSX", "@eaDir", "deep/._i.jpg"], HIDDEN),
    }
    assert (
        "3 files without the suffix of an image format (b.txt, c, d.jpg.part)" in found.describe()
    )
    quiet = found.describe(is_quiet=True)
    assert quiet.startswith(f"Skipped in {tmp_path}: 3 files without the suffix")
    assert "Thumbs.db" not in quiet
    assert "thumbs" not in quiet


def test_skipped_files_are_counted_and_the_first_five_of_a_kind_are_named(tmp_path):
    touch(tmp_path, *(f"{number}.txt" for number in range(7)))
    reported = search_images(tmp_path).describe()
    assert reported.endswith("(0.txt, 1.txt, 2.txt, 3.txt, 4.txt, ...).")
    assert "7 files" in reported


def test_a_folder_with_the_name_of_an_image_is_searched(tmp_path):
    touch(tmp_path, "shoot.jpg/1.png")
    assert names(search_images(tmp_path), tmp_path) == ["shoot.jpg/1.png"]
    found = search_images(tmp_path, is_deep=False)
    assert (found.images, passed_over(found)) == ([], {"shoot.jpg": FOLDER})


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "photos/own/1.jpg", "elsewhere/2.jpg", "elsewhere/in/3.jpg")
    photos = tmp_path / "photos"
    (photos / "a").symlink_to(photos / "own")
    (photos / "b").symlink_to(tmp_path / "elsewhere")
    (photos / "c.jpg").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(photos)
    (tmp_path / "elsewhere" / "beside").symlink_to(photos / "own")
    found = search_images(photos)
    assert names(found, photos) == ["b/2.jpg", "b/in/3.jpg", "own/1.jpg"]
    assert passed_over(found) == {
        "a": READ_ALREADY,
        "c.jpg": READ_ALREADY,
        "b/back": LOOP,
        "b/beside": READ_ALREADY,
    }


def test_loops_end_and_are_named(tmp_path):
    touch(tmp_path, "a/b/1.jpg", "a/other/2.jpg", "3.jpg")
    folder = tmp_path / "a" / "b"
    (folder / "here").symlink_to(".")
    (folder / "up").symlink_to("..")
    (folder / "top").symlink_to("/")
    found = search_images(tmp_path / "a")
    assert names(found, tmp_path / "a") == ["b/1.jpg", "other/2.jpg"]
    assert passed_over(found) == dict.fromkeys(["b/here", "b/up", "b/top"], LOOP)


def test_broken_links_are_listed_as_images(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "none")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "none")
    found = search_images(tmp_path)
    assert names(found, tmp_path) == ["gone.jpg", "self.jpg"]
    assert passed_over(found) == {"gone": OTHER_SUFFIX}


def test_a_folder_without_read_permission_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    scandir = os.scandir

    def refuse(path):
        if str(path) == str(tmp_path / "a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    # Root, who runs tests in containers, may open every folder.
    monkeypatch.setattr(os, "scandir", refuse)
    found = search_images(tmp_path)
    assert names(found, tmp_path) == ["b/2.jpg"]
    assert passed_over(found) == {"a": UNREADABLE}
    with pytest.raises(PermissionError):
        search_images(tmp_path / "a")


def test_names_that_are_not_utf8_are_found(tmp_path):
    name = os.fsdecode(b"0001_c1_\xc4\xe3.jpg")
    touch(tmp_path, name)
    assert names(search_images(tmp_path), tmp_path) == [name]
