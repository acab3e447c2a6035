"""`Embedder`: what it takes, what it refuses, and that it computes what the file describes."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fastreid.deploy import Embedder, PictureError
from fastreid.utils.file_io.images import ImageError

from .small_models import INFO, features_of, write_model

SIZES = [(16, 8), (31, 17), (5, 40)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.RandomState(1)
    return [rng.randint(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]


def as_batch(arrays, size=(16, 8)):
    """Resize as the predictor does: bicubic, by Pillow."""
    pictures = [Image.fromarray(a).resize(size[::-1], Image.Resampling.BICUBIC) for a in arrays]
    return np.stack([np.asarray(p, np.float32).transpose(2, 0, 1) for p in pictures])


def assert_close(found, expected):
    assert found.dtype == np.float32
    # Sums of 3,456 products in float32.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_every_form_of_a_picture_gives_the_same_features(model, arrays, tmp_path, batch_size):
    paths = [tmp_path / f"{i}.png" for i in range(len(arrays))]
    for path, array in zip(paths, arrays):
        Image.fromarray(array).save(path)
    embed = Embedder(model, batch_size=batch_size)
    expected = features_of(as_batch(arrays))
    for form in (
        arrays,
        tuple(arrays),
        paths,
        [str(path) for path in paths],
        [Image.fromarray(array) for array in arrays],
        [paths[0], arrays[1], Image.fromarray(arrays[2])],
        as_batch(arrays),
        as_batch(arrays).astype(np.float64),
    ):
        assert_close(embed(form), expected)
    assert_close(embed(paths[1]), expected[1:2])
    assert_close(embed(arrays[1]), expected[1:2])
    assert_close(embed(np.stack([arrays[0]] * 3)), expected[[0, 0, 0]])


@pytest.mark.parametrize("batch_size", [2, 64])
def test_pictures_can_be_prepared_beforehand(model, arrays, batch_size):
    embed = Embedder(model, batch_size=batch_size)
    np.testing.assert_array_equal(embed.prepare(arrays), as_batch(arrays))
    np.testing.assert_array_equal(embed(embed.prepare(arrays)), embed(arrays))


def test_channels_of_opencv_are_swapped_on_request(model, arrays):
    embed = Embedder(model)
    swapped = [array[:, :, ::-1] for array in arrays]
    np.testing.assert_array_equal(embed(swapped, bgr=True), embed(arrays))
    assert np.abs(embed(swapped) - embed(arrays)).max() > 1
    pictures = [Image.fromarray(array) for array in arrays]
    np.testing.assert_array_equal(embed(pictures, bgr=True), embed(arrays))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_pictures_of_other_modes_become_rgb(model, arrays, mode):
    picture = Image.fromarray(arrays[0]).convert(mode)
    expected = features_of(as_batch([np.asarray(picture.convert("RGB"))]))
    assert_close(Embedder(model)(picture), expected)


def test_no_pictures_give_no_features(model):
    embed = Embedder(model)
    assert embed([]).shape == embed(np.zeros((0, 3, 16, 8), np.float32)).shape == (0, 6)


def test_the_centre_is_cut_out_after_the_resize(arrays, tmp_path):
    info = replace(INFO, resize=(20, 12), crop=(16, 8))
    embed = Embedder(write_model(tmp_path / "model.onnx", info))
    whole = as_batch(arrays, (20, 12))
    assert_close(embed(arrays), features_of(whole[:, :, 2:18, 2:10]))
    assert_close(embed(whole[:, :, :16, :8]), features_of(whole[:, :, :16, :8]))


def test_normalized_files_get_normalized_images(arrays, tmp_path):
    info = replace(INFO, input="normalized")
    embed = Embedder(write_model(tmp_path / "model.onnx", info))
    mean = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    batch = (as_batch(arrays) / 255 - mean) / std
    np.testing.assert_allclose(embed(arrays), features_of(batch), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(embed(as_batch(arrays)), features_of(batch), rtol=1e-4, atol=1e-5)


FORMS = (
    r"a path, a PIL image, a uint8 array \(H, W, 3\), a list of these, or a float or uint8 array"
)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (3, f"The image is of type int; {FORMS}"),
        (b"a.jpg", f"The image is of type bytes; {FORMS}"),
        ({"a.jpg"}, f"The image is of type set; {FORMS}"),
        ([np.zeros((4, 4, 3), np.uint8), None], r"images\[1\] is of type NoneType; "),
        ([np.zeros((4, 4, 4), np.uint8)], r"images\[0\] is an array of uint8 .*\(4, 4, 4\); "),
        (np.zeros((4, 4), np.uint8), r"an array of uint8 with shape \(4, 4\); "),
        (np.zeros((0, 4, 3), np.uint8), r"an array of uint8 with shape \(0, 4, 3\); "),
        (np.zeros((4, 4, 3), np.int64), r"an array of int64 with shape \(4, 4, 3\); "),
        ([np.zeros((4, 4, 3), np.uint16)], r"images\[0\] is an array of uint16 with shape"),
        (np.zeros((4, 4, 3), np.float32), r"of float32 with shape \(4, 4, 3\) was given; "),
        (np.zeros((2, 3, 8, 16), np.float32), r"\(2, 3, 8, 16\).*\(N, 3, 16, 8\) of RGB in 0..255"),
        (np.zeros((2, 16, 8, 3), np.float32), r"\(2, 16, 8, 3\) was given; "),
        (np.zeros((2, 3, 16, 8), np.int64), r"of int64 with shape \(2, 3, 16, 8\) was given; "),
        (np.zeros((2, 3, 16, 8), bool), r"of bool with shape \(2, 3, 16, 8\) was given; "),
        (np.zeros((2, 3, 16, 8), complex), r"of complex128 with shape \(2, 3, 16, 8\) was given; "),
        (np.zeros((2, 3, 16, 8), object), r"of object with shape \(2, 3, 16, 8\) was given; "),
        (np.full((1, 3, 16, 8), np.nan, np.float32), "values that are not finite"),
    ],
)
def test_anything_else_is_refused_by_its_type_and_shape(model, images, message):
    with pytest.raises(PictureError, match=message):
        Embedder(model)(images)


def test_a_file_that_is_no_picture_is_named(model, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ImageError, match="text.jpg cannot be read"):
        Embedder(model)([tmp_path / "text.jpg"])
    with pytest.raises(ImageError, match="none.jpg does not exist"):
        Embedder(model)(tmp_path / "none.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model file .*none.onnx; make it with tools"):
        Embedder(tmp_path / "none.onnx")


def test_a_file_without_a_description_is_refused(tmp_path):
    path = write_model(tmp_path / "model.onnx", None)
    with pytest.raises(ValueError, match=r"model.onnx has no description .*tools/export.py"):
        Embedder(path)


def test_a_file_whose_description_has_another_size_is_refused(tmp_path):
    path = write_model(tmp_path / "model.onnx", INFO, size=(32, 16))
    with pytest.raises(ValueError, match=r"takes images of \[32, 16\], but .* says \[16, 8\]"):
        Embedder(path)


def test_a_file_whose_description_has_another_dimension_is_refused(tmp_path):
    path = write_model(tmp_path / "model.onnx", replace(INFO, dimension=7))
    with pytest.raises(ValueError, match=r"gives features of 6 dimensions, but .* says 7; export"):
        Embedder(path)


def cut_off(path, array):
    """Write the first half of an image file."""
    Image.fromarray(array).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_a_pil_image_that_cannot_be_read_is_named_with_its_place(model, tmp_path):
    noise = np.random.RandomState(0).randint(0, 256, (60, 40, 3)).astype(np.uint8)
    for name, array in (("a.jpg", noise), ("b.png", noise[:, :, 0])):
        path = cut_off(tmp_path / name, array)
        message = rf"images\[1\], a PIL image of {path}, cannot be read: "
        with Image.open(path) as picture, pytest.raises(PictureError, match=message):
            Embedder(model)([noise, picture])
    closed = Image.fromarray(noise)
    closed.close()
    with pytest.raises(PictureError, match="The image, a PIL image, cannot be read: "):
        Embedder(model)(closed)
    with pytest.raises(PictureError, match="The image is a PIL image of 0x5 pixels; a path, a PIL"):
        Embedder(model)(Image.new("RGB", (0, 5)))


def test_a_pil_image_of_16_bits_is_read_as_its_file_is(model, tmp_path):
    gray = np.random.RandomState(0).randint(0, 65536, (20, 10)).astype(np.uint16)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    embed = Embedder(model)
    by_path = embed(tmp_path / "gray.png")
    with Image.open(tmp_path / "gray.png") as picture:
        np.testing.assert_array_equal(embed(picture), by_path)
    assert np.ptp(embed.prepare(tmp_path / "gray.png")) > 100


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_file_is_refused(model, tmp_path, damage):
    content = {"cut": model.read_bytes()[:200], "text": b"hello", "empty": b""}[damage]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model.onnx (cannot be read as an ONNX|has no descr)"):
        Embedder(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "npu"}, r"device is 'npu'; it must be one of \['auto', 'cpu', 'cuda', 'gpu'\]"),
        ({"device": None}, "device is None; it must be one of"),
        ({"device": "cuda:first"}, "'cuda:first'; the colon must be followed by a device number"),
        ({"device": "cpu:"}, "'cpu:'; the colon must be followed by a device number"),
        ({"threads": -1}, "threads is -1; it must be at least 0"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
    ],
)
def test_wrong_options_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        Embedder(model, **options)


def test_a_missing_gpu_is_an_error_not_a_slow_run(model, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for device in ("cuda", "GPU:1"):
        with pytest.raises(ValueError, match=rf"'{device}' is not available: .*onnxruntime-gpu"):
            Embedder(model, device=device)
    assert Embedder(model, device="auto")(np.zeros((4, 4, 3), np.uint8)).shape == (1, 6)


def test_a_gpu_that_does_not_start_is_an_error_unless_the_choice_is_free(model, monkeypatch):
    """onnxruntime-gpu on a machine without CUDA: the session silently takes the processor."""
    import onnxruntime

    asked = []
    real = onnxruntime.InferenceSession

    def without_cuda(path, options, providers):
        asked.append(providers[0])
        return real(path, options, providers=["CPUExecutionProvider"])

    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_cuda)
    with pytest.raises(ValueError, match=r"'cuda:2' is not available: .* it does not start"):
        Embedder(model, device="cuda:2")
    assert Embedder(model, device="auto")(np.zeros((4, 4, 3), np.uint8)).shape == (1, 6)
    assert asked == [("CUDAExecutionProvider", {"device_id": index}) for index in (2, 0)]
