import hashlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.engine.build import build_optimizers
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.layers import Conv2d
from fastreid.modeling import build_backbone, build_model, use_half_precision
from fastreid.modeling.meta_arch.baseline import standardise
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_names, torch_names
from fastreid.utils.checkpoint.weights_file import write_weights
from test.modeling.meta_arch.mgn_models import HEADS, batch, mgn_config, small_mgn

BRANCHES = ("b1", "b2", "b3")
# SHA-256 of the lines "name shape" of fast-reid's MGN, sorted: Base-MGN.yml, 18 classes.
NAMES = {
    ("50x", "MODEL.BACKBONE.WITH_IBN", False): "5477008d3c46f951",
    ("50x", "MODEL.BACKBONE.WITH_IBN", True): "b9e02df3362fabb7",
    ("50x", "MODEL.BACKBONE.WITH_SE", True): "83f90e2d8f7b837b",
    ("101x", "MODEL.BACKBONE.WITH_IBN", False): "b98b2024c2960411",
    ("101x", "MODEL.BACKBONE.WITH_IBN", True): "b3ad13f060fcb918",
}


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def shapes_of(model):
    return {name: value.shape for name, value in export_weights(model).items()}


def strips(maps, count):
    """Divide (N, C, h, w) into strips of ceil(h / count) rows, as torch.chunk does."""
    rows = -(-maps.shape[2] // count)
    return [maps[:, :, start : start + rows] for start in range(0, maps.shape[2], rows)]


def losses_and_gradients(model):
    images, targets = map(Tensor, batch())
    forward = LossForward(model, model.criterion())
    step = GradientStep(forward, model.trainable_params()).set_train()
    losses, _, finite, gradients = step(images, targets, targets * 0)
    assert bool(finite.asnumpy())
    return forward.names, losses.asnumpy(), [gradient.asnumpy() for gradient in gradients]


@pytest.mark.usefixtures("pynative")
def test_the_feature_has_the_whole_maps_first_and_then_the_strips_from_the_top():
    model = small_mgn().set_train(False)
    images = Tensor(batch()[0])
    shared = model.backbone(standardise(images, model.pixel_mean, model.pixel_std))
    b1, b2, b3 = (getattr(model, name)(shared) for name in BRANCHES)
    assert [part.shape[2] for part in strips(b3, 3)] == [2, 2, 1]
    maps = dict(zip(HEADS, [b1, b2, *strips(b2, 2), b3, *strips(b3, 3)]))
    expected = [
        getattr(model, f"{name}_head")(maps[name]).asnumpy()
        for name in ("b1", "b2", "b3", "b21", "b22", "b31", "b32", "b33")
    ]
    np.testing.assert_array_equal(model(images).asnumpy(), np.concatenate(expected, 1))


@pytest.mark.slow
def test_a_step_in_graph_mode_reaches_every_parameter_and_equals_pynative_mode():
    ms.set_seed(0)
    model = small_mgn()
    start = {parameter.name: parameter.asnumpy() for parameter in model.get_parameters()}
    names, losses, gradients = losses_and_gradients(model)
    assert names == tuple(
        [f"loss_cls_{name}" for name in HEADS]
        + [f"loss_triplet_{name}" for name in ("b1", "b2", "b3", "b22", "b33")]
    )
    assert all(gradient.any() for gradient in gradients)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        again = small_mgn()
        for parameter in again.get_parameters():
            parameter.set_data(Tensor(start[parameter.name]))
        _, same_losses, same_gradients = losses_and_gradients(again)
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    np.testing.assert_allclose(losses, same_losses, rtol=1e-4)
    largest = max(map(np.linalg.norm, same_gradients))
    for got, want in zip(gradients, same_gradients):
        assert np.linalg.norm(got - want) < 2e-2 * np.linalg.norm(want) + 1e-5 * largest


@pytest.mark.usefixtures("pynative")
def test_trunk_and_branches_start_from_the_imagenet_weights(tmp_path):
    resnet = build_backbone(mgn_config())
    rng = np.random.RandomState(0)
    weights = {
        name: rng.rand(*value.shape).astype(np.float32)
        for name, value in export_weights(resnet).items()
    }
    path = tmp_path / "tiny.pth"
    write_weights(path, weights)
    words = ("MODEL.BACKBONE.PRETRAIN", True, "MODEL.BACKBONE.PRETRAIN_PATH", str(path))
    started = export_weights(small_mgn(*words))
    for branch in BRANCHES:
        for name, source in (
            (f"{branch}.0.0.bn1.BN.running_mean", "layer3.1.bn1.BN.running_mean"),
            (f"{branch}.1.0.downsample.0.weight", "layer4.0.downsample.0.weight"),
            (f"{branch}.1.1.bn3.bias", "layer4.1.bn3.bias"),
        ):
            np.testing.assert_array_equal(started[name], weights[source])
    for name, source in (("0.weight", "conv1.weight"), ("6.bn2.bias", "layer3.0.bn2.bias")):
        np.testing.assert_array_equal(started[f"backbone.{name}"], weights[source])


def test_the_other_branches_keep_the_resolution_of_the_third_stage():
    model = small_mgn("MODEL.BACKBONE.LAST_STRIDE", 2)
    strides = [getattr(model, branch)[1][0].conv2.stride for branch in BRANCHES]
    assert strides == [(2, 2), (1, 1), (1, 1)]


def test_names_are_found_without_the_model():
    model = small_mgn()
    assert to_mindspore_names(shapes_of(model)) == torch_names(model)


@pytest.mark.zoo
@pytest.mark.parametrize("key", NAMES, ids=str)
def test_names_and_shapes_are_those_of_fast_reid(key):
    words = ("MODEL.BACKBONE.WITH_IBN", False, "MODEL.BACKBONE.DEPTH", *key)
    heads = ("MODEL.HEADS.EMBEDDING_DIM", 256, "MODEL.HEADS.NUM_CLASSES", 18)
    pool = ("MODEL.HEADS.POOL_LAYER", "GeneralizedMeanPoolingP")
    model = small_mgn("MODEL.BACKBONE.FEAT_DIM", 2048, *words, *heads, *pool)
    lines = sorted(f"{name} {shape}" for name, shape in shapes_of(model).items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest().startswith(NAMES[key])


@pytest.mark.usefixtures("pynative")
def test_half_precision_covers_the_trunk_and_every_branch():
    model = small_mgn()
    use_half_precision(model)
    model.set_train()
    shared = model.backbone(standardise(Tensor(batch()[0]), model.pixel_mean, model.pixel_std))
    assert shared.dtype == ms.float16
    assert {getattr(model, branch)(shared).dtype for branch in BRANCHES} == {ms.float16}
    assert all(each.dtype == ms.float32 for each in model.head_maps(Tensor(batch()[0])))
    assert all(
        type(cell.conv2d).__name__ == "Convolution"
        for _, cell in model.b1_head.cells_and_names()
        if isinstance(cell, Conv2d)
    )


def test_frozen_parts_are_trunk_and_branches_without_their_heads():
    parts = ("MODEL.FREEZE_LAYERS", ["backbone", *BRANCHES], "SOLVER.FREEZE_ITERS", 5)
    cfg = mgn_config(*parts)
    learning, frozen = build_optimizers(cfg, build_model(cfg))
    assert {p.name.partition(".")[0] for p in frozen.parameters} == {"backbone", *BRANCHES}
    assert {p.name.partition(".")[0] for p in learning.parameters} == {f"{h}_head" for h in HEADS}


def test_non_local_blocks_are_left_out_with_a_warning(caplog):
    model = small_mgn("MODEL.BACKBONE.WITH_NL", True)
    assert "MGN has no non-local blocks: MODEL.BACKBONE.WITH_NL True has no effect" in caplog.text
    assert shapes_of(model) == shapes_of(small_mgn())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("MODEL.BACKBONE.NAME", "build_meta_dynamic_router_resnet_backbone"),
            "not MODEL.BACKBONE.NAME build_meta_.*; set it to build_resnet_backbone",
        ),
        (
            ("MODEL.BACKBONE.DEPTH", "18x"),
            "a ResNet of bottlenecks, not MODEL.BACKBONE.DEPTH '18x'; set it to '50x' or '101x'",
        ),
        (
            ("MODEL.HEADS.NAME", "MetaEmbeddingHead"),
            "not MODEL.HEADS.NAME MetaEmbeddingHead; set it to EmbeddingHead",
        ),
        (
            ("INPUT.SIZE_TEST", [64, 32]),
            r"INPUT.SIZE_TEST .*\[64, 32\] gives .* 3 strips; the next height that works is 67",
        ),
        (("MODEL.BACKBONE.FEAT_DIM", 2048), "FEAT_DIM is 2048, but DEPTH 'tiny' gives 512"),
    ],
    ids=str,
)
def test_parts_that_mgn_cannot_have_are_named_with_what_it_needs(words, message):
    with pytest.raises(ValueError, match=message):
        small_mgn(*words)
