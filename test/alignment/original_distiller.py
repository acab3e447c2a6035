"""fast-reid's distillation on golden weights, with teachers in evaluation mode."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import torch

from test.alignment.original import Original

STEPS = 3
# Rows of the features after the steps that a file holds.
SHOWN = 4


def teacher_seed(seed, place):
    """Seed of the golden weights of the teacher with index `place` in KD.MODEL_CONFIG."""
    return seed + 1 + place


def is_margin(name):
    return name.startswith("margin")


class OriginalDistiller(Original):
    """As `Original`, with teachers from files, and two faults of the original mended.

    Its teachers stay in training mode, because they are no registered modules, and its moving
    teacher does not follow the running statistics.

    Args:
        modules: of `import_original`.
        args: the command line, with `teachers`: KEY VALUE overrides of each.
        dtype: of weights and images.
        folder: for the files of the teachers.
    """

    def __init__(self, modules, args, dtype, folder):
        sys.path.insert(0, str(modules.root / "projects" / "FastDistill"))
        importlib.import_module("fastdistill")
        files = [self._write(modules, args, dtype, folder, i) for i in range(len(args.teachers))]
        lists = [str(tuple(map(str, paths))) for paths in zip(*files)] or ["()", "()"]
        words = ["KD.MODEL_CONFIG", lists[0], "KD.MODEL_WEIGHTS", lists[1]]
        given = argparse.Namespace(**{**vars(args), "opts": [*args.opts, *words]})
        super().__init__(modules, given, dtype)
        self.model._momentum_update_key_encoder = self._move
        self.margins = {k: v.clone() for k, v in self.model.state_dict().items() if is_margin(k)}

    @staticmethod
    def _write(modules, args, dtype, folder, place):
        """Write config and weights of a teacher; return their paths."""
        words = [*args.teachers[place].split()]
        given = argparse.Namespace(**{**vars(args), "opts": words})
        given.seed = teacher_seed(args.seed, place)
        teacher = Original(modules, given, dtype)
        teacher.reset(training=False)
        config, weights = folder / f"{place}.yaml", folder / f"{place}.pth"
        config.write_text(teacher.cfg.dump())
        torch.save({"model": teacher.model.state_dict()}, weights)
        return Path(config), Path(weights)

    @property
    def moving(self):
        """The moving teacher's tensors; none without one."""
        return self._tensors(self.model.model_ts[0]) if self.cfg.KD.EMA.ENABLED else {}

    @staticmethod
    def _tensors(model):
        return {k: v for k, v in model.state_dict().items() if v.is_floating_point()}

    @torch.no_grad()
    def _move(self, momentum):
        students = self._tensors(self.model)
        for name, value in self.moving.items():
            value.copy_(value * momentum + students[name] * (1 - momentum))

    def reset(self, training):
        super().reset(training)
        students = self.model.state_dict()
        with torch.no_grad():
            for name, value in self.margins.items():
                students[name].copy_(value)
            for name, value in self.moving.items():
                value.copy_(students[name])
        for teacher in self.model.model_ts:
            teacher.eval()
            teacher.heads.training = True  # it returns logits; its norm stays in evaluation mode


def trajectory_numbers(original):
    """Three optimizer steps: losses, what moved, features afterwards."""
    from fastreid.solver import build_optimizer

    original.reset(training=True)
    optimizer, _ = build_optimizer(original.cfg, original.model, contiguous=False)
    start = {k: v.clone() for k, v in original.model.state_dict().items()}
    parameters = {k: p for k, p in original.model.named_parameters() if p.requires_grad}
    rows = []
    for step in range(STEPS):
        losses = original.model(original.batch(original.basic(step)))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        rows.append({name: loss.item() for name, loss in losses.items()})
    moved = {k: (parameters[k] - start[k]).detach() for k in sorted(parameters)}
    followed = {k: v - start[k] for k, v in sorted(original.moving.items())}
    names = sorted(rows[0])
    original.model.eval()
    with torch.no_grad():
        features = original.model(original.batch(original.basic(99)))
    numbers = {f"traj.loss.{k}": torch.tensor([row[k] for row in rows]).numpy() for k in names}
    numbers["traj.delta"] = original.summaries(moved, sorted(moved))
    numbers["traj.eval.features"] = features[:SHOWN].numpy()
    words = {"traj.delta.names": sorted(moved)}
    if followed:
        numbers["traj.moving"] = original.summaries(followed, sorted(followed))
        words["traj.moving.names"] = sorted(followed)
    return numbers, words
