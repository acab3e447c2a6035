"""Time galleries: `python benchmarks/gallery.py [--rows 1000000] [--kinds folder faiss milvus]`.

Each kind of gallery runs in a process of its own: random vectors are added in parts, the gallery is
opened again, and single queries are searched, all of them and within one camera of ten. The table
has the time to add all rows, the median and the 99th percentile of a query, and the largest memory
of the process. Milvus Lite is made for galleries below a million rows; `--milvus-rows` is its size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from tabulate import tabulate

from benchmarks.results import Result, write_results
from fastreid.gallery import Description, Entry, Filter, Gallery, open_gallery

NAMES = {"folder": "{}/gallery", "faiss": "faiss:{}/gallery", "milvus": "{}/gallery.db"}
CAMERAS = 10


class Sizes(NamedTuple):
    """The size of a measurement: rows, their dimension, rows added at once, and queries."""

    rows: int
    dimension: int
    part: int
    queries: int


def measure(kind: str, sizes: Sizes) -> list[Any]:
    """Fill and search a gallery of one kind in a temporary folder; return a row of the table."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        name = NAMES[kind].format(folder)
        start = time.perf_counter()
        with open_gallery(name, create=Description(sizes.dimension)) as gallery:
            for first in range(0, sizes.rows, sizes.part):
                number = min(sizes.part, sizes.rows - first)
                rows = rng.standard_normal((number, sizes.dimension), np.float32)
                entries = [
                    Entry(str(row), pid=str(row // 20), camid=str(row % CAMERAS))
                    for row in range(first, first + number)
                ]
                gallery.add(rows, entries)
        added = time.perf_counter() - start
        queries = rng.standard_normal((sizes.queries, 1, sizes.dimension), np.float32)
        with open_gallery(name) as gallery:
            everywhere = latencies(gallery, queries, None)
            in_camera = latencies(gallery, queries, Filter(camids=frozenset({"3"})))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [kind, sizes.rows, added, *everywhere, *in_camera, peak]


def latencies(gallery: Gallery, queries: np.ndarray, only: Filter | None) -> tuple[float, float]:
    """Search single queries; return the median and 99th percentile in milliseconds."""
    gallery.search(queries[0], only=only)
    taken = []
    for query in queries:
        start = time.perf_counter()
        gallery.search(query, only=only)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken)), float(np.percentile(taken, 99))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each kind and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--milvus-rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--part", type=int, default=20_000, help="rows that are added at once")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    args = parser.parse_args(argv)
    context = multiprocessing.get_context("spawn")
    table = []
    for kind in args.kinds:
        rows = args.milvus_rows if kind == "milvus" else args.rows
        sizes = Sizes(rows, args.dimension, args.part, args.queries)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            table.append(pool.submit(measure, kind, sizes).result())
    headers = [
        "gallery",
        "rows",
        "add (s)",
        "p50 (ms)",
        "p99",
        "in camera p50",
        "p99",
        "peak (GiB)",
    ]
    print(tabulate(table, headers, floatfmt=".1f", tablefmt="github"))
    results = []
    for kind, _, added, query, _, in_camera, _, peak in table:
        results += [
            Result(f"{kind}, add", "s", added),
            Result(f"{kind}, query", "ms", query),
            Result(f"{kind}, query within a camera", "ms", in_camera),
            Result(f"{kind}, peak", "GiB", peak),
        ]
    write_results(args.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
