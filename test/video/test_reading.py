"""Frames keep their numbers, and what cannot be read is counted."""

import numpy as np
import pytest

from fastreid.video import Video, VideoError

from .cases import damage, write_plain, write_video


def numbers(reader):
    return [frame.number for frame in reader]


def grays(reader):
    return [round(frame.pixels.mean() / 10) for frame in reader]


def test_frames_have_numbers_times_and_pixels(tmp_path):
    video = Video(write_plain(tmp_path / "a.avi", 12))
    assert (video.size, video.fps, video.announced) == ((48, 40), 10, 12)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(1, 13))
    assert [round(frame.pixels.mean() / 10) for frame in frames] == list(range(1, 13))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(12) / 10, atol=1e-6)
    assert frames[0].pixels.shape == (40, 48, 3)


def test_colours_are_blue_green_red(tmp_path):
    red = np.zeros((40, 48, 3), np.uint8)
    red[:, :, 0] = 200
    (frame,) = Video(write_video(tmp_path / "a.avi", [red])).frames()
    blue, green, red = frame.pixels.reshape(-1, 3).mean(axis=0)
    assert red > 180
    assert max(blue, green) < 20


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every": 5}, [1, 6, 11]),
        ({"only": {2, 7, 90}}, [2, 7]),
        ({"until": 3}, [1, 2, 3]),
        ({"every": 2, "until": 6}, [1, 3, 5]),
    ],
)
def test_some_frames_may_be_chosen(tmp_path, options, expected):
    reader = Video(write_plain(tmp_path / "a.avi", 12)).frames(**options)
    assert numbers(reader) == expected
    assert grays(reader) == expected
    assert reader.remark() == ""


def test_bad_frames_are_counted_and_the_others_keep_their_numbers(tmp_path):
    path = write_plain(tmp_path / "a.avi", 12)
    for number in (4, 5, 9):
        damage(path, number)
    reader = Video(path).frames()
    assert numbers(reader) == grays(reader) == [1, 2, 3, 6, 7, 8, 10, 11, 12]
    assert reader.bad == [4, 5, 9]
    assert (reader.last, reader.missing, reader.end) == (12, 0, 12)
    assert reader.remark() == (f"{path}: 3 frames cannot be decoded and are left out (4, 5, 9).")


def test_a_file_that_was_cut_off_names_the_frames_that_are_missing(tmp_path):
    path = write_plain(tmp_path / "a.avi", 20)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"00dc", 0, content.index(b"idx1") - 4000)])
    reader = Video(path).frames()
    found = numbers(reader)
    assert found == list(range(1, reader.last + 1))
    assert 0 < reader.last < 20
    assert reader.end == 20
    assert f"frames {reader.last + 1} to 20 of the file cannot be read" in reader.remark()


def test_a_reader_may_be_used_again(tmp_path):
    reader = Video(damage(write_plain(tmp_path / "a.avi", 6), 3)).frames()
    assert numbers(reader) == numbers(reader) == [1, 2, 4, 5, 6]
    assert reader.bad == [3]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty: the file has 0 bytes"), (b"no video " * 9, "cannot be read as a video")],
    ids=["empty", "text"],
)
def test_what_is_no_video_is_refused(tmp_path, content, message):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=message):
        Video(tmp_path / "a.mp4")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no video file"):
            Video(path)


def test_a_video_without_readable_frames_is_refused(tmp_path):
    path = write_plain(tmp_path / "a.avi", 2)
    damage(damage(path, 1), 2)
    with pytest.raises(VideoError, match="cannot be read as a video|no frame that can be read"):
        list(Video(path).frames())


def test_every_zero_frames_is_refused(tmp_path):
    with pytest.raises(VideoError, match="Every 0 frames"):
        Video(write_plain(tmp_path / "a.avi", 2)).frames(every=0)
