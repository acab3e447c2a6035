"""`DefaultTrainer`: the training run that a config describes."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mindspore import nn

from fastreid.config import CfgNode, explicit_config
from fastreid.data import check_test_sets, iters_per_epoch
from fastreid.evaluation import flatten_results_dict
from fastreid.layers import running_statistics
from fastreid.modeling import classifier_prefixes, use_half_precision
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from fastreid.utils.events import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter
from fastreid.utils.parameters import broadcast_parameters

from . import hooks
from .build import build_trainer
from .cpu import moves_kernels
from .default_parts import DefaultParts, Results, accepted
from .hooks.checkpoints import mean_metric
from .hooks.precise_bn import precise_bn_config
from .norm_check import check_norms
from .pair_check import warn_of_missing_pairs
from .predictor import DefaultPredictor
from .resume import (
    checkpointables_of,
    finds_checkpoint,
    load_last,
    loader_states,
    restore_loader_states,
)
from .resume.run_record import record_run
from .resume.saved_config import write_config
from .setup import (
    CLASSIFIER_PREFIXES,
    default_argument_parser,
    default_setup,
    uses_mixed_precision,
)
from .steps.non_finite import NonFiniteError
from .train_loop import HookBase, SimpleTrainer, TrainerBase
from .weight_average import WeightAverage

__all__ = [
    "CLASSIFIER_PREFIXES",
    "DefaultPredictor",
    "DefaultTrainer",
    "TrainerBase",
    "default_argument_parser",
    "default_setup",
]

logger = logging.getLogger(__name__)


class DefaultTrainer(DefaultParts):
    """Loaders, model, optimizers, schedule, trainer, checkpoints and hooks of one config.

    To change a part of the run, override the method that builds it (see `DefaultParts`). For
    another kind of run use `SimpleTrainer` or `MetaTrainer` with parts of your own, or write the
    loop yourself, as tools/plain_train_net.py does.

    Args:
        cfg: the whole configuration, frozen.

    Attributes:
        cfg: the same with the class counts filled in.
        data_loader: the training loader.
        domain_loaders: the loaders of ACL's meta steps.
        model: the model.
        scheduler: the schedule of the learning rates.
        average: the moving average of the weights; None without SOLVER.EMA.
        checkpointer: saves and loads model, optimizers and random states.
        iters_per_epoch: iterations in an epoch.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.data_loader = self.build_train_loader(cfg)
        if not self._overrides("build_test_loader"):
            check_test_sets(cfg)
        train_set = self.data_loader.dataset
        given = cfg
        scaled = self.auto_scale_hyperparams(given, train_set.classes_per_domain)
        self.cfg = cfg = explicit_config(scaled)
        write_config(cfg, given)
        if cfg.SOLVER.LOG_PERIOD < 1:
            raise ValueError(
                f"SOLVER.LOG_PERIOD is {cfg.SOLVER.LOG_PERIOD}; it must be at least 1."
            )
        self.iters_per_epoch = iters_per_epoch(cfg, len(train_set))
        self.max_iter = cfg.SOLVER.MAX_EPOCH * self.iters_per_epoch
        if cfg.SOLVER.STOP_ITERS > 0:
            self.max_iter = min(self.max_iter, cfg.SOLVER.STOP_ITERS)
        self.model = self.build_model(cfg)
        if uses_mixed_precision(cfg):
            use_half_precision(self.model)
        broadcast_parameters(list(self.model.get_parameters()))
        self.domain_loaders = self.build_domain_loaders(cfg, train_set, pool=self.data_loader.pool)
        check_norms(cfg, self.model, len(train_set.classes_per_domain))
        warn_of_missing_pairs(cfg, train_set)
        self._trainer = self.build_trainer()
        self.scheduler = self.build_lr_scheduler(cfg, self.optimizer, self.iters_per_epoch)
        self._record = record_run(cfg, train_set)
        states: dict[str, Any] = checkpointables_of(self._trainer)
        self.average: WeightAverage | None = None
        if cfg.SOLVER.EMA.ENABLED:
            self.average = WeightAverage(self.model, momentum=cfg.SOLVER.EMA.MOMENTUM)
            states["average"] = self.average
        self.checkpointer = Checkpointer(
            self.model, cfg.OUTPUT_DIR, while_saving=self.averaged, **states
        )
        self.start_iter = 0
        self.last_results: Results = OrderedDict()
        self.register_hooks(self.build_hooks())

    def _overrides(self, method: str) -> bool:
        own, default = (getattr(owner, method) for owner in (type(self), DefaultTrainer))
        return getattr(own, "__func__", own) is not default.__func__

    @property
    def optimizer(self) -> nn.Cell | Sequence[nn.Cell]:
        """The optimizer of basic steps; a tuple of two where parts of the model are frozen."""
        optimizers = self._trainer.optimizers
        return optimizers[0] if len(optimizers) == 1 else optimizers

    def build_trainer(self) -> SimpleTrainer:
        """Build the trainer that takes the steps: `MetaTrainer` for ACL, else `SimpleTrainer`."""
        return build_trainer(
            self.cfg,
            self.model,
            self.data_loader,
            domain_loaders=self.domain_loaders,
            make_optimizer=self.build_optimizer,
            make_meta_optimizer=self.build_meta_optimizer,
        )

    def averaged(self) -> AbstractContextManager:
        """Make a context in which the model has the average of its weights, if there is one."""
        return self.average.applied() if self.average else nullcontext()

    def build_hooks(self) -> list[HookBase]:
        """Build the hooks: timing, learning rates, evaluation, checkpoints, metrics, curves."""
        cfg = self.cfg
        optimizers = list(self._trainer.named_optimizers.values())
        built = [
            hooks.IterationTimer(),
            hooks.CoreWatch(moves=moves_kernels(cfg)),
            hooks.LRScheduler(optimizers, self.scheduler),
            *([hooks.MovingAverage(self.average)] if self.average else []),
            *self._build_precise_bn(),
            hooks.EvalHook(cfg.TEST.EVAL_PERIOD, self._evaluate),
            hooks.CheckpointHook(
                PeriodicCheckpointer(self.checkpointer, cfg.SOLVER.CHECKPOINT_PERIOD),
                metric=self._target_metric,
                extra=self.checkpoint_extra,
                period_iters=cfg.SOLVER.CHECKPOINT_PERIOD_ITERS,
            ),
            hooks.PeriodicWriter(self.build_writers(), cfg.SOLVER.LOG_PERIOD),
        ]
        if cfg.TEST.PLOTS and comm.is_main_process():
            built.append(hooks.TrainingCurves(Path(cfg.OUTPUT_DIR)))
        return built

    def _build_precise_bn(self) -> list[HookBase]:
        options = self.cfg.TEST.PRECISE_BN
        if not options.ENABLED:
            return []
        loader = self.build_train_loader(precise_bn_config(self.cfg))
        return [hooks.PreciseBN(self.model, loader, options.NUM_ITER, context=self.averaged)]

    def build_writers(self) -> list[EventWriter]:
        """Build the writers: of the log, and on rank 0 of metrics.json and TensorBoard files."""
        printer = CommonMetricPrinter(self.max_iter)
        if not comm.is_main_process():
            return [printer]
        return [
            printer,
            JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / "metrics.json")),
            TensorboardXWriter(self.cfg.OUTPUT_DIR),
        ]

    def resume_or_load(self, resume: bool = True) -> None:
        """Resume from the last checkpoint of OUTPUT_DIR, or load the weights of MODEL.WEIGHTS.

        Args:
            resume: whether to resume if OUTPUT_DIR has a checkpoint.
        """
        self.checkpointer.remove_leftovers()
        if not finds_checkpoint(self.checkpointer, resume=resume):
            self._start_new(was_asked_to_resume=resume)
            return
        state = load_last(self.checkpointer, self._record)
        self.start_iter = state["iteration"]
        self.evaluation_due = state["evaluation_due"]
        self.best_metric = state["best_metric"]
        restore_loader_states([self.data_loader, *self.domain_loaders], state)

    def _start_new(self, *, was_asked_to_resume: bool) -> None:
        if was_asked_to_resume:
            logger.info("No checkpoint in %s: starting a new run", self.cfg.OUTPUT_DIR)
        elif self.checkpointer.has_checkpoint():
            logger.warning(
                "%s holds checkpoints of an earlier run, which this run will overwrite; --resume "
                "continues the earlier run",
                self.cfg.OUTPUT_DIR,
            )
        if self.cfg.MODEL.WEIGHTS:
            self.checkpointer.load(
                self.cfg.MODEL.WEIGHTS, ignore=classifier_prefixes(self.model), weights_only=True
            )

    def train(self) -> Results:  # type: ignore[override] # as in fast-reid: the config has them
        """Train up to `max_iter`.

        Returns:
            The scores of the last evaluation: test set -> score name -> value, in percent.

        Raises:
            SystemExit: SIGTERM came; a checkpoint is saved, and the code is 143.
            NonFiniteError: a loss or gradient is not finite; debug_<iteration>.ckpt is saved.
        """
        try:
            with self.termination.listening():
                super().train(self.start_iter, self.max_iter, self.iters_per_epoch)
        except NonFiniteError as error:
            self._save_for_inspection(error)
            raise
        finally:
            self.close()
        self._log_selection()
        return self.last_results

    def _save_for_inspection(self, error: NonFiniteError) -> None:
        found = {"terms": error.terms, "lr": error.learning_rate, "img_paths": error.img_paths}
        name = f"debug_{error.iteration:07d}"
        try:
            self.checkpointer.save(
                name, is_last=False, non_finite=found, epoch=self.epoch, **self.checkpoint_extra()
            )
        except OSError as failure:
            logger.warning("Cannot save %s: %s", name, failure)
        # The launcher ends all processes when one ends: wait until rank 0 has saved.
        comm.synchronize()

    def close(self) -> None:
        """Stop the data workers of all loaders."""
        for loader in (*self.domain_loaders, self.data_loader):
            loader.close()

    def run_step(self) -> None:
        """Run one iteration."""
        self._trainer.iter = self.iter
        self._trainer.run_step()

    def finish(self) -> None:
        """Check that the last step is finite."""
        self._trainer.finish()

    def _evaluate(self) -> Results:
        # In training each process has running statistics of its own; those of rank 0 are kept.
        with self.averaged():
            broadcast_parameters(running_statistics(self.model))
            options = accepted(self.test, **self.test_options())
            self.last_results = self.test(self.cfg, self.model, **options)
        return self.last_results

    def test_options(self) -> dict[str, Any]:
        """Return the keyword arguments of `test` that this run gives; `test` may take fewer."""
        return {"pool": self.data_loader.pool}

    def _target_metric(self) -> float | None:
        return mean_metric(flatten_results_dict(self.last_results or {}))

    def _log_selection(self) -> None:
        last, best = self._target_metric(), self.best_metric
        if last is not None and best is not None:
            logger.info(
                "Metric (mean over test sets; in retrieval that of mAP and Rank-1): %.2f after the "
                "last epoch; %.2f in model_best, which was chosen on the test sets themselves",
                *(last, best),
            )

    def checkpoint_extra(self) -> dict[str, Any]:
        """Return the values that a checkpoint contains besides weights and states."""
        return {
            "iteration": self.iter,
            **loader_states([self.data_loader, *self.domain_loaders]),
            "evaluation_due": self.evaluation_due,
            **self._record,
        }
