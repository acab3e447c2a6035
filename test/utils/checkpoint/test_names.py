import numpy as np
import pytest
from mindspore import nn

from fastreid.config import get_cfg
from fastreid.layers import BatchNorm, Conv2d
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone
from fastreid.utils.checkpoint.names import (
    export_weights,
    to_mindspore_names,
    to_mindspore_weights,
    to_torch_name,
    torch_names,
)
from fastreid.utils.checkpoint.weights import load_weights
from test.alignment.golden import FOLDER, GoldenFile
from test.golden.golden_inputs import NUM_CLASSES

NAMES = {
    "backbone.conv1.weight": "backbone.conv1.weight",
    "backbone.stages.0.blocks.1.bn1.gamma": "backbone.layer1.1.bn1.weight",
    "backbone.stages.3.residual.blocks.0.bn2.beta": "backbone.layer4.0.bn2.bias",
    "stages.1.non_local.1.W.1.moving_mean": "NL_2.1.W.1.running_mean",
    "stages.2.residual.non_local.0.g.bias": "NL_3.0.g.bias",
    "backbone.stages.2.adaptor_sub.bn3.moving_variance": "backbone.adaptor3_sub.bn3.running_var",
    "backbone.stages.0.adaptor_base.bn1.gamma": "backbone.adaptor1_base.bn1.weight",
    "backbone.stages.3.router.fc1.weight": "backbone.router4.fc1.weight",
    "backbone.stages.3.invariant_norm.beta": "backbone.invariant_norm4.bias",
    "backbone.stages.0.meta_fuse.gate": "backbone.meta_fuse1.gate",
    "heads.classifiers.0.weight": "heads.weight1.weight",
    "heads.classifiers.9.weight": "heads.weight10.weight",
    "heads.center.centers": "heads.center.centers",
    "gamma": "weight",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_pytorch(name):
    assert to_torch_name(name) == NAMES[name]


def acl_model(**backbone):
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_meta_dynamic_router_resnet_backbone"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "tiny", 512
    cfg.MODEL.BACKBONE.WITH_IBN = True
    for key, value in backbone.items():
        setattr(cfg.MODEL.BACKBONE, key, value)
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = list(NUM_CLASSES)
    return build_model(cfg)


def plain_backbone():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.WITH_NL = True
    return build_backbone(cfg)


@pytest.mark.parametrize(
    "build",
    [acl_model, lambda: acl_model(WITH_NL=True, WITH_SE=True), plain_backbone],
    ids=["acl", "acl with extras", "R50 with non-local blocks"],
)
def test_names_are_one_to_one_and_come_back(build):
    model = build()
    names = [parameter.name for parameter in model.get_parameters()]
    exported = export_weights(model)
    assert len(exported) == len(names) == len(torch_names(model))
    assert list(torch_names(model).values()) == names
    # Without a model the same names are found.
    shapes = {name: value.shape for name, value in exported.items()}
    assert to_mindspore_names(shapes) == torch_names(model)
    back = to_mindspore_weights(model, exported)
    assert list(back) == names
    for parameter in model.get_parameters():
        np.testing.assert_array_equal(back[parameter.name], parameter.asnumpy())


def test_the_full_model_has_exactly_the_originals_tensors():
    file = GoldenFile(FOLDER / "dr50_seed0.npz")
    theirs = {
        name
        for key in ("basic.grad.names", "basic.nograd", "basic.buffers.names")
        for name in file.strings(key)
    }
    assert set(torch_names(acl_model(DEPTH="50x", FEAT_DIM=2048))) == theirs


@pytest.fixture
def model():
    return nn.SequentialCell(Conv2d(2, 3, 1), BatchNorm(3))


def test_exported_arrays_are_copies(model):
    exported = export_weights(model)
    exported["1.weight"][:] = 7
    assert (model[1].gamma.asnumpy() == 1).all()


def test_the_prefix_of_data_parallel_and_batch_counters_are_dropped(model):
    state = {f"module.{name}": value for name, value in export_weights(model).items()}
    state["module.1.num_batches_tracked"] = np.array(3)
    weights = to_mindspore_weights(model, state)
    assert sorted(weights) == sorted(parameter.name for parameter in model.get_parameters())


def test_a_name_with_and_without_the_prefix_is_refused(model):
    state = {**export_weights(model), "module.0.weight": np.zeros(1)}
    with pytest.raises(
        ValueError, match=r"with and without the prefix 'module\.': \['0\.weight'\]"
    ):
        to_mindspore_weights(model, state)


def test_unknown_names_are_kept_so_that_strict_loading_reports_them(model):
    state = {**export_weights(model), "fc.weight": np.zeros(1)}
    weights = to_mindspore_weights(model, state)
    assert "fc.weight" in weights
    with pytest.raises(ValueError, match=r"fc\.weight"):
        load_weights(model, weights)
