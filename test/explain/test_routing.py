"""Weights of ACL's adaptors, of images and of domains."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from fastreid.explain import (
    ExplainError,
    compare_domains,
    explain_routing,
    require_matplotlib,
    routing_figure,
)

from .models import ACL, CONVOLUTIONS, person, predictor_of


def test_weights_are_the_outputs_of_the_routers_in_their_order(mode, tmp_path):
    predictor = predictor_of(tmp_path, *ACL)
    # With random signs the ReLU of the narrow router may leave nothing, and all weights are 1/4.
    (stage,) = predictor.model.backbone.stages
    ops.assign(stage.router.fc1.weight, Tensor(np.abs(stage.router.fc1.weight.asnumpy())))
    images = [person(seed) for seed in range(3)]
    weights = explain_routing(predictor, images)
    assert weights.shape == (3, 1, 4), mode
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    model = predictor.model
    _, paths = model.backbone(model.standardised(Tensor(predictor.prepare(images))))
    np.testing.assert_allclose(weights.reshape(3, -1), paths.asnumpy(), rtol=1e-5)
    assert np.ptp(weights, axis=0).max() > 0


def test_images_of_more_than_one_batch_have_the_weights_of_each_alone(tmp_path):
    predictor = predictor_of(tmp_path, *ACL)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        images = [person(seed) for seed in range(19)]
        together = explain_routing(predictor, images)
        assert len(together) == 19
        for place in (0, 15, 16, 18):
            (alone,) = explain_routing(predictor, [images[place]])
            np.testing.assert_allclose(together[place], alone, rtol=1e-5)
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)


def test_a_model_without_routers_is_refused_with_the_names_of_acl(tmp_path):
    predictor = predictor_of(tmp_path, *CONVOLUTIONS)
    with pytest.raises(ExplainError, match=r"Baseline has no routers.*meta_dynamic_router_resnet"):
        explain_routing(predictor, [person(1)])
    acl = predictor_of(tmp_path, *ACL)
    with pytest.raises(ValueError, match="no images"):
        explain_routing(acl, [])


def test_distances_of_domains_are_those_of_their_mean_unit_paths():
    even = np.full((3, 2, 4), 0.25)
    first = np.zeros((2, 2, 4))
    first[..., 0] = 1
    last = np.zeros((1, 2, 4))
    last[..., 3] = 1
    routing = compare_domains({"even": even, "first": first, "last": last})
    # Unit paths: eight times 1/sqrt(8), or two times 1/sqrt(2).
    near = np.sqrt(2 - 2 * 2 * (1 / np.sqrt(8)) * (1 / np.sqrt(2)))
    far = np.sqrt(2)
    expected = [[0, near, near], [near, 0, far], [near, far, 0]]
    np.testing.assert_allclose(routing.distances, expected, atol=1e-7)


def test_bars_have_the_means_of_domains_and_the_weights_of_images():
    rng = np.random.default_rng(0)
    weights = {name: rng.dirichlet(np.ones(4), (5, 3)) for name in ("one", "two")}
    single = {"a.jpg": rng.dirichlet(np.ones(4), 3)}
    figure = routing_figure(compare_domains(weights), single)
    groups = [*(each.mean(axis=0) for each in weights.values()), single["a.jpg"]]
    for stage in range(3):
        heights = [bar.get_height() for bar in figure.axes[stage].patches]
        np.testing.assert_allclose(heights, np.concatenate([g[stage] for g in groups]))
    points = sum(len(each.get_offsets()) for each in figure.axes[3].collections)
    assert points == 5 + 5 + 1
    texts = [float(text.get_text()) for text in figure.axes[4].texts]
    assert texts[0] == texts[3] == 0
    assert texts[1] == texts[2] > 0
    alone = routing_figure(compare_domains({}), single)
    assert len(alone.axes) == 4


def test_an_image_with_the_name_of_a_domain_does_not_replace_it():
    routing = compare_domains({"one": np.full((2, 3, 4), 0.25)})
    with pytest.raises(ValueError, match="An image and a domain have the same name 'one'"):
        routing_figure(routing, {"one": np.full((3, 4), 0.25)})


def test_without_matplotlib_the_error_names_the_command_that_installs_it(without_matplotlib):
    with pytest.raises(ImportError, match="pip install matplotlib"):
        require_matplotlib()
