"""Boxes that overlap become tracks."""

import itertools

import numpy as np
import pytest

from fastreid.video import (
    Box,
    Detections,
    Frame,
    LinkSettings,
    TrackLinker,
    link_people,
    read_boxes,
    select_boxes,
    write_boxes,
)
from fastreid.video.linking import overlaps

PICTURE = np.zeros((200, 300, 3), np.uint8)


def naive_overlap(first, second):
    """Count the pixels of two boxes of whole pixels."""
    masks = []
    for left, top, width, height in (first, second):
        mask = np.zeros((60, 60), bool)
        mask[top : top + height, left : left + width] = True
        masks.append(mask)
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


def test_overlaps_agree_with_counted_pixels():
    rng = np.random.default_rng(0)
    first, second = (
        np.concatenate([rng.integers(0, 30, (n, 2)), rng.integers(1, 30, (n, 2))], axis=1)
        for n in (7, 9)
    )
    expected = [[naive_overlap(a, b) for b in second] for a in first]
    np.testing.assert_allclose(overlaps(first.astype(float), second.astype(float)), expected)


def best_pairing(shares):
    """The pairing with the largest sum of overlaps, by trying all."""
    rows, columns = shares.shape
    return max(
        itertools.permutations(range(columns), rows),
        key=lambda order: sum(shares[row, column] for row, column in enumerate(order)),
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_sum_of_the_overlaps_is_as_large_as_possible(seed):
    rng = np.random.default_rng(seed)
    first = np.column_stack([rng.uniform(0, 40, (4, 2)), np.full((4, 2), 50.0)])
    second = (first + rng.normal(0, 8, first.shape))[rng.permutation(4)]
    linker = TrackLinker(LinkSettings(min_overlap=0.01))
    assert linker.update(first).tolist() == [1, 2, 3, 4]
    tracks = linker.update(second)
    shares = overlaps(first, second)
    expected = sum(shares[row, column] for row, column in enumerate(best_pairing(shares)))
    found = sum(shares[track - 1, column] for column, track in enumerate(tracks) if track <= 4)
    assert found == pytest.approx(expected)


def test_a_person_who_is_hidden_for_a_short_time_keeps_the_track():
    box, nobody = np.array([[10.0, 10, 20, 40]]), np.empty((0, 4))
    for gap, track in ((0, 1), (3, 1), (4, 2), (9, 2)):
        linker = TrackLinker(LinkSettings(max_gap=3))
        linker.update(box)
        for _ in range(gap):
            assert linker.update(nobody).tolist() == []
        assert linker.update(box).tolist() == [track]


def test_boxes_that_overlap_too_little_start_a_track():
    linker = TrackLinker(LinkSettings(min_overlap=0.5))
    linker.update(np.array([[0.0, 0, 30, 30]]))
    assert linker.update(np.array([[10.0, 0, 30, 30]])).tolist() == [1]
    assert linker.update(np.array([[21.0, 0, 30, 30]])).tolist() == [2]


def frames(number):
    return [Frame(1 + 2 * i, 0.0, PICTURE) for i in range(number)]


def detector(boxes_of_frames):
    """Give the boxes of one call after another, each with its place as the score."""
    calls = iter(boxes_of_frames)

    def detect(_):
        boxes = np.array(next(calls), float).reshape(-1, 4)
        return Detections(boxes, np.arange(len(boxes)) / 10)

    return detect


def test_two_people_who_walk_get_two_tracks():
    walks = [
        [(10 + 4 * t, 20, 30, 60), (200 - 5 * t, 10, 40, 80)][:: 1 - 2 * (t % 2)] for t in range(9)
    ]
    boxes = link_people(frames(9), detector(walks))
    for track, height in ((1, 60), (2, 80)):
        some = [box for box in boxes if box.track == track]
        assert [box.frame for box in some] == list(range(1, 19, 2))
        assert {box.height for box in some} == {height}


def test_low_boxes_and_short_tracks_are_left_out_and_tracks_are_numbered_again():
    walks = [
        [(200, 100, 10, 20), (10, 10, 30, 60)] + [(100, 10, 30, 90)] * (t >= 2) for t in range(6)
    ]
    walks[0].append((250, 100, 40, 70))
    boxes = link_people(frames(6), detector(walks), LinkSettings(min_height=30, min_length=3))
    assert {(box.track, box.height) for box in boxes} == {(1, 60), (2, 90)}
    assert len(boxes) == 10
    assert boxes[0] == Box(1, 1, 10, 10, 30, 60, 0.1)


def test_detections_outside_of_the_picture_are_left_out():
    walks = [[(300, 10, 30, 60), (-30, 10, 30, 60), (290, 10, 30, 60)]]
    assert link_people(frames(1), detector(walks)) == [Box(1, 1, 290, 10, 30, 60, 0.2)]


def test_a_part_of_a_pixel_in_the_picture_is_no_pixel():
    walks = [
        [(299.7, 10, 30, 60), (-29.7, 10, 30, 60), (10, 199.6, 30, 60), (10, -59.6, 30, 60)]
        + [(299.4, 10, 30, 60), (100.6, 10, 0.3, 60), (-29.4, 10, 30, 60)]
    ]
    boxes = link_people(frames(1), detector(walks))
    assert [box.left for box in boxes] == [299.4, -29.4]
    assert [box.region((300, 200)) for box in boxes] == [(299, 10, 300, 70), (0, 10, 1, 70)]


def test_boxes_at_the_edge_are_still_in_the_picture_when_they_are_read_from_a_file(tmp_path):
    walks = [[(299.496, 10, 30, 60), (10.498, 10, 0.004, 60), (299.494, 10, 30, 60)]]
    boxes = link_people(frames(1), detector(walks))
    write_boxes(tmp_path / "tracks.csv", boxes)
    read = [box._replace(place="") for box in read_boxes(tmp_path / "tracks.csv")]
    assert read == boxes == [Box(1, 1, 299.49, 10, 30, 60, 0.2)]
    assert read[0].region((300, 200)) == (299, 10, 300, 70)


def test_pictures_without_people_give_no_tracks():
    assert link_people(frames(3), detector([[], [], []])) == []


def test_given_boxes_may_be_selected_too():
    boxes = [Box(f, t, 0, 0, 5, 10 * t) for f in range(1, 8) for t in (1, 2, 3) if f < 7 or t == 3]
    kept = select_boxes(boxes, LinkSettings(min_height=20, min_length=3), every=3)
    assert kept == [box for box in boxes if box.track == 3 and box.frame in (1, 4, 7)]
