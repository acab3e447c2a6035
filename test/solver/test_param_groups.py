import pytest
from mindspore import Parameter, Tensor

from fastreid.config import get_cfg
from fastreid.solver import get_default_optimizer_params

# name -> rate and decay under the settings below
EXPECTED = {
    "backbone.conv1.weight": (0.1, 1e-1),
    "backbone.bn1.gamma": (0.1, 1e-2),
    "backbone.bn1.beta": (0.2, 1e-3),
    "backbone.stages.0.non_local.0.g.bias": (0.2, 1e-3),
    "backbone.stages.0.meta_fuse.gate": (0.1, 1e-1),
    "heads.bottleneck.0.gamma": (0.5, 1e-2),
    "heads.bottleneck.0.beta": (1.0, 1e-3),
    "heads.classifiers.0.weight": (0.5, 1e-1),
    "heads.center.centers": (0.5, 1e-1),
    "heads.pool_layer.p": (0.5, 1e-1),
    "backbone.heads.weight": (0.1, 1e-1),
}


@pytest.fixture
def cfg():
    cfg = get_cfg()
    solver = cfg.SOLVER
    solver.BASE_LR, solver.BIAS_LR_FACTOR, solver.HEADS_LR_FACTOR = 0.1, 2.0, 5.0
    solver.WEIGHT_DECAY, solver.WEIGHT_DECAY_NORM, solver.WEIGHT_DECAY_BIAS = 1e-1, 1e-2, 1e-3
    return cfg


@pytest.fixture
def parameters():
    return [Parameter(Tensor([0.0]), name=name) for name in EXPECTED]


def test_rate_and_decay_follow_the_kind_and_the_position_of_a_parameter(cfg, parameters):
    groups = get_default_optimizer_params(cfg, parameters)
    got = {p.name: (g.base_lr, g.weight_decay) for g in groups for p in g.parameters}
    assert got.keys() == EXPECTED.keys()
    for name, expected in EXPECTED.items():
        assert got[name] == pytest.approx(expected), name


def test_every_parameter_is_in_one_group_and_equal_settings_share_it(cfg, parameters):
    groups = get_default_optimizer_params(cfg, parameters)
    members = [p.name for g in groups for p in g.parameters]
    assert sorted(members) == sorted(EXPECTED)
    settings = [(g.base_lr, g.weight_decay) for g in groups]
    assert len(set(settings)) == len(settings)
    assert groups[0].parameters[0].name == "backbone.conv1.weight"


def test_by_default_everything_shares_one_rate_and_one_decay(parameters):
    groups = get_default_optimizer_params(get_cfg(), parameters)
    assert [(g.base_lr, g.weight_decay) for g in groups] == [(3e-4, 5e-4)]


def test_the_decay_of_biases_does_not_follow_the_decay_of_weights(parameters):
    cfg = get_cfg()
    cfg.SOLVER.WEIGHT_DECAY = 0.1
    groups = get_default_optimizer_params(cfg, parameters)
    decay = {p.name: g.weight_decay for g in groups for p in g.parameters}
    assert decay["backbone.bn1.beta"] == 5e-4
    assert decay["backbone.conv1.weight"] == 0.1
