"""Maps over pairs: their sums, and that each place has its part."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops
from PIL import Image
from scipy.stats import spearmanr

from fastreid.explain import Explainer, explain_image, explain_pair
from test.modeling.meta_arch.mgn_models import small_mgn
from test.small_backbones import TWO_CONVOLUTIONS

from .models import (
    ACL,
    CONVOLUTIONS,
    HISTOGRAM,
    RESNET_IBN,
    SIZE,
    TRANSFORMER,
    cosine_of,
    features_of,
    person,
    predictor_of,
)

# Homogeneous of degree 1: nothing is left over.
EXACT = (
    "GlobalAvgPool",
    "FastGlobalAvgPool",
    "GlobalMaxPool",
    "AdaptiveAvgMaxPool",
    "GeneralizedMeanPooling",
    "GeneralizedMeanPoolingP",
)
EMBEDDING = ("MODEL.HEADS.EMBEDDING_DIM", "8")


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture
def two_persons():
    return person(1), person(2)


def explained_by(why):
    """What places and the bias add; the rest is defined as what is missing to the cosine."""
    return why.query_map.sum() + why.gallery_map.sum() + why.bias


def affine(norm):
    """Scale and shift of a batch norm in evaluation, (D,) each."""
    scale = norm.gamma.asnumpy() / np.sqrt(norm.moving_variance.asnumpy() + 1e-5)
    return scale, norm.beta.asnumpy() - scale * norm.moving_mean.asnumpy()


def check_cosine(why, predictor, images):
    cosine = cosine_of(*features_of(predictor, *images))
    assert why.cosine == pytest.approx(cosine, rel=1e-4)
    return cosine


def check_sum(why, predictor, images):
    cosine = check_cosine(why, predictor, images)
    assert explained_by(why) == pytest.approx(cosine, rel=1e-3)
    assert why.rest == pytest.approx(cosine - explained_by(why), abs=1e-3 * abs(cosine))


@pytest.mark.parametrize(
    ("pooling", "reduction"), [*((name, EMBEDDING) for name in EXACT), ("GlobalAvgPool", ())]
)
@pytest.mark.usefixtures("pynative")
def test_maps_and_bias_add_up_to_the_cosine(pooling, reduction, tmp_path, two_persons):
    words = (*CONVOLUTIONS, *reduction, "MODEL.HEADS.POOL_LAYER", pooling)
    predictor = predictor_of(tmp_path, *words)
    why = explain_pair(predictor, *two_persons)
    check_sum(why, predictor, two_persons)
    features = features_of(predictor, *two_persons)
    length = np.linalg.norm(features, axis=1).prod()
    _, shift = affine(predictor.model.heads.bottleneck[-1])
    assert why.bias == pytest.approx((features @ shift).sum() / (2 * length), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "mode"),
    [(RESNET_IBN, "graph"), (RESNET_IBN, "pynative"), (ACL, "pynative")],
    ids=["resnet-ibn-graph", "resnet-ibn-pynative", "acl-pynative"],
    indirect=["mode"],
)
def test_maps_of_resnets_and_of_acl_add_up_to_the_cosine(words, mode, tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *words)
    why = explain_pair(predictor, *two_persons)
    check_sum(why, predictor, two_persons)
    assert why.query_map.shape == why.gallery_map.shape, mode


@pytest.mark.usefixtures("pynative")
def test_what_a_clipped_mean_leaves_over_is_the_rest(tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *CONVOLUTIONS, "MODEL.HEADS.POOL_LAYER", "ClipGlobalAvgPool")
    gamma = predictor.model.backbone.bn2.gamma
    ops.assign(gamma, 4 * gamma)
    batch = Tensor(predictor.prepare(list(two_persons)))
    maps = predictor.model.backbone(predictor.model.standardised(batch)).asnumpy()
    means = maps.mean(axis=(2, 3))
    assert means.max() > 1, "nothing is clipped, so this tests nothing"
    why = explain_pair(predictor, *two_persons)
    cosine = check_cosine(why, predictor, two_persons)
    assert abs(explained_by(why) - cosine) > 0.01
    assert why.rest == pytest.approx(cosine - explained_by(why), abs=1e-4)


@pytest.mark.usefixtures("pynative")
def test_for_a_mean_each_place_has_its_product_with_the_other_feature(tmp_path, two_persons):
    predictor = predictor_of(
        tmp_path, *CONVOLUTIONS, *EMBEDDING, "MODEL.HEADS.POOL_LAYER", "GlobalAvgPool"
    )
    model = predictor.model
    batch = np.concatenate([predictor.prepare(image) for image in two_persons])
    maps = model.backbone(model.standardised(Tensor(batch))).asnumpy().astype(np.float64)
    reduce, norm = model.heads.bottleneck
    scale, shift = affine(norm)
    matrix = scale[:, None] * reduce.weight.asnumpy().reshape(8, -1)
    features = maps.mean(axis=(2, 3)) @ matrix.T + shift
    length = np.linalg.norm(features, axis=1).prod()
    places = np.einsum("dc,nchw,nd->nhw", matrix, maps, features[::-1])
    places /= 2 * length * np.prod(maps.shape[2:])
    why = explain_pair(predictor, *two_persons)
    for got, expected in zip((why.query_map, why.gallery_map), places):
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())
    assert why.bias == pytest.approx((features @ shift).sum() / (2 * length), rel=1e-4)


@pytest.mark.usefixtures("pynative")
def test_patches_of_a_transformer_have_the_slope_of_their_own_size(tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *TRANSFORMER)
    model, backbone = predictor.model, predictor.model.backbone
    batch = np.concatenate([predictor.prepare(image) for image in two_persons])
    x, normed = backbone.enter_last_block(model.standardised(Tensor(batch)))

    def features(tokens):
        return model.heads(backbone.leave_last_block(x, Tensor(tokens))).asnumpy()

    whole = normed.asnumpy()
    expected = features(whole).astype(np.float64)
    np.testing.assert_allclose(expected, predictor(batch), rtol=1e-5, atol=1e-6)
    why = explain_pair(predictor, *two_persons)
    check_cosine(why, predictor, two_persons)
    rows, columns = backbone.grid
    assert why.query_map.shape == (rows, columns) == (4, 2)
    length = np.linalg.norm(expected, axis=1).prod()
    step = 0.02
    for place in range(rows * columns):
        more, less = whole.copy(), whole.copy()
        more[0, 1 + place] *= 1 + step
        less[0, 1 + place] *= 1 - step
        slope = (features(more)[0] - features(less)[0]).astype(np.float64) / (2 * step)
        numeric = slope @ expected[1] / (2 * length)
        assert why.query_map.ravel()[place] == pytest.approx(numeric, rel=0.05, abs=1e-6)


class Fixed:
    """A predictor of a model that takes images of its own size."""

    def __init__(self, model):
        self.model = model

    def prepare(self, image):
        return image


@pytest.mark.usefixtures("pynative")
def test_the_branches_of_an_mgn_are_added():
    model = small_mgn().set_train(False)
    rng = np.random.default_rng(5)
    first, second = rng.uniform(0, 255, (2, 1, 3, 80, 48)).astype(np.float32)
    predictor = Fixed(model)
    features = model(Tensor(np.concatenate([first, second]))).asnumpy().astype(np.float64)
    why = explain_pair(predictor, first, second)
    cosine = cosine_of(*features)
    assert why.cosine == pytest.approx(cosine, rel=1e-4)
    assert explained_by(why) == pytest.approx(cosine, rel=1e-3)
    maps = [each.asnumpy() for each in model.branch_maps(Tensor(first))]
    sizes = {each.shape[2:] for each in maps}
    assert why.query_map.shape == max(sizes)
    lengths = explain_image(predictor, first)
    assert lengths.shape == max(sizes)
    if len(sizes) == 1:
        squares = sum((each[0].astype(np.float64) ** 2).sum(axis=0) for each in maps)
        np.testing.assert_allclose(lengths, np.sqrt(squares), rtol=1e-5)


@pytest.mark.usefixtures("pynative")
def test_the_activation_map_has_the_length_of_the_last_map_at_each_place(tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *CONVOLUTIONS)
    model = predictor.model
    batch = predictor.prepare(two_persons[0])
    expected = np.linalg.norm(
        model.backbone(model.standardised(Tensor(batch))).asnumpy()[0], axis=0
    )
    found = explain_image(predictor, two_persons[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    transformer = predictor_of(tmp_path, *TRANSFORMER)
    lengths = explain_image(transformer, two_persons[0])
    tokens, _ = transformer.model.backbone.enter_last_block(
        transformer.model.standardised(Tensor(batch))
    )
    expected = np.linalg.norm(tokens.asnumpy()[0, 1:], axis=1).reshape(4, 2)
    np.testing.assert_allclose(lengths, expected, rtol=1e-5)


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize(
    ("network", "pooling", "least"),
    [
        (HISTOGRAM, "GlobalAvgPool", 0.95),
        (HISTOGRAM, "GeneralizedMeanPooling", 0.9),
        (TWO_CONVOLUTIONS, "GeneralizedMeanPooling", 0.5),
    ],
    ids=["colours", "colours-gem", "convolutions-gem"],
)
def test_places_with_large_parts_lower_the_cosine_when_they_are_covered(
    network, pooling, least, tmp_path
):
    predictor = predictor_of(tmp_path, *network, "MODEL.HEADS.POOL_LAYER", pooling)
    first, second = (predictor.prepare(person(seed)) for seed in (3, 4))
    why = explain_pair(predictor, first, second)
    step = 8
    mean = np.array(predictor.cfg.MODEL.PIXEL_MEAN, np.float32)[:, None, None]
    (whole, other) = features_of(predictor, first, second)
    parts, drops = [], []
    for top in range(0, SIZE[0], step):
        for left in range(0, SIZE[1], step):
            covered = first.copy()
            covered[0, :, top : top + step, left : left + step] = mean
            (feature,) = features_of(predictor, covered)
            # The length of the query is that of the whole picture, as in the explanation.
            drops.append((whole - feature) @ other)
            rows, columns = (slice(each // 4, (each + step) // 4) for each in (top, left))
            parts.append(why.query_map[rows, columns].sum())
    assert spearmanr(parts, drops).statistic > least


@pytest.mark.usefixtures("pynative")
def test_explanations_leave_features_and_names_as_they_were(tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *ACL)
    batch = np.concatenate([predictor.prepare(image) for image in two_persons])
    names = [parameter.name for parameter in predictor.model.get_parameters()]
    before = predictor(batch)
    Explainer(predictor).pair(*two_persons)
    explain_image(predictor, two_persons[0])
    np.testing.assert_array_equal(predictor(batch), before)
    assert [parameter.name for parameter in predictor.model.get_parameters()] == names


@pytest.mark.usefixtures("pynative")
def test_pictures_of_all_forms_are_resized_as_by_the_predictor(tmp_path, two_persons):
    predictor = predictor_of(tmp_path, *CONVOLUTIONS)
    file = tmp_path / "first.png"
    Image.fromarray(two_persons[0]).resize((150, 90)).save(file)
    explainer = Explainer(predictor)
    expected = explainer.pair(predictor.prepare(str(file)), predictor.prepare(two_persons[1]))
    for picture in (file, str(file), Image.open(file), np.asarray(Image.open(file))):
        found = explainer.pair(picture, two_persons[1])
        np.testing.assert_array_equal(found.query_map, expected.query_map)
        assert found.cosine == expected.cosine
