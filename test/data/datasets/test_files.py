import codecs
import os

import pytest

from fastreid.data.datasets.files import listed_path, read_lines, read_text, require_images
from test.data.datasets.layouts import touch

TEXT = "path,pid\nim/Zoë.jpg,1\n"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_texts_in_all_supported_encodings_are_read(tmp_path, encoding, end):
    path = tmp_path / "list.csv"
    path.write_bytes(TEXT.replace("\n", end).encode(encoding))
    assert read_text(path) == TEXT
    assert read_lines(path) == ["path,pid", "im/Zoë.jpg,1", ""]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_both_byte_orders_are_read(tmp_path, mark):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    (tmp_path / "a").write_bytes(mark + TEXT.encode(encoding))
    assert read_text(tmp_path / "a") == TEXT


def test_marks_of_concatenated_files_are_removed_and_unusual_separators_kept(tmp_path):
    path = tmp_path / "a"
    path.write_bytes("\ufeffa 0\n\ufeffb\x0b\x85\u2028c 1".encode())
    assert read_lines(path) == ["a 0", "b\x0b\x85\u2028c 1"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_another_encoding_is_named_with_file_and_line(tmp_path, end):
    path = tmp_path / "list.csv"
    path.write_bytes(end.join([b"path,pid", b"a.jpg,1", "b.jpg,大厅".encode("gbk")]))
    with pytest.raises(ValueError, match=r"Line 3 of .*list\.csv is not UTF-8 .*Save it as UTF-8"):
        read_text(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("utf-16-le"), "contains zero bytes: it is not text, or UTF-16 without"),
        (TEXT.encode("utf-16")[:-1], "starts as UTF-16 but is not valid"),
        (codecs.BOM_UTF8 + b"a\n\xff", "Line 2 of .* is not UTF-8"),
        (b"\x89PNG\r\n", "Line 1 of .* is not UTF-8"),
    ],
)
def test_a_file_that_is_not_text_is_named(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_text(tmp_path / "a.csv")
    assert str(tmp_path / "a.csv") in str(raised.value)


def test_backslashes_separate_folders_unless_a_file_has_that_name(tmp_path):
    touch(tmp_path, "a/b.jpg", "c\\d.jpg")
    assert listed_path(tmp_path, "a\\b.jpg", place="x") == tmp_path / "a" / "b.jpg"
    assert listed_path(tmp_path, "c\\d.jpg", place="x") == tmp_path / "c\\d.jpg"
    assert listed_path(tmp_path, "a:1/b.jpg", place="x") == tmp_path / "a:1" / "b.jpg"


@pytest.mark.skipif(os.name == "nt", reason="these are paths of this system there")
@pytest.mark.parametrize("name", ["C:\\data\\x.jpg", "d:/x.jpg", "\\\\server\\share\\x.jpg"])
def test_absolute_paths_of_windows_are_named(tmp_path, name):
    with pytest.raises(ValueError, match="in line 3 of a.csv is a path of Windows"):
        listed_path(tmp_path, name, place="line 3 of a.csv")


@pytest.mark.parametrize(
    ("listed", "there"),
    [("1.jpg", "1.JPG"), ("1.JPG", "1.jpg"), ("1.jpg", "1.png"), ("Zoe\u0308.jpg", "Zo\xeb.jpg")],
)
def test_images_under_similar_names_are_found_and_logged(tmp_path, caplog, listed, there):
    touch(tmp_path, there, "2.jpg")
    caplog.set_level("INFO")
    paths = [tmp_path / "2.jpg", tmp_path / listed]
    assert require_images(paths, "Toy", tmp_path / "list") == [paths[0], tmp_path / there]
    assert f"{listed} is {there}" in caplog.text


def test_an_image_with_two_similar_names_is_missing(tmp_path):
    touch(tmp_path, "1.png", "1.JPG")
    with pytest.raises(FileNotFoundError, match=r"Toy: the image .*1\.jpg, listed in .*list, does"):
        require_images([tmp_path / "1.jpg"], "Toy", tmp_path / "list")
