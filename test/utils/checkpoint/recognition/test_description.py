import pytest

from fastreid.config import get_cfg
from fastreid.modeling import build_model
from fastreid.modeling.backbones.resnet_specs import resnet_spec
from fastreid.utils.checkpoint.names import to_torch_name
from fastreid.utils.checkpoint.recognition.description import describe_weights, in_words
from fastreid.utils.checkpoint.release_names import to_release_names
from test.utils.checkpoint.shape_tables import fastreid_model, head, mgn, resnet

TINY = {"blocks": (2, 2, 2, 2), "stem": 32, "planes": (16, 32, 64, 128), "width": 512}


def built(*words):
    cfg = get_cfg()
    cfg.merge_from_list(
        ["MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", 512]
        + ["MODEL.HEADS.WITH_BNNECK", True, *words]
    )
    model = build_model(cfg)
    return {to_torch_name(p.name): tuple(p.shape) for p in model.get_parameters()}


def test_the_shape_tables_match_the_models():
    words = [f"MODEL.BACKBONE.WITH_{option}" for option in ("IBN", "SE", "NL")]
    shapes = built(
        *(word for key in words for word in (key, True)),
        *("MODEL.HEADS.NUM_CLASSES", 9, "MODEL.HEADS.EMBEDDING_DIM", 64),
        *("MODEL.HEADS.POOL_LAYER", "GeneralizedMeanPoolingP"),
    )
    table = fastreid_model(
        **TINY,
        ibn=True,
        se=True,
        non_local=(0, 1, 1, 0),
        classes=9,
        embedding=64,
        power=True,
    )
    assert shapes == table


MODELS = {
    "a ResNet50 of fast-reid, 751 classes": fastreid_model(),
    "a ResNet50-IBN of fast-reid, 751 classes": fastreid_model(ibn=True),
    "a ResNet18 of fast-reid, 702 classes": fastreid_model(
        blocks=(2, 2, 2, 2), basic=True, width=512, classes=702
    ),
    "a ResNet34-IBN of fast-reid, 751 classes": fastreid_model(basic=True, ibn=True, width=512),
    "a ResNet101-IBN of fast-reid, with squeeze and excitation, 1041 classes": fastreid_model(
        blocks=(3, 4, 23, 3), ibn=True, se=True, classes=1041
    ),
    "a ResNet50 of fast-reid, with non-local blocks and a learned pooling power, 751 classes": (
        fastreid_model(non_local=(0, 2, 3, 0), power=True)
    ),
    "a ResNet50 of fast-reid, with an embedding of 512, 751 classes": fastreid_model(embedding=512),
    "a ResNet50 of fast-reid, with no norm in the neck, 751 classes": fastreid_model(norm=False),
    "a ResNet-tiny of fast-reid, 751 classes": fastreid_model(**TINY),
    "a ResNet of 1-2-2-1 blocks of fast-reid, 751 classes": fastreid_model(blocks=(1, 2, 2, 1)),
    "a ResNeXt of 3-4-23-3 blocks-IBN of fast-reid, 751 classes": fastreid_model(
        blocks=(3, 4, 23, 3), groups=32, ibn=True
    ),
    "a ResNet of 3-4-6-3 blocks, 128 channels wide": resnet(planes=(128, 256, 512, 1024)),
    "a ResNet50, 1000 classes": {**resnet(), "fc.weight": (1000, 2048), "fc.bias": (1000,)},
    "a ResNet50-IBN": resnet(ibn=True),
    "a ResNet50, 751 classes, with names that begin with 'base.'": {
        **resnet(prefix="base."),
        "classifier.weight": (751, 2048),
    },
    "an OSNet, 751 classes": {
        "backbone.conv2.0.conv2a.conv1.weight": (16, 16, 1, 1),
        **head(512),
    },
    "a ResNeSt, 751 classes": {
        "backbone.conv1.0.weight": (32, 3, 3, 3),
        "backbone.layer1.0.conv1.weight": (64, 64, 1, 1),
        "backbone.layer1.0.conv2.fc1.weight": (32, 64, 1, 1),
        **head(),
    },
    "a vision transformer (ViT), 1000 classes": {
        "cls_token": (1, 1, 768),
        "blocks.0.attn.qkv.weight": (2304, 768),
        "fc.weight": (1000, 768),
    },
    "a CLIP model": {
        "visual.transformer.resblocks.0.attn.in_proj_weight": (2304, 768),
        "logit_scale": (),
    },
    "an MGN of fast-reid on a ResNet50-IBN, with an embedding of 256, 751 classes": mgn(
        ibn=True, embedding=256
    ),
    "an MGN of fast-reid 0.1, 751 classes": {
        "b1_pool.1.weight": (256, 2048, 1, 1),
        "classifier.weight": (751, 256),
    },
    "": {"dense.weight": (3, 2)},
}


@pytest.mark.parametrize("words", MODELS)
def test_weights_are_recognized_by_names_and_shapes(words):
    assert in_words(describe_weights(MODELS[words])) == words


def test_older_names_and_other_tensors_do_not_change_the_description():
    today = fastreid_model(ibn=True, embedding=512)
    old = {
        "pixel_mean": (1, 3, 1, 1),
        "heads.bnneck.num_batches_tracked": (),
        **to_release_names(today, "0.1.1"),
    }
    assert describe_weights(old) == describe_weights(today)


def test_acls_model_is_described_with_its_domains():
    words = ["MODEL.BACKBONE.NAME", "build_meta_dynamic_router_resnet_backbone"]
    words += ["MODEL.HEADS.NAME", "MetaEmbeddingHead", "MODEL.HEADS.CLASSES_PER_DOMAIN", [4, 5, 6]]
    about = describe_weights(built(*words, "MODEL.BACKBONE.WITH_IBN", True))
    assert about.depth == "tiny"
    assert about.feat_dim == 512
    assert about.classes_per_domain == (4, 5, 6)
    assert in_words(about) == (
        "ACL's dynamic-router ResNet-tiny-IBN, 4 + 5 + 6 classes of 3 domains"
    )


@pytest.mark.parametrize("depth", ["tiny", "18x", "34x", "50x", "101x"])
def test_every_depth_that_is_built_is_recognized(depth):
    spec = resnet_spec(depth, last_stride=1)
    shapes = resnet(
        tuple(stage.blocks for stage in spec.stages),
        stem=spec.stem_channels,
        planes=tuple(stage.planes for stage in spec.stages),
        basic=spec.block == "basic",
    )
    about = describe_weights(shapes)
    expansion = 1 if spec.block == "basic" else 4
    assert (about.depth, about.feat_dim) == (depth, expansion * spec.stages[-1].planes)


def test_ibn_b_and_a_reduction_head_are_recognized():
    shapes = fastreid_model(embedding=512)
    shapes["backbone.layer1.2.IN.weight"] = (256,)
    shapes["heads.bnneck.weight"] = shapes["heads.bnneck.running_mean"] = (512,)
    about = describe_weights(shapes)
    assert about.ibn == "b"
    assert about.head_parts == ("conv", "norm", "second norm")


def test_shapes_that_no_network_has_are_described_without_an_error():
    assert describe_weights(dict.fromkeys(fastreid_model(embedding=8), ())).blocks == (3, 4, 6, 3)
