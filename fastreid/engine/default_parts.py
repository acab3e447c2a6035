"""The parts of a default run: each is built by a method that a subclass may override."""

from __future__ import annotations

import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from mindspore import nn

from fastreid.config import CfgNode, without_pretraining
from fastreid.data import (
    CommDataset,
    ReidDataLoader,
    WorkerPool,
    build_domain_train_loaders,
    build_reid_test_loader,
    build_reid_train_loader,
)
from fastreid.evaluation import (
    DatasetEvaluator,
    ReidEvaluator,
    inference_on_dataset,
    print_csv_format,
)
from fastreid.modeling import build_model, unused_in_evaluation
from fastreid.solver import build_lr_scheduler
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.machine import CoreSharing

from .build import build_meta_optimizer, build_optimizers
from .cpu import moves_kernels
from .setup import complete_config
from .train_loop import TrainerBase

logger = logging.getLogger(__name__)

Results = OrderedDict[str, "OrderedDict[str, Any]"]


class DefaultParts(TrainerBase):
    """Builders of `DefaultTrainer`, with fast-reid's names and arguments.

    An override may leave out the argument `pool`; then its loaders start worker processes of
    their own.
    """

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> ReidDataLoader:
        """Build the endless loader of the training set.

        Args:
            cfg: the whole configuration.

        Returns:
            As `build_reid_train_loader` makes it; its ``dataset`` is a `CommDataset`.
        """
        return build_reid_train_loader(cfg)

    @classmethod
    def build_domain_loaders(
        cls, cfg: CfgNode, train_set: CommDataset, *, pool: WorkerPool | None = None
    ) -> Sequence[ReidDataLoader]:
        """Build the endless loaders of ACL's meta steps, one per source domain.

        Args:
            cfg: the whole configuration, with the class counts filled in.
            train_set: data set of the training loader.
            pool: worker processes to share.

        Returns:
            The loaders in the order of DATASETS.NAMES; none where there are no meta steps.
        """
        if cfg.SOLVER.META.PERIOD < 1:
            return []
        return build_domain_train_loaders(cfg, train_set, pool=pool)

    @classmethod
    def build_test_loader(
        cls, cfg: CfgNode, dataset_name: str, *, pool: WorkerPool | None = None
    ) -> tuple[ReidDataLoader, int]:
        """Build the loader of a test set.

        Args:
            cfg: the whole configuration.
            dataset_name: one of DATASETS.TESTS.
            pool: worker processes to share.

        Returns:
            The loader and the number of queries, which come first.
        """
        return build_reid_test_loader(cfg, dataset_name, pool=pool)

    @classmethod
    def build_evaluator(
        cls,
        cfg: CfgNode,
        dataset_name: str,
        output_dir: str | None = None,
        *,
        pool: WorkerPool | None = None,
    ) -> tuple[ReidDataLoader, DatasetEvaluator]:
        """Build the loader of a test set and the evaluator of its features.

        Args:
            cfg: the whole configuration.
            dataset_name: one of DATASETS.TESTS.
            output_dir: folder of the evaluator's files; None: OUTPUT_DIR.
            pool: worker processes to share.

        Returns:
            The loader and the evaluator.
        """
        loader, num_query = cls.build_test_loader(
            cfg, dataset_name, **accepted(cls.build_test_loader, pool=pool)
        )
        evaluator = ReidEvaluator(
            cfg,
            num_query,
            output_dir or cfg.OUTPUT_DIR,
            label_names=loader.dataset.label_names,
        )
        return loader, evaluator

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Cell:
        """Build the model and log its size.

        Args:
            cfg: the whole configuration, with the class counts filled in for training.

        Returns:
            A cell from images (N, 3, H, W) to features (N, D) in evaluation.
        """
        model = build_model(cfg)
        count = sum(parameter.size for parameter in model.get_parameters())
        logger.info("Model %s: %.1f M parameters", type(model).__name__, count / 1e6)
        return model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Cell) -> nn.Cell | Sequence[nn.Cell]:
        """Build the optimizer of basic steps.

        Args:
            cfg: the whole configuration.
            model: built from it.

        Returns:
            One optimizer; two if MODEL.FREEZE_LAYERS freezes parts of the model at first, the
            second one for these parts.
        """
        return build_optimizers(cfg, model)

    @classmethod
    def build_meta_optimizer(cls, cfg: CfgNode, model: nn.Cell) -> nn.Cell:
        """Build the optimizer of ACL's meta steps.

        Args:
            cfg: the whole configuration.
            model: built from it.

        Returns:
            An optimizer over all trainable parameters, without momentum.
        """
        return build_meta_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(
        cls, cfg: CfgNode, optimizer: nn.Cell | Sequence[nn.Cell], iters_per_epoch: int
    ) -> Any:
        """Build the schedule of the learning rates.

        Args:
            cfg: the whole configuration.
            optimizer: result of `build_optimizer`; not used by default.
            iters_per_epoch: iterations in an epoch.

        Returns:
            An object with ``rate(iteration, base_lr)``.
        """
        del optimizer
        return build_lr_scheduler(cfg, iters_per_epoch)

    @staticmethod
    def auto_scale_hyperparams(cfg: CfgNode, num_classes: Sequence[int]) -> CfgNode:
        """Fill in the settings that depend on the training sets.

        Args:
            cfg: the whole configuration.
            num_classes: identities of each training set, in the order of DATASETS.NAMES.

        Returns:
            A new frozen configuration.
        """
        return complete_config(cfg, list(num_classes))

    @classmethod
    def test(
        cls, cfg: CfgNode, model: nn.Cell, *, pool: WorkerPool | None = None, **options: Any
    ) -> Results:
        """Evaluate on every set of DATASETS.TESTS and log the tables of scores.

        Args:
            cfg: the whole configuration.
            model: from images (N, 3, H, W) to features (N, D) in evaluation.
            pool: worker processes to share; None starts DATALOADER.NUM_WORKERS for each set.
            **options: further keyword arguments of `build_evaluator`.

        Returns:
            Test set -> score name -> value, in percent.
        """
        results: Results = OrderedDict()
        sharing = CoreSharing(moves=moves_kernels(cfg))
        for name in cfg.DATASETS.TESTS:
            loader, evaluator = cls.build_evaluator(
                cfg, name, **accepted(cls.build_evaluator, pool=pool, **options)
            )
            with loader:
                results[name] = inference_on_dataset(
                    model,
                    loader,
                    evaluator,
                    flip_test=cfg.TEST.FLIP.ENABLED,
                    sharing=sharing,
                )
            draws = cfg.TEST.PLOTS and comm.is_main_process()
            if draws and isinstance(evaluator, ReidEvaluator):
                evaluator.write_report(output_dir=cfg.OUTPUT_DIR, name=name)
            print_csv_format({"dataset": name, **results[name]})
        return results

    @classmethod
    def evaluate(cls, cfg: CfgNode, **options: Any) -> Results:
        """Evaluate MODEL.WEIGHTS on every set of DATASETS.TESTS.

        Args:
            cfg: the whole configuration.
            **options: further keyword arguments of `test`.

        Returns:
            Test set -> score name -> value, in percent.

        Raises:
            FileNotFoundError: there are no weights.
            ValueError: the weights do not fit.
        """
        cfg = without_pretraining(cfg)
        model = cls.build_model(cfg)
        ignore = unused_in_evaluation(model)
        Checkpointer(model).load(cfg.MODEL.WEIGHTS, ignore=ignore, weights_only=True)
        return cls.test(cfg, model, **options)


def accepted(function: Callable, **options: Any) -> dict[str, Any]:
    """Select the options that a function takes, for overrides with fewer arguments.

    Args:
        function: function to call with the options.
        **options: name -> value.

    Returns:
        Those of the options for which the function has a parameter.
    """
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return options
    return {name: value for name, value in options.items() if name in parameters}
