import pytest

from fastreid.data.datasets import ImageList
from fastreid.data.datasets.image_list import find_images
from test.data.datasets.layouts import names_of, touch

HEADER = "path,pid,camid,split\n"
LINES = "a/1.jpg,7,0,train\nb/2.png,12,1,query\nb/3.jpg,12,0,gallery\nb/4.jpg,-1,0,gallery\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="list.csv"):
        touch(tmp_path, "a/1.jpg", "b/2.png", "b/3.jpg", "b/4.jpg")
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_csv_file_gives_the_three_splits(write):
    data = ImageList(image_list=write(HEADER + LINES))
    assert names_of(data.train) == [("1.jpg", "ImageList_7", "ImageList_0")]
    assert names_of(data.query) == [("2.png", 12, 1)]
    # Identity -1 is dropped.
    assert names_of(data.gallery) == [("3.jpg", 12, 0)]
    assert data.query[0][0] == str(write("").parent / "b" / "2.png")


def test_columns_may_stand_in_any_order_beside_others(write):
    text = "\ufeffsplit, note, camid, pid, path\nquery, x, 3, 5, b/2.png\n"
    assert names_of(ImageList(image_list=write(text)).query) == [("2.png", 5, 3)]


def test_a_relative_name_is_looked_up_under_the_data_root(write):
    path = write(HEADER + LINES)
    assert len(ImageList(path.parent, image_list="list.csv").gallery) == 1


def test_names_that_are_no_numbers_are_numbered_alike_for_query_and_gallery(write):
    text = HEADER + "b/2.png,bob,east,query\nb/3.jpg,bob,west,gallery\nb/4.jpg,al,east,gallery\n"
    data = ImageList(image_list=write(text))
    assert names_of(data.query) == [("2.png", 1, 0)]
    assert names_of(data.gallery) == [("3.jpg", 1, 1), ("4.jpg", 0, 0)]


def test_query_and_gallery_can_be_trained_on(write):
    data = ImageList(image_list=write(HEADER + LINES), combineall=True)
    assert [pid for _, pid, _ in data.train] == [
        "ImageList_7",
        "ImageList_test_12",
        "ImageList_test_12",
    ]


def test_a_folder_is_read_by_its_file_names(tmp_path):
    touch(tmp_path / "train" / "deep", "0003_c2_x.jpg", ".0004_c1.jpg", "notes.txt")
    touch(tmp_path / "query", "5_c1.PNG", "-1_c1.jpg")
    touch(tmp_path / "gallery", "5_c2s1.jpeg")
    data = ImageList(image_list=tmp_path)
    assert names_of(data.train) == [("0003_c2_x.jpg", "ImageList_3", "ImageList_2")]
    assert names_of(data.query) == [("5_c1.PNG", 5, 1)]
    assert names_of(data.gallery) == [("5_c2s1.jpeg", 5, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,pid,split\n", "first line of .*list.csv must name .*it lacks camid"),
        ("", "it lacks path, pid, camid, split"),
        (HEADER, "list.csv lists no images"),
        (HEADER + "b/2.png,1,,query\n", "Line 2 of .*list.csv has no camid"),
        (HEADER + "b/2.png,1\n", "Line 2 of .*list.csv has no camid, split"),
        (HEADER + LINES + "b/2.png,1,2,test\n", "Line 6 of .* has the split 'test'; it must be"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_its_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        ImageList(image_list=write(text)).query


def test_a_missing_image_is_named(write):
    path = write(HEADER + "b/9.png,1,2,query\n")
    with pytest.raises(FileNotFoundError, match="9.png, listed in .*list.csv, does not exist"):
        ImageList(image_list=path).query


def test_a_missing_list_and_no_list_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.csv, which is neither a file nor a folde"):
        ImageList(tmp_path, image_list="nothing.csv").train
    with pytest.raises(ValueError, match="ImageList needs DATASETS.IMAGE_LIST: a CSV file"):
        ImageList(tmp_path)


def test_a_folder_with_other_names_or_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no images in train, query, gallery"):
        ImageList(image_list=tmp_path).train
    touch(tmp_path / "query", "bob.jpg")
    with pytest.raises(ValueError, match="bob.jpg does not begin with identity and camera"):
        ImageList(image_list=tmp_path).train


def test_images_are_found_in_order(tmp_path):
    touch(tmp_path, "b.JPG", "a/2.webp", "a/1.txt", "c.tiff")
    assert [path.name for path in find_images(tmp_path)] == ["2.webp", "b.JPG", "c.tiff"]
    assert find_images(tmp_path / "none") == []
