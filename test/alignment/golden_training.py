"""A meta trainer without loaders, for batches that come from golden inputs."""

import numpy as np

from fastreid.engine import MetaTrainer
from fastreid.engine.train_step import LossForward
from fastreid.modeling import Phase
from fastreid.solver import build_gradient_clipper, build_optimizer


def golden_trainer(cfg, model, data_loader=(), domain_loaders=((), (), ())):
    parameters = model.trainable_params()
    return MetaTrainer(
        model,
        data_loader,
        domain_loaders=domain_loaders,
        forward=LossForward(model, model.criterion(Phase.BASIC)),
        meta_train_forward=LossForward(model, model.criterion(Phase.META_TRAIN)),
        meta_test_forward=LossForward(model, model.criterion(Phase.META_TEST)),
        optimizers=[build_optimizer(cfg, parameters)],
        meta_optimizer=build_optimizer(cfg, parameters, with_momentum=False),
        clipper=build_gradient_clipper(cfg),
        log_period=1,
        period=cfg.SOLVER.META.PERIOD,
        first_basic_steps=cfg.SOLVER.META.FIRST_BASIC_STEPS,
        adaptor_lr_factor=cfg.SOLVER.META.ADAPTOR_LR_FACTOR,
        seed=cfg.SEED,
    )


def golden_batch(arrays):
    """The loader's columns for (images, targets, domainids) of golden_inputs."""
    images, targets, domainids = arrays
    return {
        "images": images,
        "targets": targets.astype(np.int32),
        "camids": np.zeros(len(targets), np.int32),
        "domainids": domainids.astype(np.int32),
        "img_paths": np.array([f"golden_{i}.jpg" for i in range(len(targets))]),
    }
