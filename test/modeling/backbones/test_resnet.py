import numpy as np
import pytest
import torch

from fastreid.config import get_cfg
from fastreid.modeling.backbones.pretrained import read_pretrained
from fastreid.modeling.backbones.resnet import ResNet, build_resnet_backbone
from fastreid.modeling.backbones.resnet_specs import resnet_spec
from fastreid.utils.checkpoint.names import export_weights, to_torch_name
from test.alignment.golden import FOLDER, GoldenFile
from test.alignment.reference.resnet import TorchResNet, small_weights


def tiny_cfg(**backbone):
    cfg = get_cfg()
    values = {
        "DEPTH": "tiny",
        "FEAT_DIM": 512,
        "PRETRAIN": False,
        "NAME": "build_resnet_backbone",
        **backbone,
    }
    for key, value in values.items():
        setattr(cfg.MODEL.BACKBONE, key, value)
    return cfg


@pytest.mark.parametrize(
    ("depth", "channels"), [("18x", 512), ("34x", 512), ("50x", 2048), ("tiny", 512)]
)
def test_depth_decides_the_width_of_the_features(depth, channels):
    cfg = tiny_cfg(DEPTH=depth, FEAT_DIM=channels)
    assert build_resnet_backbone(cfg).out_channels == channels


@pytest.mark.parametrize("golden", ["AGW_R50", "bagtricks_R50-ibn", "sbs_R50-ibn"])
def test_tensor_names_are_those_of_the_original(golden):
    file = GoldenFile(FOLDER / f"fastreid_{golden}.npz")
    spec = resnet_spec("50x", last_stride=1, with_nl="bagtricks" not in golden)
    model = ResNet(spec, with_ibn="ibn" in golden)
    names = {"backbone." + to_torch_name(p.name) for p in model.get_parameters()}
    theirs_ = file.strings("basic.grad.names") + file.strings("basic.buffers.names")
    assert names == {name for name in theirs_ if name.startswith("backbone.")}


def test_the_last_stage_has_no_instance_norm():
    names = export_weights(build_resnet_backbone(tiny_cfg(WITH_IBN=True)))
    assert "layer3.1.bn1.IN.weight" in names
    assert not any(name.startswith("layer4") and ".IN." in name for name in names)


def test_convolutions_and_norms_start_as_in_the_original():
    weights = export_weights(build_resnet_backbone(tiny_cfg()))
    conv = weights["layer4.0.conv2.weight"]
    assert conv.std() == pytest.approx(np.sqrt(2 / (9 * conv.shape[0])), rel=0.02)
    assert (weights["layer4.0.bn3.weight"] == 1).all()
    assert (weights["layer4.0.bn3.bias"] == 0).all()


def test_a_wrong_feature_width_names_the_right_one():
    with pytest.raises(ValueError, match=r"FEAT_DIM is 2048, but DEPTH 'tiny' gives 512 channels"):
        build_resnet_backbone(tiny_cfg(FEAT_DIM=2048))


def test_an_unknown_depth_names_the_choices():
    with pytest.raises(ValueError, match=r"DEPTH '50' is not a ResNet; .*'18x', '34x', '50x'"):
        build_resnet_backbone(tiny_cfg(DEPTH="50"))


@pytest.fixture
def imagenet_weights():
    """A state dict as published: with a classifier and batch counters, without se and non-local."""
    module = small_weights(TorchResNet(resnet_spec("tiny", last_stride=1)))
    state = module.state_dict()
    state["fc.weight"], state["fc.bias"] = torch.zeros(10, 512), torch.zeros(10)
    return state


def save(state, folder):
    path = folder / "imagenet.pth"
    torch.save(state, path)
    return path


def test_imagenet_weights_are_loaded_from_a_given_path(tmp_path, imagenet_weights):
    path = save(imagenet_weights, tmp_path)
    options = {"PRETRAIN": True, "PRETRAIN_PATH": str(path), "WITH_SE": True, "WITH_NL": True}
    weights = export_weights(build_resnet_backbone(tiny_cfg(**options)))
    for name, value in read_pretrained(path).items():
        np.testing.assert_array_equal(weights[name], imagenet_weights[name].numpy())
        np.testing.assert_array_equal(weights[name], value)
    assert (weights["NL_2.0.W.1.weight"] == 0).all()
    assert "layer1.0.se.fc.0.weight" in weights


def test_a_file_of_published_weights_loses_its_classifier_and_counters(tmp_path, imagenet_weights):
    names = read_pretrained(save(imagenet_weights, tmp_path)).keys()
    assert names == {
        name
        for name in imagenet_weights
        if not name.startswith("fc.") and "num_batches" not in name
    }


def test_weights_that_do_not_fit_are_all_named_and_none_is_loaded(tmp_path, imagenet_weights):
    del imagenet_weights["conv1.weight"]
    imagenet_weights["stem.weight"] = torch.zeros(3)
    imagenet_weights["bn1.weight"] = torch.zeros(7)
    path = save(imagenet_weights, tmp_path)
    with pytest.raises(ValueError, match="do not fit") as error:
        build_resnet_backbone(tiny_cfg(PRETRAIN=True, PRETRAIN_PATH=str(path)))
    message = str(error.value)
    assert str(path) in message
    assert "1 missing: conv1.weight." in message
    assert "1 unexpected: stem.weight." in message
    assert "1 of another shape: bn1.weight (7,), the model has (32,)." in message


def test_imagenet_weights_of_another_network_name_the_key_to_set(tmp_path, imagenet_weights):
    path = save(imagenet_weights, tmp_path)
    with pytest.raises(
        ValueError,
        match=r"looks like a ResNet-tiny; the config builds a ResNet-tiny-IBN: "
        r"set MODEL\.BACKBONE\.WITH_IBN False\.",
    ):
        build_resnet_backbone(
            tiny_cfg(PRETRAIN=True, PRETRAIN_PATH=str(path), WITH_IBN=True, WITH_SE=True)
        )


def test_weights_of_a_training_checkpoint_are_found_in_it(tmp_path, imagenet_weights):
    plain = read_pretrained(save(imagenet_weights, tmp_path))
    nested = {f"module.{name}": value for name, value in imagenet_weights.items()}
    path = save({"state_dict": nested, "epoch": 90}, tmp_path)
    assert read_pretrained(path).keys() == plain.keys()


def test_a_text_beside_the_weights_is_ignored(tmp_path, imagenet_weights):
    plain = read_pretrained(save(imagenet_weights, tmp_path))
    path = save({**imagenet_weights, "arch": "resnet50"}, tmp_path)
    assert read_pretrained(path).keys() == plain.keys()
