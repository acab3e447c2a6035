"""Measure time and memory of the evaluation on random features: `python benchmarks/evaluation.py`.

Sizes are those of Market-1501 and MSMT17. Each task runs in a separate process. With
--fastreid PATH, the same task of a checkout of fast-reid runs right after it on the same features,
so that the ratios compare equal conditions; with --before PATH, so does that of another checkout of
this toolbox. --device computes products, ranks and neighbours on MindSpore's device. Memory is the
peak of the process minus its memory after the features were created. fast-reid needs torch,
faiss-cpu and its Cython ranker:

    (cd PATH/fastreid/evaluation/rank_cylib && python setup.py build_ext --inplace)
    python benchmarks/evaluation.py --size market --fastreid PATH
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.results import Result, table, write_results

TASKS = ("ranking", "reranking", "aqe")
_FIGURES = (
    ("seconds", "s", "time"),
    ("cpu_seconds", "s", "processor time"),
    ("peak_gb", "GiB", "peak"),
)
WORKERS = {"ours": "ours", "before": "the code before", "fastreid": "fast-reid"}


class Size(NamedTuple):
    """A test set: queries, gallery images, identities, cameras."""

    queries: int
    gallery: int
    identities: int
    cameras: int


SIZES = {
    "tiny": Size(300, 2000, 60, 6),
    "market": Size(3368, 19732, 751, 6),
    "msmt17": Size(11659, 82161, 3060, 15),
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="market")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--dimension", type=int, default=2048, help="of the features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--fastreid", type=Path, metavar="PATH", help="a checkout of fast-reid")
    parser.add_argument("--before", type=Path, metavar="PATH", help="another checkout of ours")
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--worker", choices=list(WORKERS), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def make_features(args: argparse.Namespace) -> tuple[np.ndarray, list[np.ndarray]]:
    """Make features (N, D), queries first, around one centre per identity; and their labels."""
    size, rng = SIZES[args.size], np.random.default_rng(args.seed)
    pids = rng.integers(0, size.identities, size.queries + size.gallery)
    camids = rng.integers(0, size.cameras, len(pids))
    centres = rng.standard_normal((size.identities, args.dimension), dtype=np.float32)
    features = np.empty((len(pids), args.dimension), np.float32)
    for start in range(0, len(pids), 4096):
        rows = features[start : start + 4096]
        rng.standard_normal(dtype=np.float32, out=rows)
        # Enough noise for scores between 0 and 1.
        rows *= 4
        rows += centres[pids[start : start + 4096]]
    cut = size.queries
    return features, [pids[:cut], pids[cut:], camids[:cut], camids[cut:]]


def our_task(
    name: str, features: np.ndarray, labels: list[np.ndarray], device: str
) -> Callable[[], dict[str, Any]]:
    """Return the function of this toolbox to measure, with products on a device."""
    from fastreid.evaluation import JaccardRows, RerankedRows, evaluate_rank
    from fastreid.evaluation.query_expansion import expand_features
    from fastreid.utils.compute_dist import DistanceRows, blas_product, normalize_features

    cut = len(labels[0])
    make_product: Any = blas_product
    if device != "cpu":
        import mindspore as ms

        from fastreid.evaluation.device import choose_product

        ms.set_context(
            mode=ms.PYNATIVE_MODE, device_target={"gpu": "GPU", "ascend": "Ascend"}[device]
        )
        make_product = choose_product()
    if name != "aqe":
        # The evaluator normalizes features batch by batch, except for query expansion.
        normalize_features(features, out=features)

    def distances() -> DistanceRows:
        options: dict[str, Any] = {"metric": "cosine", "are_unit": True}
        options["make_product"] = make_product
        return DistanceRows(features[:cut], features[cut:], **options)

    def ranking() -> dict[str, Any]:
        result = evaluate_rank(distances(), *labels)
        return {"mAP": result.mean_ap, "Rank-1": float(result.cmc[0])}

    def reranking() -> dict[str, Any]:
        mixed = RerankedRows(distances(), JaccardRows(features, cut, make_product=make_product))
        result = evaluate_rank(mixed, *labels)
        return {"mAP": result.mean_ap, "Rank-1": float(result.cmc[0])}

    def expansion() -> dict[str, Any]:
        options: dict[str, Any] = {"qe_times": 1, "qe_k": 5, "alpha": 3.0}
        options["make_product"] = make_product
        expanded = expand_features(features, **options)
        return {"mean length": float(np.linalg.norm(expanded, axis=1).mean())}

    return {"ranking": ranking, "reranking": reranking, "aqe": expansion}[name]


def memory_gb() -> float:
    """Return the resident memory of this process in GB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**30


