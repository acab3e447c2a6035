"""Persons who differ in one piece of clothing: the change of the map is at that place."""

import mindspore as ms
import numpy as np
import pytest

from fastreid.explain import Explainer
from fastreid.explain.drawing import resize_map
from test.small_backbones import ONE_BOTTLENECK_STAGE, TWO_CONVOLUTIONS

from .models import HISTOGRAM, person, predictor_of

RED, BLUE = (186, 40, 44), (36, 48, 150)
GEM = ("MODEL.HEADS.POOL_LAYER", "GeneralizedMeanPooling")
MODELS = {
    "colours": HISTOGRAM,
    "colours-gem": (*HISTOGRAM, *GEM),
    "convolutions": TWO_CONVOLUTIONS,
    "resnet": ONE_BOTTLENECK_STAGE,
}
PIECES = {
    "upper": ({"upper_colour": RED}, {"upper_colour": BLUE}),
    "lower": ({"lower_colour": RED}, {"lower_colour": BLUE}),
    "shoes": ({"shoe_colour": (228, 228, 226)}, {"shoe_colour": (30, 28, 28)}),
}


@pytest.fixture(scope="module", params=MODELS)
def explainer(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    predictor = predictor_of(folder, *MODELS[request.param], size=(128, 64))
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield Explainer(predictor)
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize(("piece", "seed"), [("upper", 11), ("lower", 12), ("shoes", 13)])
def test_the_lost_similarity_is_at_the_changed_piece(explainer, piece, seed):
    before, after = (person(seed, **changes) for changes in PIECES[piece])
    changed = np.abs(before.astype(int) - after).sum(axis=2) > 30
    assert 0.002 < changed.mean() < 0.4
    same, other = explainer.pair(before, before), explainer.pair(before, after)
    lost = same.gallery_map - other.gallery_map
    shown = resize_map(np.abs(lost), changed.shape)
    inside = shown[changed].mean()
    assert other.cosine < same.cosine - 1e-6
    assert lost.sum() > 0
    assert inside > 2 * shown[~changed].mean()
