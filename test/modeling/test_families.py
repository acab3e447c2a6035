"""Mixed precision and recomputation of one small network of each family, in graph mode."""

import numpy as np
import pytest
from mindspore import Tensor, set_seed

from fastreid.config import get_cfg
from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.modeling import BACKBONE_REGISTRY, build_model, use_half_precision

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
    "build_vit_backbone": ("small", 768, "INPUT.SIZE_TRAIN", [64, 32], "INPUT.SIZE_TEST", [64, 32]),
}
# Those in the default run: a basic, a gated and an inverted block.
DEFAULT = ("build_resnet_backbone", "build_mobilenetv3_backbone", "build_regnet_backbone")
# ACL's network: test_recompute and test_precision.
ELSEWHERE = ("build_meta_dynamic_router_resnet_backbone",)
ROWS = 8
MOST_HALVINGS = 12


def families(*, without):
    """Parameters of a test: the registered families."""
    return [
        pytest.param(name, marks=[] if name in DEFAULT else [pytest.mark.zoo])
        for name in SMALLEST
        if name in BACKBONE_REGISTRY and name not in without
    ]


def test_every_family_has_a_small_network_here():
    ours = {name for name, build in BACKBONE_REGISTRY if build.__module__.startswith("fastreid.")}
    assert ours <= {*SMALLEST, *ELSEWHERE}


def trained_on_one_batch(name, *, recompute=False, half=False):
    """Loss, gradients and running statistics after a forward and a backward pass."""
    depth, width, *more = SMALLEST[name]
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *("MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.DEPTH", depth),
            *("MODEL.BACKBONE.FEAT_DIM", width, "MODEL.BACKBONE.PRETRAIN", False),
            *("MODEL.HEADS.NUM_CLASSES", ROWS, "MODEL.RECOMPUTE", recompute, *more),
        ]
    )
    set_seed(0)
    model = build_model(cfg)
    if half:
        use_half_precision(model)
    scale = LossScale(enabled=half)
    parameters = model.trainable_params()
    forward = LossForward(model, model.criterion())
    step = GradientStep(forward, parameters, loss_scale=scale).set_train()
    images = np.random.RandomState(0).uniform(0, 255, (ROWS, 3, 64, 32)).astype(np.float32)
    targets = np.repeat(np.arange(ROWS // 2, dtype=np.int32), 2)
    batch = (Tensor(images), Tensor(targets), Tensor(np.zeros(ROWS, np.int32)))
    losses, _, is_finite, gradients = step(*batch)
    for _ in range(MOST_HALVINGS * half):
        if bool(is_finite.asnumpy()):
            break
        scale.adjust(is_finite)
        losses, _, is_finite, gradients = step(*batch)
    assert bool(is_finite.asnumpy())
    named = {p.name: g.asnumpy() for p, g in zip(parameters, gradients)}
    statistics = {p.name: p.asnumpy() for p in model.get_parameters() if ".moving_" in p.name}
    return losses.asnumpy(), named, statistics


@pytest.mark.slow
@pytest.mark.parametrize("name", families(without=[]))
def test_recomputation_changes_no_number(name):
    losses, gradients, statistics = trained_on_one_batch(name)
    again = trained_on_one_batch(name, recompute=True)
    np.testing.assert_allclose(again[0], losses, rtol=1e-6)
    largest = max(map(np.linalg.norm, gradients.values()))
    for parameter, want in gradients.items():
        # Smaller ones, such as those of shifts before another norm, are nothing but rounding.
        if np.linalg.norm(want) <= 1e-3 * largest:
            continue
        # Two runs of one graph differ by the order in which threads add up.
        atol = 2e-5 * np.abs(want).max()
        np.testing.assert_allclose(again[1][parameter], want, rtol=0, atol=atol, err_msg=parameter)
    for statistic, want in statistics.items():
        # Two moves round twice.
        got = again[2][statistic]
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=statistic)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", families(without=["build_resnest_backbone", "build_mobilenetv3_backbone"])
)
def test_half_precision_trains_near_single_precision(name):
    losses, gradients, _ = trained_on_one_batch(name)
    half_losses, half_gradients, _ = trained_on_one_batch(name, half=True)
    assert not np.array_equal(half_losses, losses), "nothing was computed in float16"
    np.testing.assert_allclose(half_losses, losses, rtol=0.02)
    largest = max(map(np.linalg.norm, gradients.values()))
    cosines = []
    for parameter, want in gradients.items():
        got = half_gradients[parameter]
        assert got.dtype == np.float32
        # Smaller ones are mostly rounding.
        if np.linalg.norm(want) > 1e-3 * largest:
            lengths = np.linalg.norm(got) * np.linalg.norm(want)
            cosines.append(float((got * want).sum() / lengths))
    # Some 50 layers of 11 bits, and batch norms over 8 images: at ResNeSt's the median is 0.73.
    assert np.median(cosines) > 0.7
