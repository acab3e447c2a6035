import numpy as np
import pytest
import torch
from mindspore import Tensor
from torch.nn import functional

from fastreid.config import get_cfg
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.dynamic_router import NUM_ADAPTORS
from fastreid.modeling.backbones.meta_dynamic_router_resnet import (
    build_meta_dynamic_router_resnet_backbone,
)
from fastreid.modeling.ops import adaptor_parameters, meta_parameters
from fastreid.utils.checkpoint.names import export_weights, to_torch_name


def router_cfg(**backbone):
    cfg = get_cfg()
    values = {
        "NAME": "build_meta_dynamic_router_resnet_backbone",
        "DEPTH": "tiny",
        "FEAT_DIM": 512,
        "WITH_IBN": True,
        **backbone,
    }
    for key, value in values.items():
        setattr(cfg.MODEL.BACKBONE, key, value)
    return cfg


def size_after(size):
    """Height and width behind stem and stages, by PyTorch's rules on empty layers."""
    x = torch.zeros(1, 1, *size)
    x = functional.conv2d(x, torch.zeros(1, 1, 7, 7), stride=2, padding=3)
    x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
    for stride in (1, 2, 2, 1):
        x = functional.conv2d(x, torch.zeros(1, 1, 3, 3), stride=stride, padding=1)
    return tuple(x.shape[2:])


@pytest.mark.parametrize("size", [(64, 32), (67, 35)], ids=["even", "odd"])
def test_features_and_paths_have_their_shapes_and_path_weights_sum_to_one(mode, size):
    backbone = build_backbone(router_cfg()).set_train(False)
    images = np.random.RandomState(0).randn(2, 3, *size).astype(np.float32)
    features, paths = backbone(Tensor(images))
    assert features.shape == (2, 512, *size_after(size))
    assert paths.shape == (2, 4 * NUM_ADAPTORS)
    shares = paths.asnumpy().reshape(2, 4, NUM_ADAPTORS)
    assert (shares > 0).all()
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)


def test_squeeze_and_excitation_and_non_local_blocks_run(mode):
    backbone = build_backbone(router_cfg(WITH_SE=True, WITH_NL=True)).set_train(False)
    names = export_weights(backbone)
    assert "layer1.0.se.fc.0.weight" in names
    assert "adaptor1_sub.se.fc.0.weight" in names
    assert "adaptor4_base.se.fc.2.weight" in names
    assert "NL_2.0.theta.weight" in names
    features, _ = backbone(Tensor(np.ones((1, 3, 64, 32), np.float32)))
    assert features.shape == (1, 512, 4, 2)
    assert np.isfinite(features.asnumpy()).all()


def test_what_no_loss_reaches_does_not_learn():
    backbone = build_backbone(router_cfg())
    frozen = {to_torch_name(p.name) for p in backbone.get_parameters() if not p.requires_grad}
    statistics = {name for name in frozen if name.endswith(("running_mean", "running_var"))}
    unreached = {f"map{n}.{leaf}" for n in range(1, 5) for leaf in ("weight", "bias")}
    unreached |= {f"router{n}.fc_classifier.weight" for n in range(1, 5)}
    assert frozen - statistics == unreached


def test_every_trainable_parameter_of_the_shipped_recipe_is_in_a_meta_cell():
    backbone = build_backbone(router_cfg())
    assert {p.name for p in meta_parameters(backbone)} == {
        p.name for p in backbone.trainable_params()
    }


def test_the_last_stage_has_instance_norm_in_its_adaptors_only():
    names = export_weights(build_backbone(router_cfg()))
    assert "layer3.0.bn1.IN.weight" in names
    assert "layer4.0.bn1.weight" in names
    assert "adaptor4_sub.bn1.IN.weight" in names
    assert "adaptor4_base.bn1.running_mean" not in names


def test_non_local_blocks_of_the_full_depth_all_have_a_block_to_follow():
    backbone = build_backbone(router_cfg(DEPTH="50x", FEAT_DIM=2048, WITH_NL=True))
    stages = [stage.residual for stage in backbone.stages]
    assert [len(stage.blocks) for stage in stages] == [2, 3, 5, 2]
    assert [len(stage.non_local) for stage in stages] == [0, 2, 3, 0]
    assert [stage.first_non_local for stage in stages] == [2, 1, 2, 2]


def test_a_wrong_feature_width_names_the_right_one():
    message = r"FEAT_DIM is 2048, but DEPTH 'tiny' gives 512 channels; set it to 512"
    with pytest.raises(ValueError, match=message):
        build_meta_dynamic_router_resnet_backbone(router_cfg(FEAT_DIM=2048))


def test_a_depth_of_basic_blocks_is_refused():
    with pytest.raises(ValueError, match=r"'18x' is made of basic blocks; .*50x, 101x or tiny"):
        build_meta_dynamic_router_resnet_backbone(router_cfg(DEPTH="18x"))


def test_the_adaptors_of_every_stage_are_marked_and_nothing_else():
    backbone = build_backbone(router_cfg(WITH_SE=True, WITH_NL=True))
    marked = {parameter.name for parameter in adaptor_parameters(backbone)}
    named = {p.name for p in backbone.trainable_params() if "adaptor" in p.name}
    assert marked == named
    assert {name.split(".")[1] for name in marked} == set("0123")
