"""A PyTorch original, imported from a checkout and run on golden weights and batches."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch

from test.golden.golden_inputs import NUM_CLASSES, basic_batch, golden_direction, golden_weight

ACL_CONFIG = "bagtricks_DR50_mix.yml"
ITERATIONS_PER_EPOCH = 4


def import_original(path: Path) -> types.SimpleNamespace:
    """Import a checkout of 2021 or 2022 under today's torch, on a CPU."""
    six = types.ModuleType("torch._six")
    six.string_classes, six.container_abcs = (str, bytes), collections.abc
    six.int_classes, six.inf = int, float("inf")
    sys.modules["torch._six"] = six
    collections.Mapping = collections.abc.Mapping
    stream = types.SimpleNamespace(wait_stream=lambda *_: None)
    torch.cuda.Stream = torch.cuda.current_stream = lambda *_, **__: stream
    torch.cuda.stream = lambda _: contextlib.nullcontext()
    operators = define_missing_operators()
    sys.path.insert(0, str(path))
    from fastreid.config import get_cfg
    from fastreid.modeling.meta_arch import build_model
    from fastreid.utils.events import EventStorage

    names = {"get_cfg": get_cfg, "build_model": build_model, "EventStorage": EventStorage}
    return types.SimpleNamespace(root=path, operators=operators, **names)


def define_missing_operators():
    """Declare unused operators that another build of torchvision lacks; keep the result alive."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        return library
    return None


class Original:
    """The original's model in one precision, with golden weights on demand.

    Args:
        modules: of `import_original`.
        args: the command line.
        dtype: of weights and images.
    """

    def __init__(self, modules, args, dtype):
        # The originals cast masks to float; in float64 that must be float64.
        torch.set_default_dtype(dtype)
        torch.Tensor.float = lambda tensor: tensor.to(dtype)
        self.dtype, self.seed, self.size = dtype, args.seed, tuple(args.size)
        self.cfg = modules.get_cfg()
        config = ACL_CONFIG if args.kind == "dr50" else args.config
        self.cfg.merge_from_file(str(modules.root / "configs" / config))
        self.cfg.MODEL.BACKBONE.PRETRAIN, self.cfg.MODEL.DEVICE = False, "cpu"
        heads = self.cfg.MODEL.HEADS
        if args.kind == "dr50":
            heads.NUM_CLASSES1, heads.NUM_CLASSES2, heads.NUM_CLASSES3 = NUM_CLASSES
        else:
            heads.NUM_CLASSES = sum(NUM_CLASSES)
        self.cfg.INPUT.SIZE_TRAIN = self.cfg.INPUT.SIZE_TEST = list(self.size)
        self.cfg.merge_from_list(args.opts)
        self.model = modules.build_model(self.cfg).to(dtype)

    def reset(self, training):
        """Golden weights, no gradients, and a mode."""
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if name.endswith("num_batches_tracked"):
                    continue
                if not value.is_floating_point():
                    value.zero_()  # labels and the place of a MoCo's queue
                else:
                    value.copy_(torch.tensor(golden_weight(name, tuple(value.shape), self.seed)))
        for parameter in self.model.parameters():
            parameter.grad = None
        self.model.train(training)

    def batch(self, arrays):
        """The originals' columns; they change the images in place, so these are new ones."""
        images, targets, domains = map(torch.tensor, arrays)
        zeros = torch.zeros_like(targets)
        columns = {"targets": targets, "domainids": domains, "camids": zeros}
        return {"images": images.to(self.dtype), **columns}

    def basic(self, step=0):
        return basic_batch(step, self.size, self.seed)

    def summaries(self, tensors, names):
        rows = []
        for name in names:
            array = tensors[name].detach().numpy().astype(np.float64)
            direction = golden_direction(name, array.shape, self.seed)
            rows.append((np.linalg.norm(array), (array * direction).sum()))
        return np.array(rows)

    def gradients(self):
        return {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}


class Training:
    """The original's trainer over given batches; what it logs is kept in `rows`.

    Args:
        original: the model.
        basic: mixed batches.
        domains: for each domain its batches.
    """

    def __init__(self, original, basic, domains):
        from fastreid.engine.train_loop import SimpleTrainer
        from fastreid.solver import build_lr_scheduler, build_optimizer

        cfg = original.cfg.clone()
        # Its engine counts the warm-up in epochs.
        cfg.SOLVER.WARMUP_ITERS *= ITERATIONS_PER_EPOCH
        self.rows = []
        self.optimizer, wrapper = build_optimizer(cfg, original.model)
        self.meta_optimizer, meta_wrapper = build_optimizer(cfg, original.model, flag="meta")
        optimizers = (self.optimizer, self.meta_optimizer)
        for optimizer in optimizers:
            _keep_zero_gradients(optimizer)
        schedules = [build_lr_scheduler(cfg, each, ITERATIONS_PER_EPOCH) for each in optimizers]
        self.warmups = [schedule.get("warmup_sched") for schedule in schedules]
        self.trainer = SimpleTrainer(
            torch.nn.DataParallel(original.model),
            [original.batch(arrays) for arrays in basic],
            [[original.batch(arrays) for arrays in batches] for batches in domains],
            self.optimizer,
            wrapper,
            self.meta_optimizer,
            meta_wrapper,
            ITERATIONS_PER_EPOCH,
        )
        self.trainer._write_metrics = self._record
        self.trainer.iter = 1

    def _record(self, losses, _):
        self.rows.append({name: loss.detach().mean().item() for name, loss in losses.items()})

    def meta_step(self, held_out):
        drawn, np.random.choice = np.random.choice, lambda _: held_out
        self.trainer.run_step_meta_learning2(0)
        np.random.choice = drawn

    def warm_up(self):
        for warmup in filter(None, self.warmups):
            warmup.step()


def _keep_zero_gradients(optimizer):
    """As torch did before 2.0: a parameter without a gradient has one of zero, and decays."""
    zero_grad = optimizer.zero_grad
    optimizer.zero_grad = lambda: zero_grad(set_to_none=False)


def rate_of(optimizer):
    return optimizer.param_groups[0]["lr"]
