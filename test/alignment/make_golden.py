"""Make a golden file from a checkout of a PyTorch original, given by its path.

    python test/alignment/make_golden.py --original ACL-DGReID --kind dr50 --seed 3 --size 96 48 \\
        --out dr50_seed3.npz MODEL.LOSSES.TRI.MARGIN 0.0
    python test/alignment/make_golden.py --original fast-reid --kind fastreid \\
        --config Market1501/bagtricks_R50.yml --seed 2 --out r50_seed2.npz
    python test/alignment/check_golden.py --golden dr50_seed3.npz

Everything runs twice, in float64 and in float32. `--shaken N` runs float32 N times more, on images
off by one unit in the last place, and prints how far gradients stray then. What it needs besides
torch 2.13 is what the originals import: pip install torchvision scikit-learn faiss-cpu tensorboard.
"""

from __future__ import annotations

import argparse
import collections
import collections.abc
import contextlib
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "test" / "golden"))

from golden_inputs import (
    NUM_CLASSES,
    basic_batch,
    domain_batch,
    golden_direction,
    golden_weight,
)

DTYPES = {"f64": torch.float64, "f32": torch.float32}
ACL_CONFIG = "bagtricks_DR50_mix.yml"
META_TEST_DOMAIN = 1
ITERATIONS_PER_EPOCH = 4
# Half a unit in the last place of a float32, up or down.
SHAKE = 6e-8


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
    """Declare what a torchvision of another build lacks and nobody calls; keep the result alive."""
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
                if not name.endswith("num_batches_tracked"):
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


def basic_numbers(original, losses_of):
    """Losses, gradients and running statistics of one batch, and the names that go with them."""
    original.reset(training=True)
    losses = losses_of(original.batch(original.basic()))
    sum(losses.values()).backward()
    numbers = {f"basic.loss.{name}": loss.detach().numpy() for name, loss in losses.items()}
    numbers["basic.total"] = sum(losses.values()).detach().numpy()
    gradients = original.gradients()
    state = original.model.state_dict()
    buffers = {k: v for k, v in state.items() if k.endswith(("running_mean", "running_var"))}
    names = {"basic.grad.names": sorted(gradients), "basic.buffers.names": sorted(buffers)}
    parameters = {name for name, _ in original.model.named_parameters()}
    names["basic.nograd"] = sorted(parameters - gradients.keys())
    numbers["basic.grad"] = original.summaries(gradients, names["basic.grad.names"])
    numbers["basic.buffers"] = original.summaries(buffers, names["basic.buffers.names"])
    return numbers, names


def fastreid_numbers(original):
    """What a file of kind "fastreid" holds."""
    original.reset(training=False)
    with torch.no_grad():
        features = original.model(original.batch(original.basic()))
    numbers, names = basic_numbers(original, original.model)
    return {"eval.features": features.numpy(), **numbers}, names


def acl_losses(original):
    """The losses of a basic step."""
    options = {"type": "basic", "type_running_stats": "general", "meta": False}
    return lambda batch: original.model(batch, 0, options)


def dr50_numbers(original):
    """What a file of kind "dr50" holds."""
    original.reset(training=False)
    seen = {}
    hook = original.model.backbone.register_forward_hook(
        lambda _, __, outputs: seen.update(maps=outputs[0], paths=outputs[1])
    )
    with torch.no_grad():
        features = original.model(original.batch(original.basic()), 0)
    hook.remove()
    numbers = {
        "eval.features": features.numpy(),
        "eval.router_weights": seen["paths"].numpy(),
        "eval.backbone_mean": seen["maps"].mean((2, 3)).numpy(),
    }
    names = {}
    for part in (
        basic_numbers(original, acl_losses(original)),
        meta_numbers(original),
        trajectory_numbers(original),
    ):
        numbers.update(part[0])
        names.update(part[1])
    return numbers, names


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


def meta_numbers(original):
    """Losses and summed gradient of one meta step."""
    original.reset(training=True)
    size, seed = original.size, original.seed
    training = Training(original, [], [[domain_batch(d, 0, size, seed)] for d in range(3)])
    captured = {}
    training.meta_optimizer.step = lambda: captured.update(original.gradients())
    training.meta_step(META_TEST_DOMAIN)
    names = sorted(name for name, gradient in captured.items() if gradient.any())
    numbers = {f"meta.{name}": np.float64(loss) for name, loss in training.rows[0].items()}
    numbers["meta.total_loss"] = np.float64(sum(training.rows[0].values()))
    numbers["meta.lr"] = np.float64(rate_of(training.meta_optimizer))
    numbers["meta.grad"] = original.summaries(captured, names)
    return numbers, {"meta.grad.names": names}


