"""OpenCV's detector of people finds the drawn ones."""

import cv2
import numpy as np
import pytest

from fastreid.video import HogPeopleDetector
from fastreid.video.linking import overlaps

from .cases import boxes_of, draw_frame, people

SIZE = (480, 320)
WALKERS = [(*pair, 4, tall) for *pair, tall in zip(people(2, seed=1), (110, 340), (200, 180))]


@pytest.fixture(scope="module")
def picture():
    return np.ascontiguousarray(draw_frame(WALKERS, 2, SIZE)[:, :, ::-1])


def test_drawn_people_are_found_where_they_are(picture):
    found = HogPeopleDetector()(picture)
    where = [box[2:6] for box in boxes_of(WALKERS, 3, SIZE) if box.frame == 3]
    shares = overlaps(np.array(where), found.boxes)
    assert len(found.boxes) == len(found.scores) == 2
    assert (shares.max(axis=1) > 0.5).all()
    assert (found.scores > 0).all()


def test_boxes_are_those_of_opencv_without_their_margin(picture):
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    windows, scores = hog.detectMultiScale(
        picture, winStride=(8, 8), padding=(8, 8), scale=1.04, hitThreshold=0.2
    )
    found = HogPeopleDetector(scale=1.04, threshold=0.2)(picture)
    expected = [(x + 0.1 * w, y + 0.07 * h, 0.8 * w, 0.8 * h) for x, y, w, h in windows]
    assert len(windows) > 0
    order = np.argsort(-np.ravel(scores))
    np.testing.assert_allclose(found.boxes, np.array(expected)[order])
    np.testing.assert_allclose(found.scores, np.ravel(scores)[order])


def test_a_picture_without_people_has_no_boxes():
    found = HogPeopleDetector()(np.full((200, 160, 3), 90, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


@pytest.mark.parametrize("size", [(100, 30), (30, 200), (1, 1), (128, 64), (127, 63)])
def test_pictures_smaller_than_the_detectors_window_are_taken(size):
    rng = np.random.default_rng(0)
    for _ in range(5):
        HogPeopleDetector()(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
