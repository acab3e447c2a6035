"""A meta trainer without loaders, for batches that come from golden inputs."""

import numpy as np

from fastreid.engine import MetaTrainer
from fastreid.engine.train_step import LossForward
from fastreid.modeling import Phase
from fastreid.solver import build_gradient_clipper, build_optimizer


class RecordingTrainer(MetaTrainer):
    """Keeps every step's losses in `rows`, name -> value."""

    def __init__(self, *args, **options):
        super().__init__(*args, log_period=1, **options)
        self.rows = []

    def write_losses(self, prefix, record):
        self.rows.append(record.terms())


def golden_trainer(cfg, model, data_loader=(), domain_loaders=((), (), ())):
    parameters = model.trainable_params()
    return RecordingTrainer(
        model,
        data_loader,
        domain_loaders=domain_loaders,
        forward=LossForward(model, model.criterion(Phase.BASIC)),
        meta_train_forward=LossForward(model, model.criterion(Phase.META_TRAIN)),
        meta_test_forward=LossForward(model, model.criterion(Phase.META_TEST)),
        optimizers=[build_optimizer(cfg, parameters)],
        meta_optimizer=build_optimizer(cfg, parameters, with_momentum=False),
        clipper=build_gradient_clipper(cfg),
        period=cfg.SOLVER.META.PERIOD,
        first_basic_steps=cfg.SOLVER.META.FIRST_BASIC_STEPS,
        adaptor_lr_factor=cfg.SOLVER.META.ADAPTOR_LR_FACTOR,
        seed=cfg.SEED,
    )


def set_rate(optimizer, cfg, rate):
    """Put a base rate in force: every group gets its share of it."""
    shares = [base_lr / cfg.SOLVER.BASE_LR for base_lr in optimizer.base_lrs]
    optimizer.set_learning_rates([rate * share for share in shares])


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
