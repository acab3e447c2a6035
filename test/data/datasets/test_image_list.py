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


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_encodings_of_other_programs_give_the_same_items(
    write, delimiter, encoding, end
):
    path = write("")
    text = (HEADER + LINES).replace(",", delimiter).replace("\n", end)
    path.write_bytes(text.encode(encoding))
    data = ImageList(image_list=path)
    assert names_of(data.train) == [("1.jpg", "ImageList_7", "ImageList_0")]
    assert names_of(data.query) == [("2.png", 12, 1)]


def test_backslashes_quotes_and_spaces_are_not_part_of_a_name(write):
    text = (
        'Path , "PID",camid,split ,\n"b\\2.png" , 5 ,"3",query ,,\n\n , ,,\nb/3.jpg,5,1,gallery\n'
    )
    data = ImageList(image_list=write(text))
    assert (names_of(data.query), names_of(data.gallery)) == ([("2.png", 5, 3)], [("3.jpg", 5, 1)])


def test_a_path_with_a_comma_can_be_quoted(write):
    path = write(HEADER + '"b/2,5.png",1,0,query\n')
    touch(path.parent, "b/2,5.png")
    assert names_of(ImageList(image_list=path).query) == [("2,5.png", 1, 0)]


def test_columns_may_be_in_any_order_with_others_between(write):
    text = "\ufeffsplit, note, camid, pid, path\nquery, x, 3, 5, b/2.png\n"
    assert names_of(ImageList(image_list=write(text)).query) == [("2.png", 5, 3)]


def test_a_relative_path_starts_from_the_data_root(write):
    path = write(HEADER + LINES)
    assert len(ImageList(path.parent, image_list="list.csv").gallery) == 1


def test_names_get_the_same_numbers_in_query_and_gallery(write):
    text = HEADER + "b/2.png,bob,east,query\nb/3.jpg,bob,west,gallery\nb/4.jpg,al,east,gallery\n"
    data = ImageList(image_list=write(text))
    assert names_of(data.query) == [("2.png", 1, 0)]
    assert names_of(data.gallery) == [("3.jpg", 1, 1), ("4.jpg", 0, 0)]


def write_rows(write, *rows):
    return write(HEADER + "".join(f"b/2.png,{pid},{cam},{split}\n" for pid, cam, split in rows))


def test_a_name_beside_numbers_does_not_change_the_numbers(write):
    rows = [("10", 1, "query"), ("010", 2, "gallery"), (2**63 - 1, 1, "query")]
    data = ImageList(image_list=write_rows(write, *rows, ("anna", 1, "query")))
    assert [pid for _, pid, _ in data.query] == [10, 2**63 - 1, 0]
    assert [pid for _, pid, _ in data.gallery] == [10]
    # As they are written: queries first.
    names = data.label_names()
    assert names.pids.tolist() == ["10", str(2**63 - 1), "anna", "010"]
    assert names.camids.tolist() == ["1", "1", "1", "2"]


def test_spellings_of_one_number_are_one_person_in_training_and_in_test(write, caplog):
    rows = [("007", "01", "train"), ("7", "1", "train"), ("0012", "2", "train")]
    data = ImageList(image_list=write_rows(write, *rows, ("7", 1, "query"), ("+07", 2, "gallery")))
    assert [item[1:] for item in data.train] == [
        ("ImageList_7", "ImageList_1"),
        ("ImageList_7", "ImageList_1"),
        # A spelling that stands alone stays: it decides the order of the classes.
        ("ImageList_0012", "ImageList_2"),
    ]
    assert data.query[0][1] == data.gallery[0][1] == 7
    assert data.identities_in_both() == {"7"}
    assert (
        "1 identities have several spellings, which are treated as one: +07/007/7." in caplog.text
    )
    assert "1 cameras have several spellings, which are treated as one: 01/1." in caplog.text


def test_every_spelling_of_minus_one_is_dropped(write):
    rows = [("-1", 1, "query"), ("-01", 1, "gallery"), ("-2", 1, "query"), ("-2", 2, "gallery")]
    data = ImageList(image_list=write_rows(write, *rows))
    assert [pid for _, pid, _ in [*data.query, *data.gallery]] == [-2, -2]


def test_names_that_look_like_numbers_stay_names_and_are_logged(write, caplog):
    rows = [("7.0", 1, "train"), ("7", 1, "train"), ("1e3", 1, "train"), ("1_000", 1, "train")]
    data = ImageList(image_list=write_rows(write, *rows))
    assert len({pid for _, pid, _ in data.train}) == 4
    assert "3 identities look like numbers but are treated as names: 1_000, 1e3, 7.0" in caplog.text


@pytest.mark.parametrize("column", ["pid", "camid"])
@pytest.mark.parametrize("split", ["train", "query"])
def test_a_number_beyond_64_bits_is_rejected_with_its_line(write, column, split):
    number = 2**64
    row = (number, 1, split) if column == "pid" else (1, number, split)
    with pytest.raises(ValueError, match=rf"Line 2 of .*list.csv, {column}: the number {number}"):
        ImageList(image_list=write_rows(write, row)).train


