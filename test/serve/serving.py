"""A small gallery, and a real server of it in a thread."""

import contextlib
import dataclasses
import io
import threading
import time
from pathlib import Path
from typing import NamedTuple, Optional

import httpx
import numpy as np
import uvicorn
from PIL import Image

from fastreid.deploy import Embedder
from fastreid.gallery import Description, Entry, open_gallery
from fastreid.serve import Limits, SearchService, open_model
from fastreid.serve.app import create_app
from test.deploy.small_models import INFO, write_model

NUMBER = 12


class Place(NamedTuple):
    """Files of a service: photos, their gallery, the model, and the features of the photos.

    A checkpoint also has a configuration file.
    """

    photos: Path
    gallery: str
    model: Path
    features: np.ndarray
    config_file: Optional[Path] = None

    def photo(self, number):
        return self.photos / f"{number}.png"


def draw_photos(folder, number=NUMBER):
    """Draw pictures of different colours, without an order."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(number):
        colours = rng.integers(0, 256, (4, 2, 3), dtype=np.uint8)
        Image.fromarray(colours.repeat(12, 0).repeat(12, 1)).save(folder / f"{index}.png")
    return folder


def make_place(folder):
    """Make photos, a model and a gallery: identity i // 3, cameras a and b, one photo a minute."""
    photos = draw_photos(folder / "photos")
    model = write_model(folder / "model.onnx")
    features = Embedder(model)([str(photos / f"{i}.png") for i in range(NUMBER)])
    name, features = fill_gallery(folder / "people", photos, features, INFO.weights_sha256)
    return Place(photos, name, model, features)


def fill_gallery(folder, photos, features, model):
    """Make a gallery of the photos; return its name, and the features with length 1."""
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    paths = [str(photos / f"{i}.png") for i in range(NUMBER)]
    entries = [
        Entry(path, pid=str(i // 3), camid="ab"[i % 2], time=60.0 * i, path=path)
        for i, path in enumerate(paths)
    ]
    with open_gallery(str(folder), create=Description(features.shape[1], model)) as gallery:
        gallery.add(features, entries)
    return str(folder), features


def make_checkpoint_place(folder):
    """Make photos, a checkpoint and a gallery as those of `make_place`."""
    from fastreid.engine import DefaultPredictor
    from fastreid.utils.checkpoint.weights_hash import hash_of_weights
    from test.export.models import SMALL, saved_model

    cfg = saved_model(folder, *SMALL)
    config_file = folder / "config.yml"
    config_file.write_text(cfg.dump(), encoding="utf-8")
    photos, predict = draw_photos(folder / "photos"), DefaultPredictor(cfg)
    features = predict([str(photos / f"{i}.png") for i in range(NUMBER)])
    weights = hash_of_weights(predict.model)
    name, features = fill_gallery(folder / "people", photos, features, weights)
    return Place(photos, name, Path(cfg.MODEL.WEIGHTS), features, config_file)


@contextlib.contextmanager
def served(place, *, gallery=None, limits=None, **options):
    """Serve a place in a thread, and give a client of it."""
    service = SearchService(
        lambda: open_model(place.model, place.config_file), gallery or place.gallery
    )
    limits = dataclasses.replace(Limits(), **(limits or {}))
    options.setdefault("image_roots", [place.photos])
    config = uvicorn.Config(
        create_app(service, limits, **options), port=0, log_level="critical", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        service.close()


def search(client, *files, **options):
    """Send a search; files are paths or (name, content)."""
    pairs = [each if isinstance(each, tuple) else (each.name, each.read_bytes()) for each in files]
    return client.post("/api/search", files=[("images", pair) for pair in pairs], data=options)


def names(answer):
    """Return the file names of the results."""
    assert answer.status_code == 200, answer.text
    return [result["file"] for result in answer.json()["results"]]


def encoded(size, kind="PNG"):
    """Return a picture of one colour as a file."""
    content = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(content, kind)
    return content.getvalue()
