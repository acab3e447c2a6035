"""Images are listed from folders and from files, with their labels."""

import pytest

from fastreid.extraction import list_images
from test.extraction.cases import PATTERN


@pytest.fixture
def folder(tmp_path):
    for name in ("b/7_c1.jpg", "a/anna_c2.PNG", "a/other.png", ".hidden/1_c1.jpg", "notes.txt"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "images"


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_folder_or_an_address_gives_images_and_labels_of_names(folder, prefix):
    found = list_images(f"{prefix}{folder}" if prefix else folder, PATTERN)
    names = ["a/anna_c2.PNG", "a/other.png", "b/7_c1.jpg"]
    assert found.paths == [f"{folder}/{name}" for name in names]
    assert found.pids == ["anna", "", "7"]
    assert found.camids == ["2", "", "1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_gives_labels_and_relative_paths(tmp_path, delimiter):
    rows = [["camid", "path", "pid"], ["5", "x/1_c1.jpg", "p9"], ["", "s3://bucket/2_c3.jpg", ""]]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    found = list_images(file, PATTERN)
    assert found.paths == [f"{tmp_path}/x/1_c1.jpg", "s3://bucket/2_c3.jpg"]
    assert (found.pids, found.camids) == (["p9", "2"], ["5", "3"])


def test_a_list_of_lines_drops_images_that_are_named_twice(tmp_path, caplog):
    file = tmp_path / "list.txt"
    file.write_text("b.jpg\n\n/a/1_c2.jpg\nb.jpg\n", encoding="utf-8")
    found = list_images(f"file://{file}", PATTERN)
    assert found.paths == [f"file://{tmp_path}/b.jpg", "/a/1_c2.jpg"]
    assert found.pids == ["", "1"]
    assert "names 1 images more than once" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.csv", None, "no.csv does not exist"),
        ("none", None, "none is neither a folder nor a list"),
        ("a.csv", "file,pid\nx.jpg,1\n", "first line of .*a.csv must name the column path"),
        ("a.csv", "path,pid\n,1\n", "Line 2 of .*a.csv has no path"),
        ("a.csv", f"path,pid,camid\na.jpg,{2**63},1\n", "Line 2 of .*a.csv: the number"),
        ("a.txt", "\n", "a.txt has no images"),
    ],
)
def test_a_faulty_list_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises((OSError, ValueError), match=message):
        list_images(tmp_path / name, PATTERN)


def test_an_unknown_file_system_is_named():
    with pytest.raises(OSError, match="nosuch://x/y cannot be opened"):
        list_images("nosuch://x/y", PATTERN)
