"""The trainer that a config describes: wiring only."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.data import (
    WorkerPool,
    build_domain_train_loaders,
    build_reid_test_loader,
    build_reid_train_loader,
    check_test_sets,
    iters_per_epoch,
)
from fastreid.evaluation import ReidEvaluator, inference_on_dataset, print_csv_format
from fastreid.layers import running_statistics
from fastreid.modeling import build_model, classifier_prefixes, use_half_precision
from fastreid.solver import build_lr_scheduler
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from fastreid.utils.events import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter
from fastreid.utils.parameters import broadcast_parameters

from . import hooks
from .build import build_trainer
from .launch.termination import Termination
from .norm_check import check_norms
from .pair_check import warn_of_missing_pairs
from .resume import (
    checkpointables_of,
    finds_checkpoint,
    load_last,
    loader_states,
    restore_loader_states,
)
from .resume.run_record import record_run
from .resume.saved_config import write_config
from .setup import complete_config, uses_mixed_precision
from .steps.non_finite import NonFiniteError
from .train_loop import SimpleTrainer, TrainerBase

logger = logging.getLogger(__name__)

# Of the toolbox's heads: how the names of the parameters begin that depend on the identities.
CLASSIFIER_PREFIXES = classifier_prefixes()


class DefaultTrainer(TrainerBase):
    """Loaders, model, optimizers, schedule, trainer, checkpoints and hooks out of one config.

    Makes many assumptions; where they do not hold, overwrite a method, or use `SimpleTrainer` or
    `MetaTrainer` with parts of your own.

    Args:
        cfg: the whole configuration, frozen.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.data_loader = build_reid_train_loader(cfg)
        check_test_sets(cfg)
        train_set = self.data_loader.dataset
        given = cfg
        self.cfg = cfg = complete_config(given, train_set.classes_per_domain)
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
        self.domain_loaders = []
        if cfg.SOLVER.META.PERIOD > 0:
            self.domain_loaders = build_domain_train_loaders(
                cfg, train_set, pool=self.data_loader.pool
            )
        check_norms(cfg, self.model, len(train_set.classes_per_domain))
        warn_of_missing_pairs(cfg, train_set)
        self._trainer = self.build_trainer()
        self._termination = Termination()
        self._record = record_run(cfg, train_set)
        states = checkpointables_of(self._trainer)
        self.checkpointer = Checkpointer(self.model, cfg.OUTPUT_DIR, **states)
        self.start_iter = 0
        self.last_results: OrderedDict[str, OrderedDict[str, Any]] = OrderedDict()
        self._periodic_checkpointer = PeriodicCheckpointer(
            self.checkpointer, cfg.SOLVER.CHECKPOINT_PERIOD
        )
        self.register_hooks(self.build_hooks())

    def build_trainer(self) -> SimpleTrainer:
        """Build the trainer that takes the steps: `MetaTrainer` for ACL, else `SimpleTrainer`."""
        return build_trainer(
            self.cfg, self.model, self.data_loader, domain_loaders=self.domain_loaders
        )

    def build_hooks(self) -> list[hooks.HookBase]:
        """Build the default hooks: timing, rates, evaluation, checkpoints, logs, curves."""
        cfg = self.cfg
        schedule = build_lr_scheduler(cfg, self.iters_per_epoch)
        optimizers = list(self._trainer.named_optimizers.values())
        built = [
            hooks.IterationTimer(),
            hooks.LRScheduler(optimizers, schedule),
            hooks.EvalHook(cfg.TEST.EVAL_PERIOD, self._evaluate, termination=self._termination),
            hooks.CheckpointHook(
                self._periodic_checkpointer,
                metric=self._target_metric,
                extra=self._checkpoint_extra,
                period_iters=cfg.SOLVER.CHECKPOINT_PERIOD_ITERS,
                termination=self._termination,
            ),
            hooks.PeriodicWriter(self.build_writers(), cfg.SOLVER.LOG_PERIOD),
        ]
        if cfg.TEST.PLOTS and comm.is_main_process():
            built.append(hooks.TrainingCurves(Path(cfg.OUTPUT_DIR)))
        return built

    def build_writers(self) -> list[EventWriter]:
        """Build the writers of the log, and on rank 0 of metrics.json and TensorBoard files."""
        printer = CommonMetricPrinter(self.max_iter)
        if not comm.is_main_process():
            return [printer]
        return [
            printer,
            JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / "metrics.json")),
            TensorboardXWriter(self.cfg.OUTPUT_DIR),
        ]

    def resume_or_load(self, *, resume: bool = True) -> None:
        """Go on from the last checkpoint of OUTPUT_DIR, or start from MODEL.WEIGHTS.

        Args:
            resume: look for a checkpoint; where there is none, start afresh and say so.
        """
        self.checkpointer.remove_leftovers()
        if not finds_checkpoint(self.checkpointer, resume=resume):
            self._start_afresh(was_asked_to_resume=resume)
            return
        state = load_last(self.checkpointer, self._record)
        self.start_iter = state["iteration"]
        self.evaluation_due = state["evaluation_due"]
        self._periodic_checkpointer.best_metric = state["best_metric"]
        restore_loader_states([self.data_loader, *self.domain_loaders], state)

    def _start_afresh(self, *, was_asked_to_resume: bool) -> None:
        if was_asked_to_resume:
            logger.info("No checkpoint in %s: starting afresh", self.cfg.OUTPUT_DIR)
        elif self.checkpointer.has_checkpoint():
            logger.warning(
                "%s holds checkpoints of an earlier run, which this one will overwrite; --resume "
                "would go on with it",
                self.cfg.OUTPUT_DIR,
            )
        if self.cfg.MODEL.WEIGHTS:
            self.checkpointer.load(
                self.cfg.MODEL.WEIGHTS, ignore=classifier_prefixes(self.model), weights_only=True
            )

    def train(self) -> OrderedDict[str, OrderedDict[str, Any]]:
        """Run training to its end.

        Returns:
            The last evaluation: test set -> name -> value, in percent.

        Raises:
            SystemExit: with code 143, after a checkpoint, where SIGTERM ended it.
            NonFiniteError: a loss or gradient is not finite, after a checkpoint to look into.
        """
        try:
            with self._termination.listening():
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
                name, is_last=False, non_finite=found, epoch=self.epoch, **self._checkpoint_extra()
            )
        except OSError as failure:
            logger.warning("Cannot save %s: %s", name, failure)
        # All processes know of the error, and the first one to leave ends them all.
        comm.synchronize()

    def close(self) -> None:
        """Stop the data workers."""
        for loader in (*self.domain_loaders, self.data_loader):
            loader.close()

    def run_step(self) -> None:
        """Take one iteration."""
        self._trainer.iter = self.iter
        self._trainer.run_step()

    def finish(self) -> None:
        """Check the last step."""
        self._trainer.finish()

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Cell:
        """Build the model and log its size."""
        model = build_model(cfg)
        count = sum(parameter.size for parameter in model.get_parameters())
        logger.info("Model %s: %.1f M parameters", type(model).__name__, count / 1e6)
        return model

    @classmethod
    def test(
        cls, cfg: CfgNode, model: nn.Cell, *, pool: WorkerPool | None = None
    ) -> OrderedDict[str, OrderedDict[str, Any]]:
        """Evaluate on every set of DATASETS.TESTS and print the tables.

        Args:
            cfg: the whole configuration.
            model: from images (N, 3, H, W) to features (N, D) in evaluation.
            pool: worker processes to share; None starts DATALOADER.NUM_WORKERS for each set.

        Returns:
            Test set -> name -> value, in percent.
        """
        results = OrderedDict()
        for name in cfg.DATASETS.TESTS:
            loader, num_query = build_reid_test_loader(cfg, name, pool=pool)
            names = loader.dataset.label_names
            evaluator = ReidEvaluator(cfg, num_query, cfg.OUTPUT_DIR, label_names=names)
            with loader:
                results[name] = inference_on_dataset(
                    model, loader, evaluator, flip_test=cfg.TEST.FLIP.ENABLED
                )
            if cfg.TEST.PLOTS and comm.is_main_process():
                evaluator.write_report(output_dir=cfg.OUTPUT_DIR, name=name)
            print_csv_format({"dataset": name, **results[name]})
        return results

    def _evaluate(self) -> OrderedDict[str, OrderedDict[str, Any]]:
        # Each process has its own while it trains; those of rank 0 are the model's.
        broadcast_parameters(running_statistics(self.model))
        self.last_results = self.test(self.cfg, self.model, pool=self.data_loader.pool)
        return self.last_results

    def _target_metric(self) -> float | None:
        if not self.last_results:
            return None
        values = [results["metric"] for results in self.last_results.values()]
        return float(sum(values) / len(values))

    def _log_selection(self) -> None:
        last, best = self._target_metric(), self._periodic_checkpointer.best_metric
        if last is not None and best is not None:
            logger.info(
                "Metric (mean of mAP and Rank-1, over test sets): %.2f after the last epoch; "
                "%.2f in model_best, which was chosen on the test sets themselves",
                *(last, best),
            )

    def _checkpoint_extra(self) -> dict[str, Any]:
        return {
            "iteration": self.iter,
            **loader_states([self.data_loader, *self.domain_loaders]),
            "evaluation_due": self.evaluation_due,
            **self._record,
        }
