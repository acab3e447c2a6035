"""Whole networks of every family, as ONNX."""

from pathlib import Path

import numpy as np
import pytest

from fastreid.deploy import Embedder
from fastreid.export import export_model, exporting

from .models import images, saved_model

CONFIGS = Path(__file__).parents[2] / "configs"
MARKET = CONFIGS / "Market1501"
PLAIN = MARKET / "bagtricks_R50.yml"


def backbone(name, depth, width, *options):
    """Words that choose a backbone."""
    return (
        *("MODEL.BACKBONE.NAME", f"build_{name}_backbone", "MODEL.BACKBONE.DEPTH", depth),
        *("MODEL.BACKBONE.FEAT_DIM", str(width), *options),
    )


def pooling(name):
    return (*backbone("resnet", "tiny", 512), "MODEL.HEADS.POOL_LAYER", name)


TINY = backbone("resnet", "tiny", 512)
NON_LOCAL = ("MODEL.BACKBONE.WITH_NL", "True", "MODEL.BACKBONE.WITH_SE", "True")
IBN = ("MODEL.BACKBONE.WITH_IBN", "True")
FUSED = ("MODEL.BACKBONE.DEPLOY", "True")
VIT = (*backbone("vit", "small", 768), "INPUT.SIZE_TRAIN", "[64, 32]")
STUDENT = (*TINY, "MODEL.BACKBONE.NAME", "build_resnet_backbone_distill")
# Their maps vanish with drawn statistics.
DEPTHWISE = ("mobilenet", "effnet", "shufflenet")
DEFAULT = {
    "ACL's router": (CONFIGS / "demo.yml", (), (64, 32)),
    "ResNet of basic blocks": (PLAIN, TINY, (64, 32)),
}
ZOO = {
    "ACL's router, odd sizes": (CONFIGS / "demo.yml", (), (61, 29)),
    "ResNet50": (PLAIN, (), (64, 32)),
    "ResNet50, odd sizes": (PLAIN, (), (75, 37)),
    "ResNet50-IBN, non-local, SE": (MARKET / "AGW_R50-ibn.yml", NON_LOCAL, (64, 32)),
    "ResNet50, GN": (PLAIN, ("MODEL.BACKBONE.NORM", "GN"), (64, 32)),
    "ResNet50, FrozenBN": (PLAIN, ("MODEL.BACKBONE.NORM", "FrozenBN"), (64, 32)),
    "MGN": (MARKET / "mgn_R50-ibn.yml", (), (96, 32)),
    "ResNeSt": (MARKET / "bagtricks_S50.yml", (), (64, 32)),
    "ResNeSt, odd sizes": (MARKET / "bagtricks_S50.yml", (), (75, 37)),
    "ResNeXt": (PLAIN, backbone("resnext", "50x", 2048, *IBN), (64, 32)),
    "OSNet-IBN": (PLAIN, backbone("osnet", "x0_25", 128, *IBN), (64, 32)),
    "MobileNetV2": (PLAIN, backbone("mobilenetv2", "0.1x", 1280), (64, 32)),
    "MobileNetV3": (PLAIN, backbone("mobilenetv3", "Small", 1024), (64, 32)),
    "RegNetY": (PLAIN, backbone("regnet", "200y", 368), (64, 32)),
    "EfficientNet": (PLAIN, backbone("effnet", "b0", 1280), (64, 32)),
    "ShuffleNetV2": (PLAIN, backbone("shufflenetv2", "0.5x", 1024), (64, 32)),
    "RepVGG": (PLAIN, backbone("repvgg", "A0", 1280), (64, 32)),
    "RepVGG, fused": (PLAIN, (*backbone("repvgg", "A0", 1280), *FUSED), (64, 32)),
    "ViT": (MARKET / "bagtricks_vit.yml", VIT, (64, 32)),
    "student of a distillation": (PLAIN, STUDENT, (64, 32)),
    "embedding": (PLAIN, (*TINY, "MODEL.HEADS.EMBEDDING_DIM", "24"), (64, 32)),
    **{
        name: (PLAIN, pooling(name), (64, 32))
        for name in (
            *("FastGlobalAvgPool", "AdaptiveAvgMaxPool", "GlobalMaxPool"),
            *("GeneralizedMeanPooling", "GeneralizedMeanPoolingP", "ClipGlobalAvgPool"),
        )
    },
}
CASES = [
    *(pytest.param(*case, id=name) for name, case in DEFAULT.items()),
    *(pytest.param(*case, id=name, marks=pytest.mark.zoo) for name, case in ZOO.items()),
]


@pytest.mark.parametrize(("file", "words", "size"), CASES)
def test_a_network_is_exported_for_any_number_of_images(tmp_path, file, words, size):
    is_depthwise = any(name in word for word in words for name in DEPTHWISE)
    cfg = saved_model(tmp_path, *words, file=file, size=size, adapted=is_depthwise)
    path = tmp_path / "model.onnx"
    # Here the file is compared with MindSpore, on 16 images.
    comparison = export_model(cfg, path)
    assert comparison.error <= exporting.TOLERANCE
    assert comparison.has_equal_ranks
    embed = Embedder(path)
    batch = images(5, size)
    together = embed(batch)
    assert together.shape == (5, embed.info.dimension)
    # Images do not influence each other, and differ.
    for number in (1, 3):
        scale = np.abs(together).max()
        np.testing.assert_allclose(embed(batch[:number]), together[:number], atol=1e-5 * scale)
    assert np.abs(together[0] - together[1]).max() > 1e-3 * scale
