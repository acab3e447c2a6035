import logging

import mindspore as ms
import numpy as np
import pytest
import torch
from torch.nn import functional

from fastreid.engine.freezing import FrozenLayers
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.modeling.backbones.vision_transformer import ViTSpec
from fastreid.modeling.backbones.vision_transformer.network import SPECS
from fastreid.modeling.backbones.vision_transformer.positions import nearest_grid
from fastreid.solver.param_groups import get_default_optimizer_params
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights import load_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import (
    assert_has_the_tensors,
    assert_loads,
    backbone_cfg,
    save_published,
)

TABLE = read_table("tensors_vit.json")
WIDTH = 32
NAME = "MODEL.BACKBONE.NAME build_vit_backbone MODEL.BACKBONE.DEPTH"
NARROW = f"{NAME} narrow MODEL.BACKBONE.FEAT_DIM {WIDTH}"
# The tensors of a transformer of two blocks in timm's files of 224x224 pixels.
TIMM = {
    "cls_token": (1, 1, WIDTH),
    "pos_embed": (1, 197, WIDTH),
    "patch_embed.proj.weight": (WIDTH, 3, 16, 16),
    "patch_embed.proj.bias": (WIDTH,),
    **{
        f"blocks.{i}.{name}": shape
        for i in range(2)
        for name, shape in (
            ("norm1.weight", (WIDTH,)),
            ("norm1.bias", (WIDTH,)),
            ("attn.qkv.weight", (3 * WIDTH, WIDTH)),
            ("attn.qkv.bias", (3 * WIDTH,)),
            ("attn.proj.weight", (WIDTH, WIDTH)),
            ("attn.proj.bias", (WIDTH,)),
            ("norm2.weight", (WIDTH,)),
            ("norm2.bias", (WIDTH,)),
            ("mlp.fc1.weight", (2 * WIDTH, WIDTH)),
            ("mlp.fc1.bias", (2 * WIDTH,)),
            ("mlp.fc2.weight", (WIDTH, 2 * WIDTH)),
            ("mlp.fc2.bias", (WIDTH,)),
        )
    },
    "norm.weight": (WIDTH,),
    "norm.bias": (WIDTH,),
}
HEAD = (("head.weight", (1000, WIDTH)), ("head.bias", (1000,)))
IN21K = (("pre_logits.fc.weight", (WIDTH, WIDTH)), ("pre_logits.fc.bias", (WIDTH,)))
DISTILLED = (("head_dist.weight", (1000, WIDTH)), ("head_dist.bias", (1000,)))


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A depth that builds in no time."""
    spec = ViTSpec(2, 4, 2.0, qkv_bias=True, scale=None, width=WIDTH)
    monkeypatch.setitem(SPECS, "narrow", spec)


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def cfg_of(words=NARROW, size=(64, 32), **options):
    cfg = backbone_cfg(words, **options)
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = list(size)
    return cfg


def built(**options):
    return build_backbone(cfg_of(**options))


def timm_weights(**shapes):
    rng = np.random.RandomState(0)
    return {k: rng.randn(*shape).astype(np.float32) for k, shape in {**TIMM, **shapes}.items()}


def resized(positions, source, target):
    """By torch: (1, 1 + h * w, D) -> the same of another grid."""
    grid = torch.tensor(positions[:, 1:]).mT.reshape(1, -1, *source)
    patches = functional.interpolate(grid, size=target, mode="bilinear").flatten(2).mT
    return np.concatenate([positions[:, :1], patches.numpy()], 1)


def images_of(size=(64, 32), rows=4):
    return ms.Tensor(np.random.RandomState(1).randn(rows, 3, *size).astype(np.float32))


@pytest.mark.parametrize("words", TABLE)
def test_tensors_of_every_depth_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_names_are_those_of_timm():
    assert export_weights(built(size=(224, 224))).keys() == TIMM.keys()


def test_start_values_follow_the_rules_of_the_original():
    weights = export_weights(build_backbone(cfg_of(f"{NAME} small", FEAT_DIM=768, size=(256, 128))))
    for name, deviation in (
        ("patch_embed.proj.weight", np.sqrt(2 / (256 * 768))),
        ("pos_embed", 0.02),
        ("cls_token", 0.02),
        ("blocks.7.attn.qkv.weight", 0.02),
        ("blocks.0.mlp.fc2.weight", 0.02),
    ):
        assert weights[name].std() == pytest.approx(deviation, rel=0.1), name
    bias = weights.pop("patch_embed.proj.bias")
    limit = 1 / np.sqrt(3 * 256)
    assert 0.9 * limit < np.abs(bias).max() <= limit
    assert "blocks.0.attn.qkv.bias" not in weights
    for name, value in weights.items():
        if name.endswith("bias"):
            assert (value == 0).all(), name
        elif "norm" in name:
            assert (value == 1).all(), name


@pytest.mark.parametrize("key", ["", "model", "state_dict"])
@pytest.mark.parametrize("others", [HEAD, (*HEAD, *IN21K)], ids=["", "in21k"])
def test_imagenet_weights_load_with_positions_of_the_configs_grid(tmp_path, key, others):
    weights = timm_weights()
    path = save_published(tmp_path / "jx_vit.pth", weights, *others)
    if key:
        torch.save({key: torch.load(path)}, path)
    loaded = {k: v for k, v in weights.items() if k != "pos_embed"}
    got = assert_loads(cfg_of(size=(256, 128)), path, loaded)["pos_embed"]
    want = resized(weights["pos_embed"], (14, 14), (16, 8))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_positions_of_the_same_grid_are_loaded_unchanged(tmp_path):
    weights = timm_weights()
    path = save_published(tmp_path / "jx_vit.pth", weights, *HEAD)
    assert_loads(cfg_of(size=(224, 224)), path, weights)


def test_positions_of_as_many_patches_in_another_grid_are_resized(tmp_path):
    weights = timm_weights()
    path = save_published(tmp_path / "jx_vit.pth", weights, *HEAD)
    got = assert_loads(cfg_of(size=(448, 112)), path, {})["pos_embed"]
    want = resized(weights["pos_embed"], (14, 14), (28, 7))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(160, 80), (96, 16), (144, 192)], ids=str)
def test_a_grid_of_one_patch_more_than_a_square_loses_no_position(tmp_path, size):
    patches = (size[0] // 16) * (size[1] // 16)
    weights = timm_weights(pos_embed=(1, 1 + patches, WIDTH))
    assert_loads(cfg_of(size=size), save_published(tmp_path / "own.pth", weights), weights)


@pytest.mark.parametrize("size", [(288, 128), (512, 128)], ids=str)
def test_weights_of_the_configs_grid_without_classifier_stay(tmp_path, size, caplog):
    patches = (size[0] // 16) * (size[1] // 16)
    weights = timm_weights(pos_embed=(1, 1 + patches, WIDTH))
    with caplog.at_level(logging.INFO):
        assert_loads(cfg_of(size=size), save_published(tmp_path / "own.pth", weights), weights)
    assert "were resized" not in caplog.text


@pytest.mark.parametrize(("others", "level"), [(HEAD, "INFO"), ((), "WARNING")])
def test_resized_positions_of_square_images_are_logged(tmp_path, others, level, caplog):
    path = save_published(tmp_path / "jx_vit.pth", timm_weights(), *others)
    with caplog.at_level(logging.INFO):
        assert_loads(cfg_of(size=(256, 128)), path, {})
    (record,) = [each for each in caplog.records if "were resized" in each.message]
    assert "of 14x14 patches (height x width) were resized to 16x8" in record.message
    assert record.levelname == level


@pytest.mark.parametrize("name", ["deit_base_distilled_patch16_224.pth", "teacher.pth"])
@pytest.mark.parametrize("with_token", [True, False])
def test_the_distillation_token_is_found_by_names_and_shapes(tmp_path, name, with_token):
    weights = timm_weights(pos_embed=(1, 198, WIDTH))
    token = [("dist_token", (1, 1, WIDTH))] * with_token
    path = save_published(tmp_path / name, weights, *HEAD, *DISTILLED, *token)
    got = assert_loads(cfg_of(size=(224, 224)), path, {})["pos_embed"]
    np.testing.assert_array_equal(got, np.delete(weights["pos_embed"], 1, 1))


def test_a_path_with_the_word_distilled_does_not_remove_a_position(tmp_path):
    weights = timm_weights()
    path = save_published(tmp_path / "not_distilled.pth", weights, *HEAD)
    assert_loads(cfg_of(size=(224, 224)), path, weights)


def test_patches_that_are_embedded_by_a_matrix_load(tmp_path):
    weights = timm_weights()
    kernel = weights["patch_embed.proj.weight"]
    old = {**weights, "patch_embed.proj.weight": kernel.reshape(WIDTH, -1)}
    path = save_published(tmp_path / "old.pth", old, *HEAD)
    assert_loads(cfg_of(size=(224, 224)), path, weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pos_embed": (1, 197, 48)}, "1 of another shape: pos_embed"),
        ({"pos_embed": (1, 151, WIDTH)}, "1 of another shape: pos_embed"),
        ({"norm_pre.weight": (WIDTH,)}, "1 unexpected: norm_pre.weight"),
        ({"patch_embed.proj.weight": (WIDTH, 3, 32, 32)}, "1 of another shape: patch_embed"),
    ],
)
def test_weights_of_other_transformers_are_refused(tmp_path, changes, message):
    path = save_published(tmp_path / "other.pth", timm_weights(**changes), *HEAD)
    with pytest.raises(ValueError, match=f"looks like a vision transformer.*{message}"):
        built(PRETRAIN=True, PRETRAIN_PATH=str(path))


@pytest.mark.parametrize(
    ("depth", "name"),
    [("base", "jx_vit_base_p16_224-80ecf9dd.pth"), ("small", "vit_small_p16_224-15ec54c9.pth")],
)
def test_published_files_have_the_names_that_timm_gives_them(tmp_path, depth, name):
    (tmp_path / name).touch()
    cfg = backbone_cfg(f"{NAME} {depth}", PRETRAIN_PATH=str(tmp_path))
    assert find_pretrained(cfg) == tmp_path / name


@pytest.mark.parametrize(
    ("patches", "like", "grid"),
    [
        (128, (24, 8), (16, 8)),
        (192, (16, 8), (24, 8)),
        (210, (16, 8), (21, 10)),
        (310, (16, 8), (31, 10)),
        (196, (16, 8), (14, 14)),
        (196, (24, 8), (14, 14)),
        (256, (16, 4), (32, 8)),
        (13, (16, 8), (13, 1)),
        (1, (16, 8), (1, 1)),
    ],
)
def test_the_grid_of_a_reid_model_is_that_of_the_nearest_shape(patches, like, grid):
    assert nearest_grid(patches, like) == grid


def reid_cfg(size, **options):
    cfg = cfg_of(size=size, **options)
    cfg.MODEL.HEADS.POOL_LAYER, cfg.MODEL.HEADS.NUM_CLASSES = "Identity", 4
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "TripletLoss")
    return cfg


@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
def test_a_reid_model_of_another_image_size_loads_with_a_warning(tmp_path, suffix, caplog):
    trained = build_model(reid_cfg((64, 32)))
    path = tmp_path / f"model{suffix}"
    if suffix == ".ckpt":
        Checkpointer(trained, tmp_path).save("model")
    else:
        state = {k: torch.tensor(v) for k, v in export_weights(trained).items()}
        torch.save({"model": state}, path)
    model = build_model(reid_cfg((96, 64)))
    with caplog.at_level(logging.WARNING):
        Checkpointer(model).load(path, weights_only=True)
    assert "backbone: the position embeddings of 4x2 patches" in caplog.text
    assert "resized to 6x4" in caplog.text
    want, got = export_weights(trained), export_weights(model)
    positions = resized(want.pop("backbone.pos_embed"), (4, 2), (6, 4))
    np.testing.assert_allclose(got["backbone.pos_embed"], positions, rtol=0, atol=1e-6)
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_a_backbone_alone_loads_weights_of_another_image_size():
    small, large = built(size=(64, 32)), built(size=(128, 64))
    load_weights(large, export_weights(small))
    positions = resized(export_weights(small)["pos_embed"], (4, 2), (8, 4))
    np.testing.assert_allclose(export_weights(large)["pos_embed"], positions, rtol=0, atol=1e-6)


def test_weights_of_another_size_and_width_change_nothing():
    model = built()
    before = export_weights(model)
    wide = {**before, "pos_embed": np.zeros((1, 25, WIDTH + 1), np.float32)}
    with pytest.raises(ValueError, match="1 of another shape: pos_embed"):
        load_weights(model, wide)
    np.testing.assert_array_equal(export_weights(model)["pos_embed"], before["pos_embed"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"DEPTH": "large"}, r"DEPTH 'large' is not a vision transformer; .*'small', 'base'"),
        ({"FEAT_DIM": 768}, f"FEAT_DIM is 768, but DEPTH 'narrow' gives {WIDTH}"),
        ({"STRIDE_SIZE": (0, 16)}, r"STRIDE_SIZE \[0, 16\]: each must be at least 1"),
        ({"STRIDE_SIZE": (16,)}, r"STRIDE_SIZE \[16\] must be two numbers"),
        ({"DROP_PATH_RATIO": 1.0}, r"DROP_PATH_RATIO \(1.0\) must be in \[0, 1\)"),
        ({"DROP_RATIO": -0.1}, r"DROP_RATIO \(-0.1\) must be in"),
        ({"ATT_DROP_RATE": 2.0}, r"ATT_DROP_RATE \(2.0\) must be in"),
        ({"size": (64, 15)}, r"SIZE_TRAIN .*\[64, 15\] is smaller than a patch"),
    ],
)
def test_wrong_settings_name_the_right_ones(options, message):
    with pytest.raises(ValueError, match=message):
        built(**options)


def test_images_of_one_size_only(pynative):
    cfg = cfg_of()
    cfg.INPUT.SIZE_TEST = [96, 32]
    with pytest.raises(ValueError, match=r"\[64, 32\] pixels in training and \[96, 32\] in tests"):
        build_backbone(cfg)
    with pytest.raises(ValueError, match=r"built for images of \(64, 32\) pixels, not \(32, 64\)"):
        built()(images_of((32, 64)))


@pytest.mark.parametrize("train", [(0,), (96,), (64, 32), (80, 48)], ids=str)
@pytest.mark.parametrize("test", [(0,), (96,), (64, 32)], ids=str)
def test_the_crop_decides_the_size_of_images(train, test):
    cfg = cfg_of()
    cfg.INPUT.SIZE_TRAIN, cfg.INPUT.SIZE_TEST = list(train), list(test)
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.SIZE = True, [48, 32]
    assert build_backbone(cfg).image_size == (48, 32)
    cfg.INPUT.CROP.SIZE = [32]
    assert build_backbone(cfg).image_size == (32, 32)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0], [64, 32], r"INPUT.SIZE_TRAIN \[0\] leaves the size to INPUT.CROP: set INPUT.CROP"),
        ([64], [64, 32], r"INPUT.SIZE_TRAIN \[64\] leaves the size to INPUT.CROP: set INPUT.CROP"),
        ([64, 64], [64], r"INPUT.SIZE_TEST \[64\] leaves .* set it to height and width, two num"),
        ([64, 64], [0], r"INPUT.SIZE_TEST \[0\] leaves .* set it to height and width, two num"),
    ],
)
def test_without_a_crop_sizes_have_height_and_width(train, test, message):
    cfg = cfg_of()
    cfg.INPUT.SIZE_TRAIN, cfg.INPUT.SIZE_TEST = train, test
    with pytest.raises(ValueError, match=message):
        build_backbone(cfg)


def test_options_that_transformers_do_not_have_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        built(WITH_IBN=True, SIE_COE=1.0, LAST_STRIDE=2)
    assert "LAST_STRIDE 2, WITH_IBN True, SIE_COE 1.0" in caplog.text


def test_patch_tokens_are_in_the_order_of_the_grid(pynative):
    backbone = built(STRIDE_SIZE=(16, 8)).set_train(False)
    assert backbone.grid == (4, 3)
    images = images_of()
    tokens = backbone.tokens(images)
    assert tokens.shape == (4, 1 + 4 * 3, WIDTH)
    feature = backbone(images)
    assert feature.shape == (4, WIDTH, 1, 1)
    np.testing.assert_array_equal(feature.asnumpy()[:, :, 0, 0], tokens.asnumpy()[:, 0])


def test_norms_positions_and_biases_decay_as_in_the_original():
    cfg = reid_cfg((64, 32))
    cfg.SOLVER.WEIGHT_DECAY, cfg.SOLVER.WEIGHT_DECAY_NORM, cfg.SOLVER.WEIGHT_DECAY_BIAS = 1, 2, 3
    cfg.SOLVER.BASE_LR, cfg.SOLVER.BIAS_LR_FACTOR = 1.0, 4.0
    model = build_model(cfg)
    groups = get_default_optimizer_params(cfg, model.trainable_params())
    found = {p.name: (g.weight_decay, g.base_lr) for g in groups for p in g.parameters}
    for name, settings in (
        ("backbone.cls_token", (1, 1)),
        ("backbone.pos_embed", (1, 1)),
        ("backbone.patch_embed.proj.weight", (1, 1)),
        ("backbone.blocks.1.mlp.fc1.weight", (1, 1)),
        ("backbone.blocks.1.mlp.fc1.bias", (3, 4)),
        ("backbone.blocks.0.norm1.gamma", (2, 1)),
        ("backbone.blocks.0.norm1.beta", (3, 4)),
        ("backbone.norm.gamma", (2, 1)),
    ):
        assert found[name] == settings, name


def test_parts_of_a_transformer_are_frozen_by_their_pytorch_names():
    model = build_model(reid_cfg((64, 32)))
    patterns = [r"backbone\.(cls_token|pos_embed|patch_embed)", r"backbone\.blocks\.0\..*norm"]
    layers = FrozenLayers(model, patterns)
    frozen = {parameter.name for parameter in model.get_parameters() if layers.has(parameter)}
    assert frozen == {
        *("backbone.cls_token", "backbone.pos_embed"),
        *(f"backbone.patch_embed.proj.{leaf}" for leaf in ("weight", "bias")),
        *(f"backbone.blocks.0.norm{n}.{leaf}" for n in (1, 2) for leaf in ("gamma", "beta")),
    }
