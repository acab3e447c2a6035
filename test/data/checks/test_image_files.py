from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.data.checks.image_files import inspect_images, stat_images
from fastreid.data.data_utils import read_image

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8))


def rotated(image, path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, exif=exif)


KINDS = {
    "CMYK.jpg": ("CMYK", lambda path: RGB.convert("CMYK").save(path)),
    "deep.png": (
        "16 bit",
        lambda path: Image.fromarray(np.full((8, 6), 999, np.uint16)).save(path),
    ),
    "palette.png": ("palette", lambda path: RGB.quantize(16).save(path)),
    "gray.jpg": ("gray", lambda path: RGB.convert("L").save(path)),
    "alpha.png": ("transparency", lambda path: RGB.convert("RGBA").save(path)),
    "ink.png": ("black and white", lambda path: RGB.convert("1").save(path)),
    "turned.jpg": ("EXIF rotation", lambda path: rotated(RGB, path)),
    "moving.gif": (
        "several frames",
        lambda path: RGB.save(path, save_all=True, append_images=[RGB.rotate(180)]),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_unusual_kinds_are_reported_and_can_be_read(tmp_path, name):
    kind, save = KINDS[name]
    path = str(tmp_path / name)
    save(path)
    (found,) = inspect_images([path])
    assert found.fault == ""
    assert kind in found.kinds
    image = read_image(path)
    assert image.mode == "RGB"
    assert image.size == ((8, 6) if kind == "EXIF rotation" else (6, 8))


def test_an_ordinary_image_gives_no_report(tmp_path):
    RGB.save(tmp_path / "a.jpg")
    assert inspect_images([str(tmp_path / "a.jpg")]) == []
    assert stat_images([str(tmp_path / "a.jpg")]) == []


def test_each_fault_has_its_own_description(tmp_path):
    RGB.save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    names = ["cut.jpg", "empty.jpg", "folder.jpg", "gone.jpg", "loop.jpg"]
    paths = [str(tmp_path / name) for name in names]
    outside = {Path(r.path).name: r.fault for r in stat_images(paths)}
    assert outside == {
        "empty.jpg": "is empty",
        "folder.jpg": "is not a file",
        "gone.jpg": "does not exist",
        "loop.jpg": "is a link that leads to itself",
    }
    inside = {Path(r.path).name: r.fault for r in inspect_images(paths)}
    assert inside.pop("cut.jpg").startswith("cannot be read: ")
    assert inside == outside
