import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from fastreid.data.data_utils import ImageError, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def read(image: Image.Image, path, **options) -> np.ndarray:
    image.save(path, **options)
    result = read_image(str(path))
    assert result.mode == "RGB"
    return np.asarray(result)


def test_rgb_is_read_as_it_is(tmp_path):
    np.testing.assert_array_equal(read(Image.fromarray(PIXELS), tmp_path / "a.png"), PIXELS)


def test_gray_gets_three_equal_channels(tmp_path):
    gray = PIXELS[..., 0]
    got = read(Image.fromarray(gray), tmp_path / "a.png")
    np.testing.assert_array_equal(got, np.stack([gray] * 3, axis=-1))


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    deep = PIXELS[..., 0].astype(np.uint16) * 256 + 77
    got = read(Image.fromarray(deep), tmp_path / "a.png")
    np.testing.assert_array_equal(got[..., 1], PIXELS[..., 0])


def test_transparency_is_dropped(tmp_path):
    alpha = np.full((6, 4, 1), 100, np.uint8)
    image = Image.fromarray(np.concatenate([PIXELS, alpha], axis=-1))
    np.testing.assert_array_equal(read(image, tmp_path / "a.png"), PIXELS)


def test_a_palette_with_transparency_is_converted(tmp_path):
    image = Image.fromarray(PIXELS // 64 * 64).quantize(64)
    expected = np.asarray(image.convert("RGB"))
    got = read(image, tmp_path / "a.png", transparency=bytes([10] * 64))
    np.testing.assert_array_equal(got, expected)


def test_cmyk_is_converted(tmp_path):
    image = Image.new("CMYK", (4, 6), (0, 255, 255, 0))
    got = read(image, tmp_path / "a.jpg", quality=100)
    assert abs(got.astype(int) - [255, 0, 0]).max() < 8


def test_black_and_white_is_converted(tmp_path):
    image = Image.fromarray(PIXELS[..., 0] > 127)
    got = read(image, tmp_path / "a.png")
    np.testing.assert_array_equal(got[..., 2], (PIXELS[..., 0] > 127) * 255)


def test_the_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    got = read(Image.fromarray(PIXELS), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(got, np.rot90(PIXELS, -1))


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "gif", "tif", "webp"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_a_read_image_does_not_need_its_file(tmp_path, kind, orientation):
    path = tmp_path / f"a.{kind}"
    options = {}
    if orientation and kind not in ("bmp", "gif"):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    Image.fromarray(PIXELS).save(path, **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert expected.shape == ((4, 6, 3) if options else (6, 4, 3))
    got = read_image(str(path))
    path.unlink()
    np.testing.assert_array_equal(got, expected)
    assert got.resize((3, 5)).size == (3, 5)
    assert got.copy().crop((0, 0, 2, 2)).tobytes() == expected[:2, :2].tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_data_is_ignored(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(PIXELS).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05nothing")
    assert read_image(str(path)).size == (4, 6)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match="gone.jpg does not exist"):
        read_image(str(tmp_path / "gone.jpg"))


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "folder"])
def test_an_unreadable_file_is_named(tmp_path, kind):
    path = tmp_path / "bad.jpg"
    if kind == "folder":
        path.mkdir()
    else:
        Image.fromarray(np.repeat(np.repeat(PIXELS, 20, 0), 20, 1)).save(path)
        whole = path.read_bytes()
        path.write_bytes({"text": b"hello", "empty": b"", "cut": whole[: len(whole) // 2]}[kind])
    with pytest.raises(ImageError, match="bad.jpg cannot be read: .*Replace or remove it"):
        read_image(str(path))


def png_of_size(width, height):
    """A PNG file that announces a size and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(20_000, 10_000))
    with pytest.raises(ImageError, match=r"bomb\.png cannot be read: .*178956970 pixels"):
        read_image(str(path))
