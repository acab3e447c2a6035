"""Make a golden file from a checkout of a PyTorch original, given by its path.

    python test/alignment/make_golden.py --original ACL-DGReID --kind dr50 --seed 3 --size 96 48 \\
        --out dr50_seed3.npz MODEL.LOSSES.TRI.MARGIN 0.0
    python test/alignment/make_golden.py --original fast-reid --kind fastreid \\
        --config Market1501/bagtricks_R50.yml --seed 2 --out r50_seed2.npz
    python test/alignment/make_golden.py --original fast-reid --kind distill --size 96 48 \\
        --teacher "MODEL.BACKBONE.WITH_IBN True" --out distill.npz \\
        MODEL.META_ARCHITECTURE Distiller KD.EMA.ENABLED True
    python test/alignment/check_golden.py --golden dr50_seed3.npz

Everything runs twice, in float64 and in float32. `--shaken N` runs float32 N times more, on images
off by one unit in the last place, and prints how far gradients stray then. What it needs besides
torch 2.13 is what the originals import: pip install torchvision scikit-learn faiss-cpu tensorboard.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

# The checkout, whose package has the name of ours, goes before it later.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test.alignment import original_distiller
from test.alignment.original import ACL_CONFIG, Original, Training, import_original, rate_of
from test.alignment.original_steps import steps_numbers
from test.golden.golden_inputs import domain_batch

DTYPES = {"f64": torch.float64, "f32": torch.float32}
META_TEST_DOMAIN = 1
# Half a unit in the last place of a float32, up or down.
SHAKE = 6e-8


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


def fastreid_numbers(original, steps=0):
    """What a file of kind "fastreid" holds."""
    original.reset(training=False)
    with torch.no_grad():
        features = original.model(original.batch(original.basic()))
    numbers, names = basic_numbers(original, original.model)
    if steps:
        more, texts = steps_numbers(original, steps)
        numbers, names = {**numbers, **more}, {**names, **texts}
    return {"eval.features": features.numpy(), **numbers}, names


def distill_numbers(original):
    """What a file of kind "distill" holds."""
    numbers, names = fastreid_numbers(original)
    more_numbers, more_names = original_distiller.trajectory_numbers(original)
    return {**numbers, **more_numbers}, {**names, **more_names}


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


NUMBERS = {"dr50": dr50_numbers, "fastreid": fastreid_numbers, "distill": distill_numbers}


def main() -> int:
    """Write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True, help="the checkout")
    parser.add_argument("--kind", choices=NUMBERS, required=True)
    parser.add_argument("--config", default="Market1501/bagtricks_R50.yml", help="of fastreid")
    parser.add_argument(
        "--teacher",
        dest="teachers",
        action="append",
        default=[],
        metavar="'KEY VALUE ...'",
        help="of distill: overrides of the config for a teacher; once for each",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 64), metavar=("H", "W"))
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="of fastreid")
    parser.add_argument("--shaken", type=int, default=0, metavar="N")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (.npz)")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE overrides")
    args = parser.parse_args()
    if not (args.original / "fastreid").is_dir():
        parser.error(f"--original {args.original} has no folder fastreid")
    out, root = args.out.resolve(), args.original.resolve()
    modules = import_original(root)
    # fast-reid reads some tables of its networks by paths relative to its root.
    os.chdir(root)
    content = {
        "meta/kind": np.array(args.kind),
        "meta/config": np.array(ACL_CONFIG if args.kind == "dr50" else args.config),
        "meta/seed": np.int64(args.seed),
        "meta/size": np.array(args.size),
        "meta/opts": np.array(args.opts, dtype=str),
        "meta/teachers": np.array(args.teachers, dtype=str),
    }
    with modules.EventStorage(0), tempfile.TemporaryDirectory() as folder:
        for tag, dtype in DTYPES.items():
            if args.kind == "distill":
                original = original_distiller.OriginalDistiller(modules, args, dtype, Path(folder))
            else:
                original = Original(modules, args, dtype)
            numbers_of = NUMBERS[args.kind]
            if args.steps:
                numbers_of = partial(fastreid_numbers, steps=args.steps)
            numbers, names = numbers_of(original)
            content.update({f"{tag}/{name}": value for name, value in numbers.items()})
            content.update({name: np.array(texts) for name, texts in names.items()})
        if args.shaken:
            truth, names = content["f64/basic.grad"], list(content["basic.grad.names"])
            print_shaken(original, truth, names, args.shaken)
    np.savez_compressed(out, **content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
