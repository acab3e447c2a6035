"""Distribute parts over the machines of a Ray cluster.

Ray Data streams the parts through two stages: tasks read and resize the images, actors compute and
write the features. Ray repeats the tasks of processes and machines that are lost.
"""

from __future__ import annotations

import _thread
import contextlib
import logging
import os
import pickle
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fastreid

from .model import ExtractionModel
from .output_folder import OutputFolder
from .part import ExtractionError, Part, PartResult, PartWorker
from .ray_cleaner import watching

# Two tasks that read images for each free processor: they wait for disks and networks.
_READER_CPUS = 0.5
_COLUMN = "part"
_HOST_AND_PORT = re.compile(r"(?:ray://)?(?P<host>[^/]+):(?P<port>[0-9]+)")
_SECONDS_TO_CONNECT = 10.0


def run_on_ray(
    parts: Sequence[Part],
    model: ExtractionModel,
    output: OutputFolder,
    *,
    num_workers: int | None = None,
    address: str = "",
) -> Iterator[PartResult]:
    """Compute parts on a Ray cluster.

    Args:
        parts: the parts.
        model: the network, which is sent to the actors.
        output: the folder for the parts, which all machines can write.
        num_workers: number of actors; None: one a GPU, or without GPUs one a processor, less one.
        address: address of the cluster; "": RAY_ADDRESS, or else a Ray on this machine for the time
            of this call.

    Yields:
        The result of each part, in any order.

    Raises:
        ImportError: Ray is not installed.
        ExtractionError: the cluster cannot be reached or has too few processors.
    """
    import_ray()
    import ray

    with _connected(address or os.environ.get("RAY_ADDRESS", ""), num_workers):
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
        actors = min(num_workers or gpus or max(1, cpus - 1), len(parts))
        if actors > gpus and actors >= cpus:
            raise ExtractionError(
                f"{actors} workers need {actors + 1} processors, one of them to read images; Ray "
                f"has {cpus}. Give a smaller --num-gpus."
            )
        yield from _stream(parts, PartWorker(model, output), actors, with_gpu=actors <= gpus)


def _stream(
    parts: Sequence[Part], worker: PartWorker, actors: int, *, with_gpu: bool
) -> Iterator[PartResult]:
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = [{_COLUMN: pickle.dumps(part)} for part in parts]
    kept = ray.put(worker)
    results = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .map(partial(_prepare, worker=kept), num_cpus=_READER_CPUS)
        .map(
            _Finisher,
            fn_constructor_args=(kept,),
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=1,
            num_gpus=1 if with_gpu else 0,
        )
    )
    for row in results.iter_rows():
        yield pickle.loads(row[_COLUMN])


def _prepare(row: dict[str, Any], worker: Any) -> dict[str, Any]:
    import ray

    part = pickle.loads(row[_COLUMN])
    return {_COLUMN: pickle.dumps(ray.get(worker).prepare(part), protocol=5)}


class _Finisher:
    """An actor that has the model."""

    def __init__(self, worker: Any) -> None:
        import ray

        self._worker = ray.get(worker)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {_COLUMN: pickle.dumps(self._worker.finish(pickle.loads(row[_COLUMN])))}


def import_ray() -> None:
    """Import Ray with its messages off; errors that it logs are raised too.

    Raises:
        ImportError: Ray is not installed; the message has the command that installs it.
    """
    # Ray reports statistics of usage to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError as error:
        raise ImportError('--engine ray needs Ray: pip install "ray[data]"') from error
    for handler in logging.getLogger(ray.data.__name__).handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)


@contextmanager
def _connected(address: str, num_workers: int | None) -> Iterator[None]:
    """Connect to a cluster, or start Ray on this machine and end it afterwards."""
    import ray

    with contextlib.ExitStack() as stack:
        stack.enter_context(_interruptible())
        if address:
            _require_reachable(address)
            given: dict[str, Any] = {"address": address}
        else:
            # Short, because the paths of sockets may have 107 bytes.
            folder = str(Path(tempfile.mkdtemp(prefix="ray-")).resolve())
            stack.enter_context(watching(folder))
            given = _local_options(folder, num_workers)
        try:
            try:
                ray.init(
                    **given,
                    runtime_env=_runtime_env(is_local=not address),
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise ExtractionError(f"Ray cannot be started or reached: {error}") from error
            yield
        finally:
            ray.shutdown()


def _local_options(folder: str, num_workers: int | None) -> dict[str, Any]:
    """Return arguments of ``ray.init`` for a Ray on this machine, with its files in a folder."""
    return {
        "address": "local",
        "num_cpus": max(len(os.sched_getaffinity(0)), (num_workers or 0) + 1),
        "include_dashboard": False,
        "_temp_dir": folder,
    }


def _runtime_env(*, is_local: bool) -> dict[str, Any]:
    """Return what the processes of Ray need to import this package."""
    package = Path(fastreid.__file__).parent
    # MindSpore needs protobuf in Python, and Ray imports protobuf first.
    variables = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    if not is_local:
        return {"env_vars": variables, "py_modules": [str(package)]}
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {**variables, "PYTHONPATH": os.pathsep.join(paths)}}


def _require_reachable(address: str) -> None:
    """Check that something answers at an address; Ray itself would wait for many minutes."""
    match = _HOST_AND_PORT.fullmatch(address)
    if not match:
        return
    try:
        socket.create_connection((match["host"], int(match["port"])), _SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise ExtractionError(
            f"No Ray cluster answers at {address} (--ray-address or RAY_ADDRESS): {error}"
        ) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, without a limit for the time that Ray needs to end."""

    def interrupt(*_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        _thread.interrupt_main()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
