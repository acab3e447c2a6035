"""Mixed precision and recomputation of one small network of each family, in graph mode."""

from typing import NamedTuple

import pytest

from fastreid.config import get_cfg
from fastreid.modeling import BACKBONE_REGISTRY
from test.modeling.training_pass import (
    CLASSES,
    HALF_ROUNDING,
    SINGLE_CHANGE,
    SIZE,
    Pass,
    Trained,
    assert_near_as_rounding,
    assert_same,
)

# Family: MODEL.BACKBONE.DEPTH, FEAT_DIM and more words of its smallest network.
SMALLEST = {
    "build_resnet_backbone": ("tiny", 512, "MODEL.BACKBONE.WITH_SE", True),
    "build_resnet_backbone_distill": ("tiny", 512),
    "build_resnext_backbone": ("50x", 2048),
    "build_resnest_backbone": ("50x", 2048),
    "build_osnet_backbone": ("x0_25", 128),
    "build_mobilenetv2_backbone": ("0.1x", 1280),
    "build_mobilenetv3_backbone": ("Small", 1024),
    "build_shufflenetv2_backbone": ("0.5x", 1024),
    "build_regnet_backbone": ("200y", 368),
    "build_effnet_backbone": ("b0", 1280),
    "build_repvgg_backbone": ("A0", 1280),
    # Its draws differ from pass to pass.
    "build_vit_backbone": ("small", 768, "MODEL.BACKBONE.DROP_PATH_RATIO", 0.0),
}
# Those in the default run: a basic, a gated and an inverted block.
DEFAULT = ("build_resnet_backbone", "build_mobilenetv3_backbone", "build_regnet_backbone")
# ACL's network: test_recompute and test_precision.
ELSEWHERE = ("build_meta_dynamic_router_resnet_backbone",)
FAMILIES = [
    pytest.param(name, marks=[] if name in DEFAULT else [pytest.mark.zoo]) for name in SMALLEST
]

pytestmark = pytest.mark.slow


def config_of(name, *, recompute=False):
    """The configuration of a family's smallest network."""
    depth, width, *more = SMALLEST[name]
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *("MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.DEPTH", depth),
            *("MODEL.BACKBONE.FEAT_DIM", width, "MODEL.BACKBONE.PRETRAIN", False),
            *("INPUT.SIZE_TRAIN", SIZE, "INPUT.SIZE_TEST", SIZE),
            *("MODEL.HEADS.NUM_CLASSES", CLASSES, "MODEL.RECOMPUTE", recompute, *more),
        ]
    )
    return cfg


def test_every_family_has_a_small_network_here():
    ours = {name for name, build in BACKBONE_REGISTRY if build.__module__.startswith("fastreid.")}
    assert ours == {*SMALLEST, *ELSEWHERE}


class Family(NamedTuple):
    """A family's usual pass, and those with weights that are changed a little."""

    name: str
    usual: Pass
    changed: list[Pass]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    trained = Trained(config_of(request.param))
    return Family(request.param, trained.run(), trained.changed_passes(SINGLE_CHANGE))


def test_recomputation_changes_no_number(family):
    again = Trained(config_of(family.name, recompute=True)).run()
    assert_same(again, family.usual, family.changed)


def test_half_precision_trains_near_single_precision(family):
    half = Trained(config_of(family.name), half=True).run()
    rounded = Trained(config_of(family.name), rounds=True).changed_passes(HALF_ROUNDING)
    assert_near_as_rounding(half, family.usual, rounded)