def test_a_number_beyond_64_bits_in_a_file_name_is_rejected(tmp_path):
    touch(tmp_path / "query", f"{2**63}_c1.jpg")
    with pytest.raises(ValueError, match=f"{2**63}_c1.jpg: the number {2**63} does not fit"):
        ImageList(image_list=tmp_path).query


def test_a_training_identity_with_the_name_of_a_combined_test_identity_is_rejected(write):
    path = write_rows(write, ("test_5", 1, "train"), (5, 1, "query"))
    with pytest.raises(ValueError, match="'ImageList_test_5', have the names .*COMBINEALL gives"):
        ImageList(image_list=path, combineall=True).train
    assert len(ImageList(image_list=path).train) == 1


def test_a_person_that_becomes_two_classes_is_logged(write, caplog):
    path = write_rows(write, ("05", 1, "train"), (5, 1, "query"), (6, 1, "gallery"))
    train = ImageList(image_list=path, combineall=True).train
    assert [pid for _, pid, _ in train] == ["ImageList_05", "ImageList_test_5", "ImageList_test_6"]
    assert "ImageList: 1 identities are in training and in test; with" in caplog.text


def test_paths_of_images_are_absolute(write, monkeypatch):
    path = write(HEADER + LINES)
    monkeypatch.chdir(path.parent)
    assert ImageList(image_list="list.csv").query[0][0] == str(path.parent / "b" / "2.png")


def test_query_and_gallery_can_be_trained_on(write):
    data = ImageList(image_list=write(HEADER + LINES), combineall=True)
    assert [pid for _, pid, _ in data.train] == [
        "ImageList_7",
        "ImageList_test_12",
        "ImageList_test_12",
    ]


def test_a_folder_gives_items_from_its_file_names(tmp_path):
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
        ("path,pid,PID,camid,split\n", "it names pid twice"),
        ("# people\n" + HEADER, "it lacks path, pid, camid, split"),
        ("", "list.csv is empty; its first line must name the columns path, pid, camid, split"),
        ("\ufeff\n \n", "list.csv is empty; its first line must"),
        (HEADER + "\n\nb/2.png,1,,query\n", "Line 4 of .*list.csv has no camid"),
        (HEADER, "list.csv lists no images"),
        (HEADER + "b/2.png,1,,query\n", "Line 2 of .*list.csv has no camid"),
        (HEADER + "b/2.png,1\n", "Line 2 of .*list.csv has no camid, split"),
        (HEADER + "b/2,5.png,1,2,query\n", "Line 2 of .* has 5 fields, the first line 4. A path"),
        (HEADER + '"b/2.png,1,2,query\nb/3.jpg,1,1,gallery\n', "Line 3 of .* a quote is missing"),
        (HEADER + "C:\\b\\2.png,1,2,query\n", r"path C:.* in line 2 of .* is a path of Windows"),
        (HEADER + LINES + "b/2.png,1,2,test\n", "Line 6 of .* has the split 'test'; it must be"),
    ],
)
def test_an_invalid_file_is_rejected_with_its_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        ImageList(image_list=write(text)).query


def test_empty_lines_before_the_header_are_ignored(write):
    data = ImageList(image_list=write("\n\n" + (HEADER + LINES).replace(",", ";")))
    assert names_of(data.query) == [("2.png", 12, 1)]


def test_a_missing_image_with_an_unusual_name_suggests_another_encoding(write):
    path = write("")
    # Its GBK is the UTF-8 of another character.
    path.write_bytes((HEADER + "b/雪.png,1,2,query\n").encode("gbk"))
    with pytest.raises(FileNotFoundError, match="another encoding than UTF-8\\?$"):
        ImageList(image_list=path).query  # noqa: B018


def test_a_missing_image_is_named(write):
    path = write(HEADER + "b/9.png,1,2,query\n")
    with pytest.raises(FileNotFoundError, match="9.png, listed in .*list.csv, does not exist"):
        ImageList(image_list=path).query


def test_a_missing_list_and_an_unset_list_are_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.csv, which is neither a file nor a folde"):
        ImageList(tmp_path, image_list="nothing.csv").train
    with pytest.raises(ValueError, match="ImageList needs DATASETS.IMAGE_LIST: a CSV file"):
        ImageList(tmp_path)


def test_a_folder_with_invalid_names_or_without_images_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="has no images in train, query, gallery"):
        ImageList(image_list=tmp_path).train
    touch(tmp_path / "query", "bob.jpg")
    with pytest.raises(ValueError, match="bob.jpg does not start with identity and camera"):
        ImageList(image_list=tmp_path).train


def test_images_are_found_in_order(tmp_path):
    touch(tmp_path, "b.JPG", "a/2.webp", "a/1.txt", "c.tiff")
    assert [path.name for path in find_images(tmp_path)] == ["2.webp", "b.JPG", "c.tiff"]
    assert find_images(tmp_path / "none") == []
