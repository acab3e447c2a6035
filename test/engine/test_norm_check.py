import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.config import explicit_config, get_cfg
from fastreid.engine import norm_check
from fastreid.engine.norm_check import check_norms
from fastreid.engine.steps import batch_shards
from fastreid.layers import BatchNorm
from fastreid.modeling import build_backbone, build_model, map_sizes
from fastreid.modeling.backbones.resnest import ResNeSt, ResNeStSpec, StageSpec
from test.modeling.meta_arch.mgn_models import WORDS as MGN
from test.small_backbones import (
    ONE_ADAPTIVE_STAGE,
    TWO_ADAPTIVE_STAGES,
    TWO_BASIC_STAGES,
    TWO_CONVOLUTIONS,
)

SIZES = [(64, 32), (17, 31), (33, 16), (5, 3), (3, 3)]
PLAIN = ("MODEL.HEADS.NAME", "EmbeddingHead", "MODEL.HEADS.NUM_CLASSES", "4")
ACL = (
    *ONE_ADAPTIVE_STAGE,
    *("MODEL.HEADS.NAME", "MetaEmbeddingHead", "MODEL.HEADS.CLASSES_PER_DOMAIN", "[4, 4, 4]"),
    *("DATALOADER.SAMPLER_TRAIN", "NaiveIdentitySampler"),
)


def cfg_of(*words, size=(64, 32), batch=1):
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.HEADS.WITH_BNNECK", "True", *words])
    cfg.INPUT.SIZE_TRAIN = list(size)
    cfg.SOLVER.IMS_PER_BATCH = batch
    cfg.DATALOADER.NUM_INSTANCE = 1
    return cfg


@pytest.fixture
def processes(monkeypatch):
    def choose(count):
        for module in (batch_shards, norm_check):
            monkeypatch.setattr(module, "get_world_size", lambda: count)

    return choose


def check(cfg):
    cfg = explicit_config(cfg)
    check_norms(cfg, build_model(cfg), 3)


@pytest.mark.parametrize("words", [TWO_BASIC_STAGES, TWO_ADAPTIVE_STAGES], ids=["plain", "acl"])
def test_map_sizes_are_those_that_the_backbone_gives(words):
    ms.set_context(mode=ms.PYNATIVE_MODE)
    backbone = build_backbone(cfg_of(*words)).set_train(False)
    for height, width in SIZES:
        out = backbone(Tensor(np.zeros((1, 3, height, width), np.float32)))
        out = out[0] if isinstance(out, tuple) else out
        assert map_sizes(backbone, height, width)["stages.1"] == out.shape[2:]
        stem = backbone.conv1(Tensor(np.zeros((1, 3, height, width), np.float32)))
        assert map_sizes(backbone, height, width)["conv1"] == stem.shape[2:]


def small_resnest():
    stages = (StageSpec(8, 1, 1, 1, False), StageSpec(8, 1, 2, 1, True))
    return ResNeSt(ResNeStSpec(8, stages)).set_train(False)


def test_map_sizes_of_a_padded_stem_are_those_that_the_backbone_gives():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    backbone = small_resnest()
    for height, width in SIZES:
        images = Tensor(np.zeros((1, 3, height, width), np.float32))
        sizes = map_sizes(backbone, height, width)
        assert sizes["stages.1"] == backbone(images).shape[2:]
        assert sizes["conv1"] == backbone.conv1(images).shape[2:]


def test_a_single_image_is_refused_by_split_attention_however_large():
    model = nn.Cell()
    model.backbone = small_resnest()
    cfg = cfg_of(size=(256, 128), batch=1)
    with pytest.raises(ValueError, match=r"gives backbone\.stages\.0\.blocks\.0\.conv2\.bn1 only"):
        check_norms(explicit_config(cfg), model, 3)


def test_a_batch_of_one_image_is_refused_with_the_smallest_that_works():
    message = (
        r"Expected more than 1 value per channel when training: SOLVER\.IMS_PER_BATCH 1 gives "
        r"heads\.bottleneck\.0 only 1 image of 1x1 pixel in a basic step\. The smallest "
        r"SOLVER\.IMS_PER_BATCH that works is 2\."
    )
    for words in (TWO_CONVOLUTIONS, TWO_BASIC_STAGES):
        with pytest.raises(ValueError, match=message):
            check(cfg_of(*PLAIN, *words))
        check(cfg_of(*PLAIN, *words, batch=2))


def test_the_necks_of_all_heads_of_an_mgn_are_checked():
    cfg = cfg_of(*MGN, size=(80, 32))
    with pytest.raises(ValueError, match=r"b1_head\.bottleneck\.1 only 1 image of 1x1 pixel"):
        check(cfg)


def test_maps_of_several_pixels_let_a_single_image_pass_where_the_neck_has_no_norm():
    without = (*PLAIN, *TWO_BASIC_STAGES, "MODEL.HEADS.WITH_BNNECK", "False")
    check(cfg_of(*without))
    with pytest.raises(
        ValueError, match=r"gives backbone\.stages\.1\..* only 1 image of 1x1 pixel"
    ):
        check(cfg_of(*without, size=(8, 8)))
    check(cfg_of(*without, size=(8, 8), batch=2))


