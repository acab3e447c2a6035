import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from fastreid.layers import BatchNorm
from fastreid.modeling import use_half_precision
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.pretrained import find_pretrained, load_pretrained
from fastreid.modeling.backbones.resnest import ResNeSt, ResNeStSpec, StageSpec, resnest_spec
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import assert_has_the_tensors, backbone_cfg, save_published

TABLE = read_table("tensors_resnest.json")
NAME = "MODEL.BACKBONE.NAME build_resnest_backbone"
LARGE = ("101x", "200x", "269x")
SMALL = ResNeStSpec(8, (StageSpec(8, 1, 1, 1, False), StageSpec(16, 2, 1, 2, True)))


@pytest.mark.parametrize(
    "words",
    [pytest.param(w, marks=[pytest.mark.zoo] if w.endswith(LARGE) else []) for w in TABLE],
)
def test_tensors_of_every_depth_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_start_values_follow_the_rules_of_the_original():
    weights = export_weights(ResNeSt(ResNeStSpec(32, (StageSpec(64, 2, 1, 1, True),))))
    for name, fan_out in (
        ("conv1.3.weight", 9 * 32),
        ("layer1.1.conv2.conv.weight", 9 * 128),
        ("layer1.1.conv2.fc2.weight", 128),
        ("layer1.0.downsample.1.weight", 256),
    ):
        assert weights[name].std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.1), name
    # PyTorch's rule for the biases of convolutions: U(-b, b), b = 1 / sqrt(fan in).
    bias = weights["layer1.1.conv2.fc2.bias"]
    assert np.abs(bias).max() <= 32**-0.5
    assert bias.std() == pytest.approx(32**-0.5 / 3**0.5, rel=0.2)


def test_without_its_stride_the_last_stage_is_dilated_after_its_first_block():
    for last_stride, dilation in ((1, 2), (2, 1)):
        stages = resnest_spec("50x", last_stride=last_stride).stages
        assert [stage.stride for stage in stages] == [1, 2, 2, last_stride]
        assert [stage.dilation for stage in stages] == [1, 1, 1, dilation]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_weights_load_without_their_classifier(tmp_path, prefix):
    weights = random_weights(ResNeSt(SMALL))
    others = (("fc.weight", (1000, 64)), ("fc.bias", (1000,)))
    path = save_published(tmp_path / "resnest.pth", weights, *others, prefix=prefix)
    model = ResNeSt(SMALL)
    load_pretrained(model, backbone_cfg(NAME, PRETRAIN=True, PRETRAIN_PATH=str(path)))
    for name, value in export_weights(model).items():
        np.testing.assert_array_equal(value, weights[name], err_msg=name)


def test_weights_without_a_tensor_are_refused(tmp_path):
    weights = random_weights(ResNeSt(SMALL))
    del weights["layer1.0.conv2.fc1.bias"]
    path = save_published(tmp_path / "resnest.pth", weights)
    cfg = backbone_cfg(NAME, PRETRAIN=True, PRETRAIN_PATH=str(path))
    with pytest.raises(ValueError, match=r"a ResNeSt.*1 missing: layer1\.0\.conv2\.fc1\.bias"):
        load_pretrained(ResNeSt(SMALL), cfg)


def random_weights(model):
    rng = np.random.RandomState(0)
    shapes = {name: value.shape for name, value in export_weights(model).items()}
    return {name: rng.rand(*shape).astype(np.float32) for name, shape in shapes.items()}


def test_published_files_have_the_names_of_their_release(tmp_path):
    for depth, name in (("50x", "resnest50-528c19ca.pth"), ("269x", "resnest269-0cc87c48.pth")):
        (tmp_path / name).touch()
        cfg = backbone_cfg(NAME, DEPTH=depth, PRETRAIN_PATH=str(tmp_path))
        assert find_pretrained(cfg) == tmp_path / name


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(
        ValueError, match=r"DEPTH '34x' is not a ResNeSt; .*'50x', '101x', '200x', '269x'"
    ):
        build_backbone(backbone_cfg(NAME, DEPTH="34x"))
    with pytest.raises(ValueError, match=r"LAST_STRIDE is 4; a ResNeSt has one of \[1, 2\]"):
        build_backbone(backbone_cfg(NAME, LAST_STRIDE=4))


def test_options_that_resnest_does_not_have_are_logged(caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="set it to 2048"):
        build_backbone(backbone_cfg(NAME, WITH_IBN=True, WITH_NL=True, FEAT_DIM=512))
    assert "WITH_IBN True, WITH_NL True" in caplog.text


def test_norms_can_be_chosen():
    chosen = []

    def norm(channels):
        chosen.append(channels)
        return BatchNorm(channels)

    ResNeSt(ResNeStSpec(8, (StageSpec(8, 1, 1, 1, False),)), norm=norm)
    assert sorted(chosen) == sorted([8, 8, 16, 8, 16, 32, 32, 32])


class Whole(nn.Cell):
    """A model whose loss is a fixed random projection of the features."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def construct(self, x):
        features = self.backbone(x).astype(ms.float32)
        direction = np.random.RandomState(1).randn(*features.shape).astype(np.float32)
        return (features * ms.Tensor(direction)).sum()


def loss_and_gradients(backbone, *, half=False):
    model = Whole(backbone).set_train()
    if half:
        use_half_precision(model)
    images = ms.Tensor(np.random.RandomState(0).randn(4, 3, 64, 32).astype(np.float32))
    loss, gradients = ms.value_and_grad(model, None, model.trainable_params())(images)
    return loss.asnumpy(), np.concatenate([each.asnumpy().ravel() for each in gradients])


def test_half_precision_trains_near_the_numbers_of_single_precision():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    ms.set_seed(0)
    backbone = ResNeSt(SMALL)
    loss, gradients = loss_and_gradients(backbone)
    half_loss, half_gradients = loss_and_gradients(backbone, half=True)
    ms.set_context(mode=ms.GRAPH_MODE)
    assert half_loss != loss, "nothing was computed in float16"
    assert half_loss == pytest.approx(loss, rel=0.02, abs=0.2)
    assert half_gradients.dtype == np.float32
    lengths = np.linalg.norm(gradients) * np.linalg.norm(half_gradients)
    assert gradients @ half_gradients > 0.98 * lengths
