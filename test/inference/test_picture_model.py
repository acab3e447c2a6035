"""A model is opened in the same way, whatever kind of file it is."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from fastreid.deploy import Embedder
from fastreid.extraction.picture_model import open_picture_model
from test.deploy.small_models import INFO, write_model

RNG = np.random.default_rng(0)
PICTURES = [
    Image.fromarray(RNG.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)) for i in range(70)
]


def test_an_onnx_file_gives_its_features_and_its_hash(tmp_path):
    path = write_model(tmp_path / "m.onnx", dataclasses.replace(INFO, weights_sha256="a" * 64))
    model = open_picture_model(path)
    assert (model.source, model.weights_sha256) == (str(path), "a" * 64)
    np.testing.assert_array_equal(model.embed(PICTURES), Embedder(path)(PICTURES))


@pytest.mark.parametrize(
    ("files", "opts", "message"),
    [
        (("m.onnx", None), ["TEST.METRIC", "cosine"], "m.onnx has its configuration inside; TEST"),
        (("m.onnx", "c.yml"), [], "Give a model: an exported file, or a configuration"),
        ((None, None), [], "Give a model: an exported file, or a configuration"),
    ],
)
def test_models_that_are_not_clear_are_refused(files, opts, message):
    with pytest.raises(ValueError, match=message):
        open_picture_model(*files, opts)


@pytest.mark.slow
def test_a_checkpoint_has_the_features_and_the_hash_of_its_exported_files(tmp_path):
    from fastreid.engine import DefaultPredictor
    from fastreid.export import export_model
    from test.export.models import SMALL, saved_model

    cfg = saved_model(tmp_path, *SMALL)
    (tmp_path / "config.yml").write_text(cfg.dump(), encoding="utf-8")
    expected = DefaultPredictor(cfg)(PICTURES)
    scale = np.abs(expected).max()
    checkpoint = open_picture_model(None, tmp_path / "config.yml", ["TEST.METRIC", "cosine"])
    assert checkpoint.source == cfg.MODEL.WEIGHTS
    models = [checkpoint]
    for name in ("m.onnx", "m.mindir"):
        export_model(cfg, tmp_path / name)
        models.append(open_picture_model(tmp_path / name))
    for model in models:
        # The files compute the same sums in another order.
        np.testing.assert_allclose(model.embed(PICTURES), expected, rtol=0, atol=2e-5 * scale)
    assert len({model.weights_sha256 for model in models}) == 1
    assert len(checkpoint.weights_sha256) == 64
