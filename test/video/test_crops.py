"""Which boxes of a track are cut out, and what is in the crops."""

import csv

import numpy as np
import pytest
from PIL import Image

from fastreid.data.datasets.image_list import FILE_NAME, ImageList
from fastreid.extraction import list_images
from fastreid.video import (
    Box,
    BoxError,
    Video,
    VideoError,
    check_labels,
    read_boxes,
    write_crop_folder,
)
from fastreid.video.crops import best_boxes, cut_boxes, frames_of, spread_boxes

from .cases import SIZE, boxes_of, damage, draw_frame, people, write_plain, write_walk

WALKERS = [(*pair, tall) for *pair, tall in zip(people(2), (60, 180), (3, -4), (120, 100))]


@pytest.fixture
def video(tmp_path):
    return Video(write_walk(tmp_path / "walk.avi", WALKERS, 8))


def with_quality(*pairs):
    """Boxes of a track with these scores and widths."""
    return [Box(i, 1, 0, 0, width, 10, score) for i, (score, width) in enumerate(pairs, start=1)]


@pytest.mark.parametrize(
    ("pairs", "order"),
    [
        ([(0.1, 9), (0.9, 9), (0.5, 9)], [2, 3, 1]),
        ([(1, 10), (1, 30), (1, 20)], [2, 3, 1]),
        ([(-3, 10), (-1, 30), (-2, 20)], [2, 3, 1]),
        ([(0.9, 30), (0.8, 40), (0.1, 10), (0.2, 20)], [2, 1, 4, 3]),
        ([(1, 9), (1, 9)], [1, 2]),
    ],
)
def test_the_best_boxes_have_high_scores_and_large_areas(pairs, order):
    boxes = with_quality(*pairs)
    for count in range(1, len(order) + 2):
        assert [box.frame for box in best_boxes(boxes, count, (100, 100))] == order[:count]


def test_only_the_part_of_a_box_in_the_picture_counts():
    boxes = [Box(1, 1, -90, 0, 100, 10), Box(2, 1, 0, 0, 20, 10)]
    assert best_boxes(boxes, 1, (100, 100)) == [boxes[1]]


def test_spread_boxes_are_the_best_of_each_part_of_the_time():
    boxes = with_quality(*[(score, 9) for score in (1, 5, 2, 7, 8, 3, 4, 6, 9)])
    assert [box.frame for box in spread_boxes(boxes, 3, (100, 100))] == [2, 5, 9]
    assert spread_boxes(boxes, 50, (100, 100)) == boxes


def test_crops_are_what_is_inside_the_boxes(video):
    boxes = [box for box in boxes_of(WALKERS, 8) if box.frame in (2, 7)]
    crops = list(cut_boxes(frames_of(video, boxes), boxes, video.size))
    assert [crop.box for crop in crops] == boxes
    for crop in crops:
        left, top, right, bottom = crop.box.region(SIZE)
        drawn = draw_frame(WALKERS, crop.box.frame - 1)[top:bottom, left:right]
        assert crop.picture.size == (right - left, bottom - top)
        # JPEG changes colours at edges.
        assert np.abs(np.asarray(crop.picture, float) - drawn).mean() < 8
        assert crop.seconds == pytest.approx((crop.box.frame - 1) / 10)


