"""The arithmetic of trackers (BoxMOT, StrongSORT, DeepSORT) on files for normalized images."""

from dataclasses import replace

import cv2
import numpy as np
import onnxruntime
import pytest

from fastreid.deploy import Embedder

from .small_models import INFO, write_model

SIZE = (256, 128)
MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def tracked(path, frame, boxes):
    """Features of boxes (left, top, right, bottom) in a BGR frame, as trackers compute them."""
    session = onnxruntime.InferenceSession(str(path))
    crops = []
    for left, top, right, bottom in boxes:
        crop = cv2.resize(frame[top:bottom, left:right], SIZE[::-1])
        rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32).transpose(2, 0, 1)
        crops.append((rgb / 255 - MEAN) / STD)
    return session.run(None, {session.get_inputs()[0].name: np.stack(crops)})[0]


def cosines(first, second):
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / lengths


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    info = replace(INFO, input="normalized", resize=SIZE)
    return write_model(tmp_path_factory.mktemp("tracker") / "model.onnx", info)


@pytest.fixture(scope="module")
def frame():
    coarse = np.random.RandomState(0).randint(0, 256, (12, 20, 3)).astype(np.uint8)
    return cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("height", "width", "least"),
    # Boxes of the model's size are not resized; others by another filter than the evaluation's.
    [(256, 128, 0.999999), (300, 130, 0.999), (100, 40, 0.99)],
)
def test_trackers_get_the_features_of_the_embedder(model, frame, height, width, least):
    boxes = [(x, y, x + width, y + height) for x, y in ((0, 0), (200, 100), (701, 333))]
    crops = [frame[top:bottom, left:right] for left, top, right, bottom in boxes]
    found = cosines(tracked(model, frame, boxes), Embedder(model)(crops, bgr=True))
    assert found.min() >= least
    swapped = cosines(tracked(model, frame, boxes), Embedder(model)(crops))
    assert swapped.min() < 0.99