def work(args: argparse.Namespace) -> None:
    """Run one task in this process and print the measurements as JSON."""
    features, labels = make_features(args)
    name = args.tasks[0]
    if args.worker == "before":
        sys.path.insert(0, str(args.before))
    if args.worker != "fastreid":
        task = our_task(name, features, labels, args.device)
    else:
        from benchmarks.fastreid_evaluation import fastreid_task

        task = fastreid_task(name, features, labels, args.fastreid)
    before, seconds, worked, scores = memory_gb(), [], [], {}
    for _ in range(args.repeats):
        start, begun = time.perf_counter(), time.process_time()
        scores = task()
        seconds.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    measured = {"seconds": min(seconds), "cpu_seconds": min(worked)}
    measured.update(extra_gb=peak - before, peak_gb=peak)
    print(json.dumps({**measured, "scores": scores}))


def measure(args: argparse.Namespace, worker: str, task: str) -> dict[str, Any] | None:
    """Run one task in a separate process; return None if it fails, for example out of memory."""
    command = [sys.executable, __file__, "--worker", worker, "--tasks", task, "--size", args.size]
    command += ["--dimension", str(args.dimension), "--seed", str(args.seed)]
    command += ["--repeats", str(args.repeats), "--device", args.device]
    for option, path in (("--fastreid", args.fastreid), ("--before", args.before)):
        if path:
            command += [option, str(path.resolve())]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{task}, {worker}: failed with exit status {done.returncode}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def report(task: str, worker: str, found: dict[str, Any]) -> str:
    """Describe the measurement of one program."""
    scores = ", ".join(f"{name} {value:.6f}" for name, value in found["scores"].items())
    return (
        f"{task}, {worker}: {found['seconds']:.2f} s, {found['cpu_seconds']:.2f} s of CPU, "
        f"{found['extra_gb']:.2f} GB above the features (peak {found['peak_gb']:.2f} GB); {scores}"
    )


def figures(title: str, found: dict[str, dict[str, Any]]) -> list[Result]:
    """Return time and peak of ours, beside each other program."""
    results = []
    others = {WORKERS[worker]: one for worker, one in found.items() if worker != "ours"}
    for key, unit, what in _FIGURES:
        ours = found["ours"][key]
        if not others:
            results.append(Result(f"{title}, {what}", unit, ours))
        for program, other in others.items():
            name = f"{title}, {what}, beside {program}"
            results.append(Result(name, unit, ours, other[key], program))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every task and print times, memory and ratios."""
    args = parse_args(argv)
    if args.worker:
        work(args)
        return 0
    size, results = SIZES[args.size], []
    workers = ["ours", *["before"] * bool(args.before), *["fastreid"] * bool(args.fastreid)]
    print(f"{args.size}: {size.queries} x {size.gallery} x {args.dimension}, seed {args.seed}")
    for task in args.tasks:
        found = {}
        for worker in workers:
            measured = measure(args, worker, task)
            if measured is not None:
                found[worker] = measured
                print(report(task, WORKERS[worker], measured), flush=True)
        if "ours" in found:
            results += figures(f"{task}, {args.size}", found)
    print(table(results))
    write_results(args.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