def rows_of(folder):
    with (folder / "crops.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_has_crops_labels_and_tracks(video, tmp_path):
    boxes = boxes_of(WALKERS, 8)
    made = write_crop_folder(tmp_path / "new" / "out", video, boxes, camid="3", max_crops=2)
    folder = tmp_path / "new" / "out"
    assert (made.tracks, made.boxes, made.crops, made.remark) == (2, 16, 4, "")
    assert sorted(path.name for path in folder.iterdir()) == ["crops", "crops.csv", "tracks.csv"]
    rows = rows_of(folder)
    assert [(row["pid"], row["camid"], row["split"]) for row in rows] == [
        *[("1", "3", "gallery")] * 2,
        *[("2", "3", "gallery")] * 2,
    ]
    for row in rows:
        with Image.open(folder / row["path"]) as crop:
            assert crop.format == "JPEG"
            assert crop.height == (120 if row["pid"] == "1" else 100)
        assert float(row["time"]) == pytest.approx((int(row["frame"]) - 1) / 10)
    found = [box._replace(place="") for box in read_boxes(folder / "tracks.csv")]
    assert found == boxes


def test_the_labels_are_read_by_the_data_set_and_by_extractions(video, tmp_path):
    write_crop_folder(tmp_path / "out", video, boxes_of(WALKERS, 8), camid="hall", max_crops=3)
    data = ImageList(image_list=tmp_path / "out" / "crops.csv")
    assert [(pid, camid) for _, pid, camid in data.gallery] == [(1, 0)] * 3 + [(2, 0)] * 3
    listing = list_images(tmp_path / "out" / "crops.csv", FILE_NAME)
    assert listing.pids == ["1"] * 3 + ["2"] * 3
    assert set(listing.camids) == {"hall"}


@pytest.mark.parametrize("prefix", ["a b", "../", "12", "-"])
def test_prefixes_that_do_not_tell_tracks_apart_are_refused(prefix):
    with pytest.raises(ValueError, match="The prefix is"):
        check_labels("1", prefix)


def test_tracks_of_several_videos_have_different_identities(video, tmp_path):
    for prefix in ("hall-", "door"):
        folder = tmp_path / prefix
        write_crop_folder(
            folder, video, boxes_of(WALKERS, 8), camid="1", prefix=prefix, max_crops=1
        )
        assert [row["pid"] for row in rows_of(folder)] == [f"{prefix}1", f"{prefix}2"]
        data = ImageList(image_list=folder / "crops.csv")
        assert data.label_names().pids.tolist() == [f"{prefix}1", f"{prefix}2"]


def test_names_of_crops_have_the_labels_too(video, tmp_path):
    write_crop_folder(tmp_path / "out", video, boxes_of(WALKERS, 8), camid="3", max_crops=1)
    listing = list_images(tmp_path / "out", FILE_NAME)
    assert [(int(pid), camid) for pid, camid in zip(*listing[1:])] == [(1, "3"), (2, "3")]


def test_bad_frames_are_left_out_and_said(tmp_path):
    video = Video(damage(write_plain(tmp_path / "a.avi", 6), 3))
    boxes = [Box(frame, 1, 0, 0, 20, 30) for frame in range(1, 7)]
    made = write_crop_folder(tmp_path / "out", video, boxes, camid="0")
    assert made.crops == 5
    assert "1 frames cannot be decoded and are left out (3)" in made.remark
    grays = [
        np.asarray(Image.open(path)).mean() for path in sorted((tmp_path / "out/crops").iterdir())
    ]
    np.testing.assert_allclose(grays, [10, 20, 40, 50, 60], atol=2)


def test_frames_beyond_the_end_are_refused_and_nothing_is_left(tmp_path):
    video = Video(write_plain(tmp_path / "a.avi", 6))
    (tmp_path / "t.csv").write_text("1,1,0,0,9,9\n7,1,0,0,9,9\n", encoding="utf-8")
    message = r"Line 2 of .*t.csv: frame 7 is beyond the end of .*a.avi, which has 6 frames"
    with pytest.raises(BoxError, match=message):
        write_crop_folder(tmp_path / "out", video, read_boxes(tmp_path / "t.csv"), camid="0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "t.csv"]


def test_boxes_in_bad_frames_only_are_refused(tmp_path):
    video = Video(damage(write_plain(tmp_path / "a.avi", 6), 3))
    with pytest.raises(VideoError, match="No frame of the boxes can be read"):
        write_crop_folder(tmp_path / "out", video, [Box(3, 1, 0, 0, 9, 9)], camid="0")


def test_a_folder_with_files_is_not_replaced(video, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(FileExistsError, match="out exists; give another folder"):
        write_crop_folder(tmp_path / "out", video, boxes_of(WALKERS, 2), camid="0")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("camid", ["", "a b", "../x", "a/b", "9" * 30])
def test_names_of_cameras_that_cannot_be_in_file_names_are_refused(camid):
    with pytest.raises(ValueError, match="The camera|64 bits"):
        check_labels(camid)
