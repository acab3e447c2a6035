"""Times of images, on the command line and in CSV files."""

import argparse
from datetime import datetime

import pytest

from fastreid.extraction.image_times import read_times, time_key
from fastreid.utils.command_line.times import parse_time, time_option


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("1777629600", 1777629600.0),
        ("-1.5", -1.5),
        ("2026-05-01T12:00:00+02:00", 1777629600.0),
        ("2026-05-01T10:00:00Z", 1777629600.0),
        ("2026-05-01T12:00:00", datetime(2026, 5, 1, 12).timestamp()),
    ],
)
def test_times_are_seconds_or_iso_times(word, seconds):
    assert parse_time(word) == seconds
    assert time_option(word) == seconds


@pytest.mark.parametrize("word", ["", "noon", "nan", "inf", "2026-13-01", "Z"])
def test_other_words_are_refused(word):
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(word)
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
        time_option(word)


def test_times_are_found_by_path(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    lines = (
        "time,pid,path",
        "5,1,x/1.jpg",
        ",1,x/2.jpg",
        f"7,2,{tmp_path}/y.jpg",
        "",
        "8,2,s3://b/z",
    )
    file.write_text("\n".join(lines))
    times = read_times(file)
    assert times == {f"{tmp_path}/x/1.jpg": 5.0, f"{tmp_path}/y.jpg": 7.0, "s3://b/z": 8.0}
    monkeypatch.chdir(tmp_path)
    assert times[time_key("x/1.jpg")] == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,pid\na,1\n", "must name the column time"),
        ("", "must name the column path"),
        ("path,time\na.jpg,\n", "has no times"),
        ("path,time\na.jpg,noon\n", r"'noon' is not a time.*line 2 of .*a\.csv"),
        ("path,time\na.jpg,1\na.jpg,1\na.jpg,2\n", r"a\.jpg has a second time in line 4"),
        ("path,time\na.jpg\n", "has no times"),
    ],
)
def test_wrong_files_of_times_are_refused(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_times(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"no file of times .*b\.csv"):
        read_times(tmp_path / "b.csv")
