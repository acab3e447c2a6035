import pytest
from mindspore import nn

from fastreid.config import get_cfg
from fastreid.modeling import META_ARCH_REGISTRY, Phase, build_model
from fastreid.modeling.meta_arch import ACL, Baseline


def acl_cfg():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_meta_dynamic_router_resnet_backbone"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "tiny", 512
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [3, 2]
    return cfg


def plain_cfg():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "tiny", 512
    cfg.MODEL.HEADS.NUM_CLASSES = 5
    return cfg


def test_acl_is_a_baseline_with_losses_for_each_phase():
    model = build_model(acl_cfg())
    assert isinstance(model, ACL)
    assert isinstance(model, Baseline)
    assert model.criterion() is model.criterion(Phase.BASIC)
    assert len({model.criterion(phase).names for phase in Phase}) == 3
    for phase in Phase:
        assert model.criterion(phase).columns == ("targets", "domainids")


def test_a_baseline_has_one_set_of_losses_without_domains():
    model = build_model(plain_cfg())
    assert type(model) is Baseline
    assert model.criterion().columns == ("targets",)
    assert not model.takes_meta_steps
    with pytest.raises(TypeError):
        model.criterion(Phase.BASIC)


def test_losses_are_not_part_of_the_model():
    for cfg in (acl_cfg(), plain_cfg()):
        assert set(build_model(cfg).name_cells()) == {"backbone", "heads"}


class Undeclared(nn.Cell):
    """A user's model whose parts declare nothing."""

    def __init__(self, cfg):
        super().__init__()
        self.backbone = nn.Identity()
        self.heads = nn.Identity()


def test_parts_without_declarations_are_not_checked(own_registries):
    META_ARCH_REGISTRY.register(Undeclared)
    cfg = plain_cfg()
    cfg.MODEL.META_ARCHITECTURE = "Undeclared"
    assert isinstance(build_model(cfg), Undeclared)
