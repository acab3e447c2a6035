"""A model is opened in the same way, whatever kind of file it is."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.deploy import Embedder
from fastreid.inference import device_of, open_exported, open_picture_model
from test.deploy.small_models import INFO, write_model
from test.export.models import SMALL, saved_model

RNG = np.random.default_rng(0)
PICTURES = [
    Image.fromarray(RNG.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)) for i in range(70)
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A configuration file whose MODEL.WEIGHTS exist, and the configuration."""
    folder = tmp_path_factory.mktemp("checkpoint")
    cfg = saved_model(folder, *SMALL)
    (folder / "config.yml").write_text(cfg.dump(), encoding="utf-8")
    return folder / "config.yml", cfg


def test_an_onnx_file_gives_its_features_and_its_hash(tmp_path):
    path = write_model(tmp_path / "m.onnx", dataclasses.replace(INFO, weights_sha256="a" * 64))
    model = open_picture_model(path)
    assert (model.source, model.weights_sha256) == (str(path), "a" * 64)
    assert (model.dimension, model.predictor) == (6, None)
    np.testing.assert_array_equal(model.embed(PICTURES), Embedder(path)(PICTURES))


@pytest.mark.parametrize(
    ("files", "opts", "message"),
    [
        (("m.onnx", None), ["TEST.METRIC", "cosine"], "m.onnx has its configuration inside; TEST"),
        (("m.MINDIR", None), ["MODEL.NAME", "x"], "m.MINDIR has its configuration inside; MODEL"),
        (("m.onnx", "c.yml"), [], "The configuration is inside m.onnx: --config-file is for"),
        (("m.onnx", None), ["MODEL.DEVICE"], "MODEL.DEVICE has no value"),
        (("m.ckpt", None), [], "m.ckpt is read as a checkpoint, .* add --config-file, or give an"),
        ((None, None), [], "Give a model: an exported file, or a configuration"),
    ],
)
def test_models_that_are_not_clear_are_refused(files, opts, message):
    file, config = (name and Path(name) for name in files)
    with pytest.raises(ValueError, match=message):
        open_picture_model(file, config, opts)


def test_a_checkpoint_is_no_exported_model(tmp_path):
    message = r"m.ckpt is not an exported model, .* with .onnx or .mindir.* MODEL.WEIGHTS .*m.ckpt"
    with pytest.raises(ValueError, match=message):
        open_exported(tmp_path / "m.ckpt")


def test_the_last_setting_chooses_the_device():
    assert device_of([]) == device_of(["TEST.METRIC", "cosine"]) == "auto"
    assert device_of(["MODEL.DEVICE", "cpu", "MODEL.DEVICE", "gpu:1"]) == "gpu:1"


@pytest.mark.parametrize("name", ["m.onnx", "m.mindir"])
def test_an_exported_file_runs_on_the_device_that_is_asked_for(checkpoint, tmp_path, name):
    from fastreid.export import export_model

    _, cfg = checkpoint
    export_model(cfg, tmp_path / name)
    own = open_picture_model(tmp_path / name, opts=["MODEL.DEVICE", "cpu"])
    assert own.embed(PICTURES[:3]).shape == (3, own.dimension) == (3, 16)
    with pytest.raises(ValueError, match="'cuda:0' (is not available: .*Install|needs GPU, but)"):
        open_picture_model(tmp_path / name, opts=["MODEL.DEVICE", "cuda:0"])
    with pytest.raises(ValueError, match="'tpu'(;| is unknown;) it must be"):
        open_picture_model(tmp_path / name, opts=["MODEL.DEVICE", "tpu"])


class Sharing:
    """Counts the looks at who else uses the cores."""

    looks = 0

    def __init__(self, **options):
        """Nothing is measured."""

    def report(self, log):
        Sharing.looks += 1


@pytest.mark.slow
def test_a_checkpoint_has_the_features_and_the_hash_of_its_exported_files(
    checkpoint, tmp_path, monkeypatch
):
    from fastreid.engine import DefaultPredictor, mindir_model, predictor
    from fastreid.export import export_model

    monkeypatch.setattr(predictor, "CoreSharing", Sharing)
    monkeypatch.setattr(mindir_model, "CoreSharing", Sharing)
    config_file, cfg = checkpoint
    expected = DefaultPredictor(cfg)(PICTURES)
    scale = np.abs(expected).max()
    by_setting = open_picture_model(None, config_file, ["TEST.METRIC", "cosine"])
    weights = Path(cfg.MODEL.WEIGHTS)
    by_name = open_picture_model(weights, config_file, ["MODEL.WEIGHTS", "none"], batch_size=16)
    models = [by_setting, by_name]
    for model in models:
        assert model.source == cfg.MODEL.WEIGHTS
        assert model.predictor is not None
    for name in ("m.onnx", "m.mindir"):
        export_model(cfg, tmp_path / name)
        models.append(open_picture_model(tmp_path / name))
    for model in models:
        looks, by_mindspore = Sharing.looks, not model.source.endswith(".onnx")
        # The files compute the same sums in another order.
        np.testing.assert_allclose(model.embed(PICTURES), expected, rtol=0, atol=2e-5 * scale)
        # Each batch looks.
        assert (Sharing.looks > looks) is by_mindspore
        assert model.dimension == expected.shape[1]
    assert len({model.weights_sha256 for model in models}) == 1
    assert len(by_setting.weights_sha256) == 64


@pytest.mark.parametrize(("name", "free"), [("m.onnx", "MODEL.DEVICE"), ("m.mindir", "DISPATCH")])
def test_settings_inside_a_file_are_refused_with_those_that_are_free(tmp_path, name, free):
    with pytest.raises(ValueError, match=f"TEST.METRIC cannot be changed, only .*{free}"):
        open_picture_model(tmp_path / name, None, ["TEST.METRIC", "cosine"])


def test_threads_of_mindspore_are_refused_for_onnx(tmp_path):
    with pytest.raises(ValueError, match="DISPATCH_THREADS cannot be changed"):
        open_picture_model(tmp_path / "m.onnx", None, ["DISPATCH_THREADS", "2"])
