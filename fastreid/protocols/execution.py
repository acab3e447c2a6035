"""Do one run: train it, or resume its training, and test its checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode, without_pretraining
from fastreid.engine import DefaultTrainer
from fastreid.engine.resume.saved_config import dump_for_keeping
from fastreid.modeling import classifier_prefixes
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.files import read_checkpoint
from fastreid.utils.collect_env import collect_versions, command_line, git_state

from .facts import data_differences, describe_data
from .run_folder import RunFolder, hash_of_file, missing_scores
from .settings import setting_differences, with_split
from .spec import LAST, TARGET_SELECTED, Protocol, Run

logger = logging.getLogger(__name__)

_SCORES = ("mAP", "Rank-1", "Rank-5", "Rank-10", "mINP")


def evaluate_run(
    protocol: Protocol, method: str, run: Run, cfg: CfgNode, *, train_seconds: float
) -> None:
    """Test the checkpoints of a trained run, and write ``result.json``.

    Scores that the file has already are kept.

    Args:
        protocol: the protocol.
        method: name of the method.
        run: the run, whose training is finished.
        cfg: its configuration, frozen.
        train_seconds: time that this process trained.
    """
    folder = RunFolder(Path(cfg.OUTPUT_DIR))
    start = time.perf_counter()
    before = folder.result()
    facts = describe_data(cfg, run)
    scores = list(before["scores"]) if before else []
    wanted = missing_scores({"scores": scores}, run)
    last = _test_checkpoint(cfg, folder.final, wanted, selection=LAST)
    best = _selected(folder)
    scores += last
    if best == folder.final:
        scores += [{**score, "selection": TARGET_SELECTED} for score in last]
    else:
        scores += _test_checkpoint(cfg, best, wanted, selection=TARGET_SELECTED)
    folder.write_result(
        {
            "protocol": protocol.name,
            "method": method,
            "sources": list(run.sources),
            "targets": {route.target: list(route.splits) for route in run.routes},
            "seed": run.seed,
            "scores": scores,
            "selected_on": before["selected_on"] if before else list(run.targets),
            "differences": [
                *setting_differences(protocol, cfg),
                *data_differences(protocol, facts),
            ],
            "data": facts,
            "config": dump_for_keeping(cfg),
            "git": git_state(),
            "versions": collect_versions(),
            "command": command_line(),
            "seconds": {
                "training": round(train_seconds or _training_seconds(before), 1),
                "testing": round(time.perf_counter() - start, 1),
            },
        }
    )


def _training_seconds(before: Mapping[str, Any] | None) -> float:
    return before["seconds"]["training"] if before else 0.0


def _selected(folder: RunFolder) -> Path:
    """Return the best checkpoint; the last one if its weights are those of the same iteration."""
    if not folder.best.is_file():
        return folder.final
    iterations = [read_checkpoint(path).extra["iteration"] for path in (folder.best, folder.final)]
    return folder.final if iterations[0] == iterations[1] else folder.best


def _test_checkpoint(
    cfg: CfgNode, path: Path, wanted: Sequence[tuple[str, int]], *, selection: str
) -> list[dict[str, Any]]:
    logger.info("Testing %s on %s", path, wanted)
    model = DefaultTrainer.build_model(without_pretraining(cfg))
    extra = Checkpointer(model).load(path, ignore=classifier_prefixes(model), weights_only=True)
    checkpoint = {"file": path.name, "sha256": hash_of_file(path), "epoch": extra["epoch"] + 1}
    scores = []
    for target, split in wanted:
        chosen = with_split(cfg, split).clone()
        chosen.defrost()
        chosen.DATASETS.TESTS = (target,)
        chosen.TEST.PLOTS = False
        chosen.freeze()
        results = DefaultTrainer.test(chosen, model)[target]
        scores.append(
            {
                "target": target,
                "split": split,
                "selection": selection,
                "checkpoint": checkpoint,
                **{name: float(results[name]) for name in _SCORES},
            }
        )
    return scores
