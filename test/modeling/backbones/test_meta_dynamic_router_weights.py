import numpy as np
import pytest
import torch

from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.meta_dynamic_router_weights import inflate
from fastreid.utils.checkpoint.names import export_weights
from test.modeling.backbones.test_meta_dynamic_router_resnet import router_cfg


@pytest.fixture
def plain_weights():
    """A published state dict in small, without instance norms."""
    model = build_backbone(router_cfg(NAME="build_resnet_backbone", WITH_IBN=False))
    return {name: torch.tensor(value) for name, value in export_weights(model).items()}


def pretrain_cfg(state, folder, **backbone):
    path = folder / "imagenet.pth"
    torch.save(state, path)
    return router_cfg(PRETRAIN=True, PRETRAIN_PATH=str(path), **backbone)


def test_a_backbone_starts_from_the_file_of_its_config(tmp_path, plain_weights):
    backbone = build_backbone(pretrain_cfg(plain_weights, tmp_path, WITH_IBN=False))
    weights = export_weights(backbone)
    shared = [name for name in weights if name in plain_weights]
    assert "layer4.0.conv2.weight" in shared
    for name in shared:
        np.testing.assert_array_equal(weights[name], plain_weights[name].numpy())
    assert (weights["adaptor1_base.bn3.weight"] == 1).all()


def test_weights_that_do_not_fit_name_the_file_and_the_tensors(tmp_path, plain_weights):
    plain_weights["conv1.weight"] = torch.zeros(7, 3, 7, 7)
    with pytest.raises(ValueError, match="do not fit the backbone") as error:
        build_backbone(pretrain_cfg(plain_weights, tmp_path, WITH_IBN=True))
    message = str(error.value)
    assert str(tmp_path / "imagenet.pth") in message
    assert "the config builds a ResNet-tiny-IBN" in message
    assert "conv1.weight (7, 3, 7, 7), the model has (32, 3, 7, 7)" in message
    assert "missing: layer1.0.bn1." in message


def test_weights_without_ibn_name_the_key_to_set(tmp_path, plain_weights):
    with pytest.raises(
        ValueError,
        match=r"looks like a ResNet-tiny; the config builds a ResNet-tiny-IBN: "
        r"set MODEL\.BACKBONE\.WITH_IBN False\.",
    ):
        build_backbone(pretrain_cfg(plain_weights, tmp_path, WITH_IBN=True))


def test_weights_with_more_in_a_block_name_the_key_to_set(tmp_path):
    model = build_backbone(router_cfg(NAME="build_resnet_backbone", WITH_IBN=False, WITH_SE=True))
    state = {name: torch.tensor(value) for name, value in export_weights(model).items()}
    with pytest.raises(
        ValueError, match=r"with squeeze and excitation; .*: set MODEL\.BACKBONE\.WITH_SE True\."
    ):
        build_backbone(pretrain_cfg(state, tmp_path, WITH_IBN=False))


def test_a_missing_file_is_reported(tmp_path):
    cfg = router_cfg(PRETRAIN=True, PRETRAIN_PATH=str(tmp_path / "gone.pth"))
    with pytest.raises(FileNotFoundError, match=r"PRETRAIN_PATH .*gone\.pth is neither"):
        build_backbone(cfg)


# One stage's adaptors by hand: 2 planes, 4 channels, 2 groups.
def test_grouped_convolutions_get_means_of_input_channels_tiled_over_the_adaptors():
    source = {
        "layer1.2.conv2.weight": np.arange(4, dtype=np.float32).reshape(2, 2, 1, 1),
        "layer1.2.conv3.weight": np.float32([[1, 3], [5, 9]]).reshape(2, 2, 1, 1),
        "layer1.2.bn3.running_mean": np.float32([1, 2]),
    }
    start = {
        "adaptor1_sub.conv2.weight": np.zeros((2, 1, 1, 1), np.float32),
        "adaptor1_sub.conv3.weight": np.zeros((4, 1, 1, 1), np.float32),
        "adaptor1_sub.bn3.running_mean": np.zeros(4, np.float32),
        "router1.fc1.weight": np.zeros((1, 1), np.float32),
    }
    got = inflate(source, start)
    assert sorted(got) == sorted(set(start) - {"router1.fc1.weight"})
    np.testing.assert_array_equal(got["adaptor1_sub.conv2.weight"].ravel(), [0.5, 2.5])
    np.testing.assert_array_equal(got["adaptor1_sub.conv3.weight"].ravel(), [2, 7, 2, 7])
    np.testing.assert_array_equal(got["adaptor1_sub.bn3.running_mean"], [1, 2, 1, 2])


def test_the_last_stages_ibn_gets_the_two_halves_of_the_batch_norm():
    source = {"layer4.2.bn1.weight": np.float32([1, 2, 3, 4])}
    start = {f"adaptor4_sub.bn1.{half}.weight": np.zeros(2, np.float32) for half in ("IN", "BN")}
    got = inflate(source, start)
    np.testing.assert_array_equal(got["adaptor4_sub.bn1.IN.weight"], [1, 2])
    np.testing.assert_array_equal(got["adaptor4_sub.bn1.BN.weight"], [3, 4])
