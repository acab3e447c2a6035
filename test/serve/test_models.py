"""Models of the service: exported files and checkpoints."""

import sys

import numpy as np
import pytest
from PIL import Image

from fastreid.config import load_config
from fastreid.engine import DefaultPredictor
from fastreid.gallery import Description, Entry, GalleryError, mean_direction, open_gallery
from fastreid.serve import SearchOptions, SearchService, open_model
from fastreid.serve.searching import QueryError, search
from fastreid.utils.checkpoint.weights_hash import hash_of_weights
from test.deploy.small_models import write_model
from test.export.models import SMALL, saved_model

from .serving import draw_photos


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A configuration file, weights, and photos."""
    folder = tmp_path_factory.mktemp("checkpoint")
    cfg = saved_model(folder, *SMALL)
    weights = cfg.MODEL.WEIGHTS
    (folder / "config.yml").write_text(cfg.dump(), encoding="utf-8")
    return folder / "config.yml", folder / weights, draw_photos(folder / "photos", 5)


def test_a_checkpoint_serves_as_the_predictor_computes(checkpoint, tmp_path):
    config, weights, photos = checkpoint
    predict = DefaultPredictor(load_config(config, ["MODEL.WEIGHTS", str(weights)]))
    paths = [str(photos / f"{i}.png") for i in range(5)]
    expected = predict(paths)
    description = Description(expected.shape[1], hash_of_weights(predict.model))
    name = str(tmp_path / "g")
    with open_gallery(name, create=description) as gallery:
        gallery.add(expected, [Entry(path) for path in paths])
    service = SearchService(lambda: open_model(weights, config, ["TEST.IMS_PER_BATCH", "8"]), name)
    try:
        # One twice, so that the mean is not as near to the one as to the other.
        pictures = [Image.open(paths[i]).convert("RGB") for i in (3, 1, 1)]
        found = service.search(pictures, SearchOptions(top=5))
        assert service.model_name == description.model
    finally:
        service.close()
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    similarities = unit @ mean_direction(unit[[3, 1, 1]])
    assert [each.entry.key for each in found] == [paths[i] for i in np.argsort(-similarities)]
    np.testing.assert_allclose(
        [each.similarity for each in found], np.sort(similarities)[::-1], atol=1e-5
    )


@pytest.mark.zoo
def test_a_checkpoint_and_its_export_search_one_gallery(checkpoint, tmp_path):
    from fastreid.export import export_model

    config, weights, photos = checkpoint
    cfg = load_config(config, ["MODEL.WEIGHTS", str(weights)])
    own = open_model(weights, config)
    pictures = [Image.open(photos / f"{i}.png").convert("RGB") for i in range(5)]
    for name in ("model.onnx", "model.mindir"):
        export_model(cfg, tmp_path / name)
        exported = open_model(tmp_path / name)
        assert (exported.name, exported.dimension) == (own.name, own.dimension)
        np.testing.assert_allclose(exported(pictures), own(pictures), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[1.0, 0], [-2.0, 0]], "The mean of the 2 features is zero. Use other pictures."),
        ([[np.nan, 0]], "Feature 1 of 1 is zero or not finite. Use other pictures."),
        ([[1.0, 0], [0, 0]], "Feature 2 of 2 is zero or not finite. Use other pictures."),
    ],
)
def test_pictures_whose_features_have_no_mean_are_refused(tmp_path, features, message):
    with open_gallery(str(tmp_path / "g"), create=Description(2)) as gallery:
        with pytest.raises(QueryError) as error:
            search(lambda _: np.array(features, np.float32), gallery, [], SearchOptions())
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (Description(7), "features of 7 dimensions, those of the model have 6"),
        (Description(6, "f" * 64), f"come from the model {'f' * 64}, not from {'0' * 64}"),
    ],
)
def test_a_gallery_of_another_model_is_refused(tmp_path, description, message):
    model = write_model(tmp_path / "model.onnx")
    name = str(tmp_path / "g")
    open_gallery(name, create=description).close()
    with pytest.raises(GalleryError, match=message):
        SearchService(lambda: open_model(model), name)


def test_a_package_that_a_gallery_needs_is_missed_at_the_start(tmp_path, monkeypatch):
    model = write_model(tmp_path / "model.onnx")
    open_gallery(str(tmp_path / "g"), create=Description(6)).close()
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        SearchService(lambda: open_model(model), f"faiss:{tmp_path}/g")


def test_a_gallery_of_an_unknown_model_is_searched(tmp_path):
    model = write_model(tmp_path / "model.onnx")
    name = str(tmp_path / "g")
    open_gallery(name, create=Description(6)).close()
    service = SearchService(lambda: open_model(model), name)
    assert service.run(lambda model, gallery: (model.dimension, len(gallery))) == (6, 0)
    service.close()