def trajectory_numbers(original):
    """Five iterations: sixteen steps, two of them meta steps, no step at the end of the epoch."""
    original.reset(training=True)
    size, seed = original.size, original.seed
    parameters = dict(original.model.named_parameters())
    start = {name: value.detach().clone() for name, value in parameters.items()}
    domains = [[domain_batch(d, k, size, seed) for k in range(2)] for d in range(3)]
    training = Training(original, [original.basic(i) for i in range(14)], domains)
    kinds, rates, held_out = [], [], iter((1, 2))
    for iteration in range(5):
        training.trainer.iter = iteration
        for _ in range(10 if iteration == 0 else 1):
            rates.append(rate_of(training.optimizer))
            kinds.append(0.0)
            training.trainer.run_step_meta_learning1(0)
        if iteration % 3 == 0:
            rates.append(rate_of(training.meta_optimizer))
            kinds.append(1.0)
            training.meta_step(next(held_out))
        training.warm_up()
    losses, moved = sorted({name for row in training.rows for name in row}), sorted(parameters)
    original.model.eval()
    with torch.no_grad():
        features = original.model(original.batch(original.basic(99)), 0)
    numbers = {
        "traj.losses": np.array([[row.get(k, np.nan) for k in losses] for row in training.rows]),
        "traj.kind": np.array(kinds),
        "traj.lr": np.array(rates),
        "traj.delta": original.summaries({k: parameters[k] - start[k] for k in moved}, moved),
        "traj.eval.features": features.numpy(),
    }
    return numbers, {"traj.loss_names": losses, "traj.delta.names": moved}


def print_shaken(original, truth, names, count):
    """Print how far the gradients of slightly other images are from `truth`."""
    losses_of = acl_losses(original) if hasattr(original.cfg.MODEL.HEADS, "NUM_CLASSES1") else None
    images, *labels = original.basic()
    random = np.random.RandomState(0)
    kept = truth[:, 0] > 1e-6 * truth[:, 0].max()
    for _ in range(count):
        original.reset(training=True)
        shaken = (images * (1 + SHAKE * random.choice([-1, 1], images.shape))).astype(np.float32)
        batch = original.batch((shaken, *labels))
        sum((losses_of or original.model)(batch).values()).backward()
        rows = original.summaries(original.gradients(), names)
        errors = (np.abs(rows - truth).max(1) / truth[:, 0])[kept]
        worst = [name for name, keep in zip(names, kept) if keep][int(errors.argmax())]
        print(f"median {np.median(errors):.2e}  worst {errors.max():.2e}  {worst}")


def main() -> int:
    """Write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True, help="the checkout")
    parser.add_argument("--kind", choices=("dr50", "fastreid"), required=True)
    parser.add_argument("--config", default="Market1501/bagtricks_R50.yml", help="of fastreid")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 64), metavar=("H", "W"))
    parser.add_argument("--shaken", type=int, default=0, metavar="N")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (.npz)")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE overrides")
    args = parser.parse_args()
    if not (args.original / "fastreid").is_dir():
        parser.error(f"--original {args.original} has no folder fastreid")
    modules = import_original(args.original.resolve())
    numbers_of = {"dr50": dr50_numbers, "fastreid": fastreid_numbers}[args.kind]
    content = {
        "meta/kind": np.array(args.kind),
        "meta/config": np.array(ACL_CONFIG if args.kind == "dr50" else args.config),
        "meta/seed": np.int64(args.seed),
        "meta/size": np.array(args.size),
        "meta/opts": np.array(args.opts, dtype=str),
    }
    with modules.EventStorage(0):
        for tag, dtype in DTYPES.items():
            original = Original(modules, args, dtype)
            numbers, names = numbers_of(original)
            content.update({f"{tag}/{name}": value for name, value in numbers.items()})
            content.update({name: np.array(texts) for name, texts in names.items()})
        if args.shaken:
            truth, names = content["f64/basic.grad"], list(content["basic.grad.names"])
            print_shaken(original, truth, names, args.shaken)
    np.savez_compressed(args.out, **content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
