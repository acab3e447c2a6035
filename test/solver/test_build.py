import logging

import pytest
from mindspore import Parameter, Tensor

from fastreid.config import get_cfg
from fastreid.solver import SGD, Adam, build_lr_scheduler, build_optimizer, warmup_iters


@pytest.fixture
def cfg():
    return get_cfg()


@pytest.fixture
def parameters():
    return [Parameter(Tensor([1.0]), name=name) for name in ("a.weight", "a.beta")]


def test_sgd_takes_momentum_and_nesterov_from_the_config(cfg, parameters):
    cfg.SOLVER.OPT, cfg.SOLVER.MOMENTUM, cfg.SOLVER.NESTEROV = "SGD", 0.8, True
    optimizer = build_optimizer(cfg, parameters)
    assert isinstance(optimizer, SGD)
    assert float(optimizer.momentum.asnumpy()) == pytest.approx(0.8)
    assert len(optimizer.state_dict()) == 2


def test_the_meta_optimizer_is_sgd_without_momentum(cfg, parameters):
    cfg.SOLVER.OPT, cfg.SOLVER.NESTEROV = "SGD", True
    optimizer = build_optimizer(cfg, parameters, with_momentum=False)
    assert isinstance(optimizer, SGD)
    assert optimizer.state_dict() == {}
    assert float(optimizer.momentum.asnumpy()) == 0


def test_adam_is_built_too(cfg, parameters):
    cfg.SOLVER.OPT = "Adam"
    assert isinstance(build_optimizer(cfg, parameters), Adam)


@pytest.mark.parametrize("name", ["AdamW", "Lamb"])
def test_others_are_built_by_their_names(cfg, parameters, name):
    cfg.SOLVER.OPT = name
    optimizer = build_optimizer(cfg, parameters)
    assert optimizer.rule_name == name


def test_an_unknown_optimizer_names_the_choices(cfg, parameters):
    cfg.SOLVER.OPT = "Adadelta"
    with pytest.raises(ValueError, match=r"SOLVER\.OPT 'Adadelta' is unknown; .*'SGD', 'Adam'"):
        build_optimizer(cfg, parameters)


def test_warm_up_iterations_count_iterations_in_plain_configs(cfg):
    cfg.SOLVER.WARMUP_ITERS = 30
    assert warmup_iters(cfg, 7) == 30


def test_warm_up_iterations_count_epochs_under_acls_head_and_this_is_logged(cfg, caplog):
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.SOLVER.WARMUP_ITERS = 3
    with caplog.at_level(logging.INFO, "fastreid.solver.build"):
        assert warmup_iters(cfg, 7) == 21
    assert caplog.messages == ["SOLVER.WARMUP_ITERS 3 counts epochs (SOLVER.WARMUP_UNIT)"]


@pytest.mark.parametrize("head", ["EmbeddingHead", "MetaEmbeddingHead"])
def test_warm_up_epochs_win_where_they_are_set(cfg, head):
    cfg.MODEL.HEADS.NAME = head
    cfg.SOLVER.WARMUP_ITERS = 30
    cfg.SOLVER.WARMUP_EPOCHS = 2
    assert warmup_iters(cfg, 7) == 14
    cfg.SOLVER.WARMUP_EPOCHS = 0
    assert warmup_iters(cfg, 7) == 0


def test_an_unknown_schedule_names_the_choices(cfg):
    cfg.SOLVER.SCHED = "Poly"
    with pytest.raises(ValueError, match=r"SOLVER\.SCHED 'Poly' is unknown; .*MultiStepLR"):
        build_lr_scheduler(cfg, 100)


def test_an_unknown_warm_up_names_the_choices(cfg):
    cfg.SOLVER.WARMUP_METHOD = "square"
    with pytest.raises(ValueError, match=r"WARMUP_METHOD 'square' must be one of .*linear"):
        build_lr_scheduler(cfg, 100)


def test_a_cosine_without_an_epoch_left_names_the_settings_to_change(cfg):
    cfg.SOLVER.SCHED = "CosineAnnealingLR"
    cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.WARMUP_EPOCHS = 5, 5
    message = r"warm-up \(5 epochs\) must be shorter than the training .*MAX_EPOCH 5.*WARMUP_EPOCHS"
    with pytest.raises(ValueError, match=message):
        build_lr_scheduler(cfg, 100)
    cfg.SOLVER.WARMUP_EPOCHS, cfg.SOLVER.WARMUP_ITERS = -1, 500
    message = r"MAX_EPOCH \(5\) leaves no epoch after the warm-up \(5 epochs\).*WARMUP_EPOCHS"
    with pytest.raises(ValueError, match=message):
        build_lr_scheduler(cfg, 100)


def test_a_warm_up_in_epochs_ends_within_the_training_under_every_schedule(cfg):
    cfg.MODEL.HEADS.NAME, cfg.SOLVER.SCHED = "MetaEmbeddingHead", "MultiStepLR"
    cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.WARMUP_ITERS = 60, 1000
    with pytest.raises(
        ValueError, match=r"The warm-up \(1000 epochs\) must be shorter than the training"
    ):
        build_lr_scheduler(cfg, 100)
