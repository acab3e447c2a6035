"""What cannot be explained is refused with one clear message."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.data import ImageError
from fastreid.deploy import PictureError
from fastreid.explain import Explainer, ExplainError

from .models import CONVOLUTIONS, person, predictor_of


class Double:
    """A predictor of a model that is no `Baseline`."""

    def __init__(self, model):
        self.model = model

    def prepare(self, image):
        return image


@pytest.fixture
def predictor(tmp_path):
    made = predictor_of(tmp_path, *CONVOLUTIONS)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield made
    ms.set_context(mode=ms.GRAPH_MODE)


def test_an_image_that_is_missing_or_unreadable_is_named(predictor, tmp_path):
    explainer = Explainer(predictor)
    with pytest.raises(ImageError, match=r"none\.jpg does not exist"):
        explainer.pair(person(1), tmp_path / "none.jpg")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8no image")
    with pytest.raises(ImageError, match=r"broken\.jpg cannot be read"):
        explainer.image(str(broken))


def test_several_images_in_the_place_of_one_are_refused(predictor):
    explainer = Explainer(predictor)
    with pytest.raises(PictureError, match="One image is expected, 2 were given"):
        explainer.pair([person(1), person(2)], person(3))
    with pytest.raises(PictureError, match=r"float64 with shape \(4, 4\)"):
        explainer.image(np.zeros((4, 4)))


def test_a_map_of_one_place_is_refused(predictor):
    with pytest.raises(ExplainError, match="one place only"):
        Explainer(predictor).image(np.zeros((1, 3, 4, 4), np.float32))


def test_features_that_are_not_finite_are_refused(predictor):
    gamma = predictor.model.heads.bottleneck[-1].gamma
    ops.assign(gamma, Tensor(np.full(gamma.shape, np.nan, np.float32)))
    with pytest.raises(ExplainError, match="not finite"):
        Explainer(predictor).pair(person(1), person(2))


def test_other_models_and_exported_files_are_refused():
    with pytest.raises(ExplainError, match=r"Dense cannot be explained.*Baseline and ACL.*MGN"):
        Explainer(Double(nn.Dense(2, 2)))
    with pytest.raises(ExplainError, match="DefaultPredictor"):
        Explainer(lambda images: images)
