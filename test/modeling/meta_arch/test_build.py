import pytest

from fastreid.config import get_cfg
from fastreid.modeling import build_model

ROUTERS = "build_meta_dynamic_router_resnet_backbone"


@pytest.mark.parametrize(
    ("architecture", "backbone", "head", "message"),
    [
        ("Baseline", ROUTERS, "EmbeddingHead", f"{ROUTERS} and MODEL.HEADS.NAME EmbeddingHead do"),
        ("Baseline", "build_resnet_backbone", "MetaEmbeddingHead", "do not go together"),
        ("ACL", "build_resnet_backbone", "EmbeddingHead", "ACL needs MODEL.HEADS.NAME MetaEmbedd"),
    ],
)
def test_parts_that_do_not_fit_are_named(architecture, backbone, head, message):
    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE = architecture
    cfg.MODEL.BACKBONE.NAME, cfg.MODEL.HEADS.NAME = backbone, head
    with pytest.raises(ValueError, match=message):
        build_model(cfg)


def test_an_unknown_architecture_names_the_known_ones():
    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE = "Basline"
    with pytest.raises(KeyError, match="Basline.*Baseline"):
        build_model(cfg)