@pytest.mark.parametrize(("world_size", "needed"), [(2, 4), (4, 8)])
def test_rows_are_counted_for_each_process(processes, world_size, needed):
    processes(world_size)
    message = (
        rf"step, for each of {world_size} processes\. The smallest SOLVER\.IMS_PER_BATCH that "
        rf"works is {needed}\. With .* syncBN, .*, it is {world_size}\."
    )
    with pytest.raises(ValueError, match=message):
        check(cfg_of(*PLAIN, *TWO_CONVOLUTIONS, batch=world_size))
    check(cfg_of(*PLAIN, *TWO_CONVOLUTIONS, batch=needed))


def test_norms_over_all_processes_count_the_rows_of_all(processes):
    synced = (*PLAIN, *TWO_BASIC_STAGES, "MODEL.BACKBONE.NORM", "syncBN", "MODEL.HEADS.NORM")
    processes(2)
    check(cfg_of(*synced, "syncBN", batch=2))
    with pytest.raises(ValueError, match=r"heads\.bottleneck\.0 only 1 image.*works is 4\."):
        check(cfg_of(*synced, "BN", batch=2))


@pytest.mark.parametrize("shard", ["contiguous", "mixed"])
@pytest.mark.parametrize("world_size", [1, 2])
def test_each_half_of_acls_meta_steps_needs_two_rows(processes, shard, world_size):
    processes(world_size)
    needed = 4 * world_size
    check(cfg_of(*ACL, "SOLVER.META_SHARD", shard, batch=needed))
    cfg = cfg_of(*ACL, "SOLVER.META_SHARD", shard, batch=needed // 2)
    message = rf"1 image of 1x1 pixel in the meta-test half of a .*that works is {needed}\."
    with pytest.raises(ValueError, match=message):
        check(cfg)
    cfg.SOLVER.META.PERIOD = 0
    check(cfg)


def test_a_map_of_one_pixel_is_refused_where_instance_norms_get_it():
    ibn = (*PLAIN, *TWO_BASIC_STAGES, "MODEL.BACKBONE.WITH_IBN", "True")
    message = (
        r"backbone\.stages\.0\.blocks\.0\.bn1\.IN, an instance norm, gets one pixel of .*"
        r"SIZE_TRAIN is \[5, 4\]\. The smallest height that works with this width is 7\."
    )
    with pytest.raises(ValueError, match=message):
        check(cfg_of(*ibn, size=(5, 4), batch=8))
    check(cfg_of(*ibn, size=(7, 4), batch=8))
    check(cfg_of(*PLAIN, *TWO_BASIC_STAGES, size=(5, 4), batch=8))


def test_images_of_which_pooling_leaves_nothing_are_refused():
    with pytest.raises(ValueError, match=r"SIZE_TRAIN \[2, 64\] is too small: .*at least 3 pixels"):
        check(cfg_of(*PLAIN, *TWO_BASIC_STAGES, size=(2, 64), batch=8))


def test_an_instance_norm_behind_the_pooling_is_refused():
    with pytest.raises(
        ValueError, match=r"one pooled value of each image\. Set MODEL\.HEADS\.NORM"
    ):
        check(cfg_of(*PLAIN, *TWO_CONVOLUTIONS, "MODEL.HEADS.NORM", "IN", batch=8))


def test_norms_of_an_unknown_backbone_or_model_are_not_checked():
    cfg = cfg_of(*PLAIN, *TWO_CONVOLUTIONS, "MODEL.HEADS.WITH_BNNECK", "False")
    model = build_model(cfg)
    assert any(isinstance(cell, BatchNorm) for _, cell in model.cells_and_names())
    check_norms(explicit_config(cfg), model, 1)
    check_norms(explicit_config(cfg), BatchNorm(4), 1)


def test_without_a_training_size_the_crop_decides():
    crop = ("INPUT.CROP.ENABLED", "True", "INPUT.CROP.SIZE", "[4]")
    words = (*TWO_BASIC_STAGES, *PLAIN, "MODEL.HEADS.WITH_BNNECK", "False")
    with pytest.raises(ValueError, match=r"gives backbone.* only 1 image of 1x1 pixel"):
        check(cfg_of(*words, *crop, size=(0,)))
    for size in ((0,), (8,), (64, 64)):
        check(cfg_of(*words, *crop, size=size, batch=2))
    for others in ((), (*crop, "INPUT.PADDING.ENABLED", "True")):
        with pytest.raises(
            ValueError, match=r"SIZE_TRAIN \[0\] leaves the size to INPUT.CROP: set"
        ):
            check(cfg_of(*words, *others, size=(0,), batch=2))


def test_mgn_needs_a_height_and_a_width():
    cfg = cfg_of(*MGN, size=(80, 32))
    cfg.INPUT.SIZE_TEST = [80]
    with pytest.raises(ValueError, match=r"SIZE_TEST \[80\] leaves .* set it to height and width"):
        build_model(explicit_config(cfg))
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.SIZE = True, [80, 32]
    build_model(explicit_config(cfg))
    cfg.INPUT.CROP.SIZE = [64, 32]
    with pytest.raises(ValueError, match=r"INPUT.CROP.SIZE\) \[64, 32\] gives .* 3 strips"):
        build_model(explicit_config(cfg))
