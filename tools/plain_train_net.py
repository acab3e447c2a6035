"""Train or evaluate a model with a training loop of its own, without a trainer class.

    FASTREID_DATASETS=datasets/demo python tools/plain_train_net.py --config-file configs/demo.yml

A tutorial on the parts of a run, and a start for a loop of your own. It has basic steps only: meta
steps, frozen layers, mixed precision and the checks before a run are in tools/train_net.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from mindspore import Tensor, nn

from fastreid.config import CfgNode, load_config, without_pretraining
from fastreid.data import build_reid_test_loader, build_reid_train_loader, iters_per_epoch
from fastreid.engine import complete_config, default_argument_parser, default_setup, launch
from fastreid.engine.cpu import moves_kernels
from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.evaluation import ReidEvaluator, inference_on_dataset, print_csv_format
from fastreid.layers import running_statistics
from fastreid.modeling import build_model, classifier_prefixes
from fastreid.solver import build_gradient_clipper, build_lr_scheduler, build_optimizer
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from fastreid.utils.command_line.command import run_command
from fastreid.utils.events import CommonMetricPrinter, EventStorage, EventWriter, JSONWriter
from fastreid.utils.machine import CoreSharing
from fastreid.utils.parameters import broadcast_parameters

logger = logging.getLogger("fastreid.plain_train_net")


def do_test(cfg: CfgNode, model: nn.Cell) -> dict[str, Any]:
    """Evaluate on every test set: name -> scores in percent."""
    # In training each process has running statistics of its own; those of rank 0 are kept.
    broadcast_parameters(running_statistics(model))
    results: dict[str, Any] = {}
    for name in cfg.DATASETS.TESTS:
        loader, num_query = build_reid_test_loader(cfg, name)
        with loader:
            results[name] = inference_on_dataset(model, loader, ReidEvaluator(cfg, num_query))
        print_csv_format({"dataset": name, **results[name]})
    return results


def do_train(cfg: CfgNode, *, resume: bool) -> dict[str, Any]:
    """Train for SOLVER.MAX_EPOCH epochs and return the last evaluation."""
    loader = build_reid_train_loader(cfg)
    # The number of classes comes from the data.
    cfg = complete_config(cfg, loader.dataset.classes_per_domain)
    per_epoch, num_epochs = iters_per_epoch(cfg, len(loader.dataset)), cfg.SOLVER.MAX_EPOCH

    model = build_model(cfg)
    broadcast_parameters(list(model.get_parameters()))
    optimizer = build_optimizer(cfg, model)
    schedule = build_lr_scheduler(cfg, per_epoch)
    # One compiled graph: forward, losses, backward, clipping and update.
    losses = LossForward(model, model.criterion())
    step = TrainStep(losses, [optimizer], build_gradient_clipper(cfg))

    checkpointer = Checkpointer(model, cfg.OUTPUT_DIR, optimizer=optimizer)
    state = checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=resume)
    start = state.get("iteration", 0)
    loader.seek(start)
    period, best = cfg.SOLVER.CHECKPOINT_PERIOD, state.get("best_metric")
    saver = PeriodicCheckpointer(checkpointer, period, num_epochs, best_metric=best)

    results: dict[str, Any] = {}
    sharing = CoreSharing(moves=moves_kernels(cfg))
    logger.info("Starting training from iteration %d", start)
    with loader, EventStorage(start) as storage:
        batches, writers = iter(loader), build_writers(cfg, num_epochs * per_epoch)
        for epoch in range(start // per_epoch, num_epochs):
            storage.epoch = epoch
            for iteration in range(epoch * per_epoch, (epoch + 1) * per_epoch):
                storage.iter, done = iteration, iteration + 1
                rates = [schedule.rate(iteration, base_lr) for base_lr in optimizer.base_lrs]
                optimizer.set_learning_rates(rates)
                storage.put_scalar("lr", rates[0], smoothing_hint=False)
                for name, value in learn(step, next(batches), losses.names).items():
                    storage.put_scalar(name, value)
                sharing.report(logger)
                if done % cfg.SOLVER.LOG_PERIOD == 0 or done % per_epoch == 0:
                    for writer in writers:
                        writer.write()
            eval_period, metric = cfg.TEST.EVAL_PERIOD, None
            if epoch + 1 == num_epochs or (eval_period > 0 and (epoch + 1) % eval_period == 0):
                results = do_test(cfg, model)
                metric = sum(scores["metric"] for scores in results.values()) / len(results)
            saver.step(epoch, metric=metric, iteration=done)
    return results


def learn(step: TrainStep, batch: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Take a step on a batch and return its losses by name, and their sum."""
    step.set_train(True)
    columns = (Tensor(batch[column]) for column in ("images", "targets", "domainids"))
    losses, _, is_finite = step(*columns)
    if not bool(is_finite.asnumpy()):
        raise FloatingPointError(f"The losses or gradients are not finite: {losses}")
    terms = dict(zip(names, losses.asnumpy().tolist()))
    return {"total_loss": sum(terms.values()), **terms}


def build_writers(cfg: CfgNode, max_iter: int) -> list[EventWriter]:
    """Build the writers of the log and, on rank 0, of metrics.json."""
    printer = CommonMetricPrinter(max_iter)
    files = [JSONWriter(Path(cfg.OUTPUT_DIR) / "metrics.json")] if comm.is_main_process() else []
    return [printer, *files]


def main(args: argparse.Namespace) -> dict[str, Any]:
    """Read the configuration, then train or evaluate."""
    cfg = load_config(args.config_file, args.opts)
    cfg.freeze()
    default_setup(cfg, args)
    if not args.eval_only:
        return do_train(cfg, resume=args.resume)
    model = build_model(without_pretraining(cfg))
    # Its classifiers have the identities of the training set, which evaluation does not need.
    Checkpointer(model).load(
        cfg.MODEL.WEIGHTS, ignore=classifier_prefixes(model), weights_only=True
    )
    return do_test(cfg, model)


def run(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job, one process per device."""
    parser = default_argument_parser()
    parser.prog, parser.description = "plain_train_net.py", __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    args = parser.parse_args(argv)
    launch(main, args.num_gpus, args=(args,), dist_url=args.dist_url)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(run, stops_at_closed_output=False))
