"""One feature for each track, and what a gallery has that is similar."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from fastreid.gallery import (
    Description,
    Entry,
    Filter,
    GalleryError,
    mean_direction,
    open_gallery,
    search_identities,
)
from fastreid.utils.visualizer import tiles
from fastreid.video import (
    Box,
    BoxError,
    FoundPerson,
    Person,
    Video,
    VideoError,
    draw_sheet,
    find_people,
    people_of_video,
    person_of_images,
    track_features,
    write_results,
)

from .cases import damage, write_plain, write_video

D = 5


def embed(pictures):
    """Features that depend on size and colour."""
    rows = [[p.width, p.height, *np.asarray(p, float).mean(axis=(0, 1))] for p in pictures]
    return np.array(rows, np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def video(tmp_path):
    return Video(write_plain(tmp_path / "a.avi", 12))


def test_the_mean_gives_each_image_the_same_weight():
    rows = np.array([[3.0, 0], [0, 100], [0, 1]])
    np.testing.assert_allclose(mean_direction(rows), np.array([1, 2]) / np.sqrt(5))
    assert np.linalg.norm(mean_direction(rows)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 0], [0, 0]], "Feature 2 of 2 is zero or not finite"),
        ([[np.nan, 0]], "Feature 1 of 1"),
        ([[1, 0], [-2, 0]], "mean of the 2 features is zero"),
        ([[1, 3], [-2, -6.0000001]], "mean of the 2 features is zero"),
    ],
)
def test_features_without_a_mean_are_refused(rows, message):
    with pytest.raises(GalleryError, match=message):
        mean_direction(np.array(rows, float))


def test_a_track_is_the_mean_of_its_best_crops(video):
    rng = np.random.default_rng(0)
    boxes = [
        Box(frame, track, 2, 3, 5 + frame, 9 + track, rng.random())
        for track in (4, 2)
        for frame in range(track, 11)
    ]
    found = track_features(video, boxes, embed, count=3, shown=2)
    assert [track.track for track in found] == [2, 4]
    for track in found:
        own = [box for box in boxes if box.track == track.track]
        rank = {
            box: sum(o.score < box.score for o in own) + sum(o.width < box.width for o in own)
            for box in own
        }
        best = sorted(own, key=lambda box: (-rank[box], -box.width))[:3]
        assert list(track.boxes) == best
        colours = [[10 * box.frame] * 3 for box in best]
        rows = np.array([[b.width, b.height, *c] for b, c in zip(best, colours)], float)
        expected = unit(unit(rows).mean(axis=0))
        # JPEG changes colours a little.
        np.testing.assert_allclose(track.feature, expected, atol=0.02)
        assert np.linalg.norm(track.feature) == pytest.approx(1)
        assert len(track.pictures) == 2
        assert track.frames == (track.track, 10)


def test_tracks_of_many_crops_are_computed_in_batches(video):
    sizes = []

    def counted(pictures):
        sizes.append(len(pictures))
        return embed(pictures)

    boxes = [Box(frame, track, 0, 0, 9, 9) for track in range(20) for frame in range(1, 11)]
    assert len(track_features(video, boxes, counted, count=8)) == 20
    assert sum(sizes) == 160
    assert max(sizes) == 64


def test_boxes_that_do_not_fit_the_video_are_named(video):
    with pytest.raises(BoxError, match="Line 9: frame 13 is beyond the end of .* 12 frames"):
        boxes = [Box(1, 1, 0, 0, 9, 9), Box(13, 1, 0, 0, 1, 1, 0.0, "Line 9")]
        track_features(video, boxes, embed, count=1)
    with pytest.raises(BoxError, match="Line 7: no pixel of the box"):
        track_features(video, [Box(1, 1, 48, 0, 9, 9, 1.0, "Line 7")], embed)


def test_bad_frames_are_left_out_of_the_mean_and_said(tmp_path, caplog):
    video = Video(damage(write_plain(tmp_path / "a.avi", 12), 3))
    boxes = [Box(f, 1, 0, 0, 9, 9) for f in (2, 3, 4)] + [Box(3, 2, 0, 0, 9, 9)]
    (track,) = track_features(video, boxes, embed)
    assert [box.frame for box in track.boxes] == [2, 4]
    assert "1 frames cannot be decoded and are left out (3)" in caplog.text
    assert "Track 2 is left out" in caplog.text
    with pytest.raises(VideoError, match="No frame of the boxes can be read"):
        track_features(video, boxes[3:], embed)


def test_a_feature_that_is_not_finite_names_the_track(video):
    with pytest.raises(VideoError, match=r"Track 6 of .*a.avi: Feature 1 of 1 is zero or not fin"):
        track_features(video, [Box(1, 6, 0, 0, 9, 9)], lambda some: np.full((len(some), 3), np.nan))


@pytest.fixture(params=["{}/g", "faiss:{}/g", "{}/g.db"], ids=["embedded", "faiss", "milvus"])
def gallery(request, tmp_path):
    """Forty images of one identity before those of others, and images without identity."""
    rng = np.random.default_rng(0)
    pids = ["one"] * 40 + ["two", "three", "two", "", ""]
    spread = np.linspace(0.01, 1, len(pids))[:, None]
    rows = np.eye(D)[:1] + spread * rng.standard_normal((len(pids), D))
    entries = [Entry(f"{i}.jpg", pid, f"c{i % 2}") for i, pid in enumerate(pids)]
    with open_gallery(request.param.format(tmp_path), create=Description(D)) as gallery:
        gallery.add(rows, entries)
        gallery.rows = unit(rows)
        yield gallery


def test_each_identity_is_found_once_by_its_most_similar_image(gallery):
    queries = np.stack([np.eye(D)[0], np.eye(D)[1]])
    entries = list(gallery.entries())
    for only in (Filter(), Filter(camids=frozenset({"c1"}))):
        for top in (1, 2, 3, 5, 9):
            found = search_identities(gallery, queries, top=top, only=only)
            for query, matches in zip(queries, found):
                expected = {}
                for index in np.argsort(-gallery.rows @ query, kind="stable"):
                    entry = entries[index]
                    if only.camids is None or entry.camid in only.camids:
                        expected.setdefault(entry.pid or entry.key, entry)
                assert [match.entry for match in matches] == list(expected.values())[:top]


def test_a_gallery_is_not_asked_for_more_matches_than_it_gives(tmp_path, monkeypatch):
    with open_gallery(str(tmp_path / "g"), create=Description(2)) as gallery:
        # The other identity comes after the fifty images of the first.
        rows = np.stack([np.ones(51), np.linspace(0, 1, 51)], axis=1)
        gallery.add(rows, [Entry(f"{i}", "a" if i < 50 else "b") for i in range(51)])
        query = np.array([[1.0, 0]])
        assert [m.entry.pid for m in search_identities(gallery, query, top=2)[0]] == ["a", "b"]
        monkeypatch.setattr(gallery, "most_matches", 45)
        assert [m.entry.pid for m in search_identities(gallery, query, top=2)[0]] == ["a"]


def test_an_empty_gallery_has_no_identities(tmp_path):
    with open_gallery(str(tmp_path / "g"), create=Description(3)) as gallery:
        assert search_identities(gallery, np.ones((2, 3))) == [[], []]


def test_people_are_found_with_and_without_their_other_images(tmp_path):
    with open_gallery(str(tmp_path / "g"), create=Description(2)) as gallery:
        gallery.add(np.eye(2)[[0, 0, 1]], [Entry("a", "7"), Entry("b", "7"), Entry("c", "8")])
        people = [Person("x", np.array([2.0, 1]), (), {})]
        ((_, matches),) = find_people(gallery, people)
        assert [match.entry.key for match in matches] == ["a", "c"]
        ((person, matches),) = find_people(gallery, people, top=2, all_images=True)
        assert person is people[0]
        assert [match.entry.key for match in matches] == ["a", "b"]


def test_images_of_a_person_are_averaged(tmp_path):
    paths = []
    for number in range(4):
        pixels = np.full((20 + number, 10, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        paths.append(tmp_path / f"{number}.png")
    person = person_of_images(paths, embed)
    rows = [[10, 20 + n, *[40 * n] * 3] for n in range(4)]
    np.testing.assert_allclose(person.feature, unit(unit(np.array(rows, float)).mean(axis=0)))
    assert person.name == ", ".join(map(str, paths))
    assert len(person.pictures) == 3
    assert person.facts == {"images": 4}


def found_people(tmp_path, number=2):
    video = Video(write_plain(tmp_path / "a.avi", 6))
    boxes = [Box(f, t, t, 0, 20, 30) for f in range(1, 7) for t in range(1, number + 1)]
    Image.fromarray(np.full((30, 20, 3), (255, 0, 255), np.uint8)).save(tmp_path / "seen.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with open_gallery(str(tmp_path / "g"), create=Description(D)) as gallery:
        paths = [str(tmp_path / name) for name in ("seen.png", "bad.png", "gone.png")]
        entries = [
            Entry("a", "7", "hall", 5.0, paths[0]),
            Entry("b, c", "8", path=paths[1]),
            Entry("d", path=paths[2]),
            Entry("安", "安"),
        ]
        gallery.add(np.eye(D)[:4] + 0.1, entries)
        return find_people(gallery, people_of_video(video, boxes, embed, count=2))


def test_results_are_written_as_a_table(tmp_path):
    found = found_people(tmp_path)
    write_results(tmp_path / "new" / "r.csv", found)
    with (tmp_path / "new" / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert [row["query"] for row in rows] == ["track 1"] * 4 + ["track 2"] * 4
    assert [row["rank"] for row in rows] == list("1234") * 2
    assert {(row["first_frame"], row["last_frame"], row["crops"]) for row in rows} == {
        ("1", "6", "2")
    }
    for row, match in zip(rows, found[0].matches):
        assert (row["key"], row["pid"], row["camid"]) == match.entry[:3]
        assert float(row["similarity"]) == pytest.approx(match.similarity, abs=1e-6)


def test_results_are_written_as_json(tmp_path):
    found = found_people(tmp_path)
    write_results(tmp_path / "r.json", found)
    read = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["queries"]
    assert [query["track"] for query in read] == [1, 2]
    for query, (_, matches) in zip(read, found):
        assert [match["key"] for match in query["matches"]] == [m.entry.key for m in matches]
        assert {m["key"]: m["time"] for m in query["matches"]}["a"] == 5.0


def test_results_without_queries_are_an_empty_table(tmp_path):
    write_results(tmp_path / "r.csv", [])
    assert (tmp_path / "r.csv").read_text(encoding="utf-8").startswith("query,rank,similarity")


def test_a_sheet_has_a_row_for_each_person(tmp_path, caplog):
    found = found_people(tmp_path)
    draw_sheet(found, tmp_path / "new" / "sheet.png", title="a.avi in people")
    draw_sheet(found[:1], tmp_path / "one.png", title="a.avi in people")
    sheets = []
    for name in ("new/sheet.png", "one.png"):
        with Image.open(tmp_path / name) as sheet:
            sheets.append(sheet.convert("RGB"))
    row = tiles.TILE[1] + 2 * tiles.FRAME + tiles.CAPTION + tiles.GAP
    assert sheets[0].height - sheets[1].height == row
    purple = sum(
        count
        for count, (red, green, blue) in sheets[1].getcolors(10**6)
        if red > 250 and blue > 250 and green < 5
    )
    # The image of 20 x 30 fills the width of its tile.
    assert purple == tiles.TILE[0] * tiles.TILE[0] * 3 // 2
    assert "Cannot show 4 images" in caplog.text
    assert "bad.png" in caplog.text


def test_a_sheet_of_very_many_people_is_cut(tmp_path, caplog):
    person = FoundPerson(Person("x", np.ones(2), (), {}), ())
    draw_sheet([person] * 201, tmp_path / "sheet.png", title="t")
    assert "shows the first 200 of 201" in caplog.text


def test_a_video_of_one_frame_is_enough(tmp_path):
    video = Video(write_video(tmp_path / "a.avi", [np.full((40, 48, 3), 99, np.uint8)]))
    (track,) = track_features(video, [Box(1, 1, 0, 0, 9, 9)], embed)
    assert track.frames == (1, 1)
