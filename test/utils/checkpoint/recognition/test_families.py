import pytest

from fastreid.utils.checkpoint.recognition.families import family_of
from test.utils.checkpoint.shape_tables import fastreid_model, resnet

NAMES = {
    "an MGN of fast-reid 0.1": ["b1_pool.1.weight", "module.b21_pool.0.p"],
    "a ResNeSt": ["layer1.0.conv2.fc1.weight", "backbone.layer1.0.conv2.bn0.weight"],
    "an OSNet": ["conv2.0.conv2a.conv1.weight", "backbone.conv2.0.conv2d.2.conv1.weight"],
    "a CLIP model": [
        "visual.transformer.resblocks.0.ln_1.weight",
        "visual.layer1.0.conv1.weight",
        "image_encoder.conv1.weight",
    ],
    "a Swin transformer": [
        "layers.0.blocks.0.attn.relative_position_bias_table",
        "stages.0.blocks.0.attn.w_msa.relative_position_bias_table",
    ],
    "a vision transformer (ViT)": [
        "blocks.0.attn.qkv.weight",
        "backbone.blocks.0.attn.qkv.bias",
        "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
    ],
    "an EfficientNet": [
        "blocks.0.0.conv_dw.weight",
        "_blocks.0._depthwise_conv.weight",
        "backbone.s1.b1.dwise.weight",
    ],
    "a RegNet": ["backbone.s1.b1.f.a.weight", "trunk_output.block1.block1-0.f.a.0.weight"],
    "a fused RepVGG": ["backbone.stage1.0.fused_weight", "stage1.0.rbr_reparam.weight"],
    "a RepVGG": ["backbone.stage1.0.rbr_dense.conv.weight"],
    "a ShuffleNetV2": ["features.0.branch_main.0.weight"],
    "a ShuffleNetV2 of torchvision": ["stage2.0.branch1.0.weight"],
    "a MobileNetV3": ["features.1.block.0.0.weight"],
    "a MobileNetV2": ["backbone.features.1.conv.0.weight"],
    "an HRNet": ["stage2.0.branches.0.0.conv1.weight"],
    "a DenseNet": ["features.denseblock1.denselayer1.norm1.weight"],
    "a ConvNeXt": ["stages.0.0.dwconv.weight", "stages.0.blocks.0.conv_dw.weight"],
    "a VGG": ["features.0.weight"],
    "an Inception network": ["Mixed_5b.branch1x1.conv.weight"],
}


@pytest.mark.parametrize("title", NAMES)
def test_one_typical_name_identifies_the_family(title):
    for name in NAMES[title]:
        assert family_of(["conv1.weight", name]) == title


@pytest.mark.parametrize("shapes", [resnet(ibn=True), fastreid_model(se=True, power=True)])
def test_a_resnet_has_no_family(shapes):
    assert family_of(shapes) == ""
