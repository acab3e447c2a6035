"""Files of tracks: what is read, and what is refused with its line."""

import pytest

from fastreid.video import Box, BoxError, read_boxes, write_boxes


def read(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    return [box._replace(place="") for box in read_boxes(tmp_path / "t.csv")]


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("3,7,10,20,30,40,0.9,-1,-1,-1\n", Box(3, 7, 10, 20, 30, 40, 0.9)),
        ("3,7,10.5,-2,30,40\n", Box(3, 7, 10.5, -2, 30, 40)),
        ("3 7 10 20 30 40 0.5 0", Box(3, 7, 10, 20, 30, 40, 0.5)),
        ("3; 7; 10; 20; 30; 40; 1", Box(3, 7, 10, 20, 30, 40)),
        ("3.0,7.00,1e1,20,30,40,2", Box(3, 7, 10, 20, 30, 40, 2)),
        ("\ufeffframe,id,x,y,w,h,score\r\n\r\n3,7,10,20,30,40,1\r\n", Box(3, 7, 10, 20, 30, 40)),
    ],
)
def test_lines_of_common_programs_are_read(tmp_path, text, box):
    assert read(tmp_path, text) == [box]


def test_what_is_written_is_read(tmp_path):
    boxes = [Box(2, 1, 0.25, -3, 10, 20, 0.5), Box(1, 4, 1, 2, 3, 4, 2), Box(1, 3, 5, 6, 7, 8, -1)]
    write_boxes(tmp_path / "t.csv", boxes)
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert read(tmp_path, text) == sorted(boxes)
    assert text.splitlines()[0] == "1,3,5.00,6.00,7.00,8.00,-1.0000"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t.csv has no boxes; its lines must be frame, id, left"),
        ("frame,id,x,y,w,h\n", "has no boxes"),
        ("1,1,0,0,5,5\n2,1,0,0,5\n", r"Line 2 of .*t.csv has 5 fields"),
        ("1,1,0,0,5,5\na,1,0,0,5,5\n", r"Line 2 of .*: 'a' is not a number"),
        ("1,1,nan,0,5,5\n", r"Line 1 of .*: 'nan' is not a number"),
        ("1,1,0,0,inf,5\n", "'inf' is not a number"),
        ("1,1,0,0,5,5,x\n", "'x' is not a number"),
        ("0,1,0,0,5,5\n", "the frame is 0; it must be a whole number, 1 or more"),
        ("1.5,1,0,0,5,5\n", "the frame is 1.5"),
        ("1,-1,0,0,5,5\n", "the id is -1; .* 0 or more. Detections without a track"),
        ("1,1,0,0,0,5\n", r"Line 1 of .*: the box is empty, its size is 0 x 5"),
        ("\n1,1,0,0,5,-5\n", r"Line 2 of .*: the box is empty, its size is 5 x -5"),
        ("1,1,0,0,5,5\n2,1,0,0,5,5\n1,1,9,9,5,5\n", "Line 3 .* in frame 1 already, in line 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    with pytest.raises(BoxError, match=message):
        read(tmp_path, text)


def test_files_that_are_no_text_or_missing_are_named(tmp_path):
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe1,2")
    with pytest.raises(BoxError, match=r"b.csv is not a text file of boxes"):
        read_boxes(tmp_path / "b.csv")
    with pytest.raises(FileNotFoundError, match="There is no file of boxes"):
        read_boxes(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("corners", "region"),
    [
        ((10, 20, 30, 40), (10, 20, 40, 60)),
        ((-5, -6, 30, 40), (0, 0, 25, 34)),
        ((90, 70, 30, 40), (90, 70, 100, 80)),
        ((-10, -10, 500, 500), (0, 0, 100, 80)),
        ((10.4, 20.6, 30, 40), (10, 21, 40, 61)),
        ((99, 79, 1e300, 1e300), (99, 79, 100, 80)),
    ],
)
def test_boxes_are_clipped_to_the_picture(corners, region):
    assert Box(1, 1, *corners).region((100, 80)) == region


@pytest.mark.parametrize(
    "corners", [(100, 0, 5, 5), (0, 80, 5, 5), (-9, 0, 9, 5), (1.1, 1, 0.2, 9)]
)
def test_boxes_outside_of_the_picture_are_refused_with_their_line(tmp_path, corners):
    (tmp_path / "t.csv").write_text("\n4,2," + ",".join(map(str, corners)), encoding="utf-8")
    (box,) = read_boxes(tmp_path / "t.csv")
    message = r"Line 2 of .*t.csv: no pixel of the box of track 2 in frame 4 .* 100 x 80 pixels"
    with pytest.raises(BoxError, match=message):
        box.region((100, 80))
