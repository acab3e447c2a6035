"""Rank, world size and collective operations for training in several processes.

The rank and the world size come from the environment variables of MindSpore's cluster, which
`launch` or ``msrun`` set. With one process nothing is communicated. Communication inside of
compiled training steps is not here but in ``fastreid/engine/steps``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import numpy as np

from .messages.errors import ExplainedError, message_of

# Environment variable with the number of processes of a job on one machine; `launch` sets it.
LOCAL_SIZE_VARIABLE = "FASTREID_LOCAL_SIZE"
# The longest wait for another process, for example while rank 0 ranks a test set. The end of a
# process is detected at once by its launcher and is not subject to this limit.
_WAIT_SECONDS = 3600
# Maximum length of an error message that is sent to the other processes.
_TEXT_BYTES = 2000

_has_joined = False


def get_world_size() -> int:
    """Return the number of processes that train together."""
    if os.environ.get("MS_ROLE") != "MS_WORKER":
        return 1
    return int(os.environ["MS_WORKER_NUM"])


def get_rank() -> int:
    """Return the index of this process among all, from 0."""
    return int(os.environ["RANK_ID"]) if get_world_size() > 1 else 0


def get_local_rank() -> int:
    """Return the index of this process on its machine, from 0; its device has the same index."""
    return int(os.environ["DEVICE_ID"]) if get_world_size() > 1 else 0


def get_local_size() -> int:
    """Return the number of processes on this machine that train together."""
    size = get_world_size()
    # Jobs that `launch` did not start are taken for jobs on one machine.
    return int(os.environ.get(LOCAL_SIZE_VARIABLE, size)) if size > 1 else 1


def is_main_process() -> bool:
    """Return True on rank 0, which writes results, checkpoints and plots."""
    return get_rank() == 0


def join() -> None:
    """Connect to the other processes, if there are any; call it after the device is set.

    Raises:
        RuntimeError: not all processes connect within MS_TOPO_TIMEOUT seconds.
    """
    global _has_joined
    if get_world_size() == 1 or _has_joined:
        return
    from mindspore import communication

    # MindSpore reads this limit when the first message is sent.
    os.environ.setdefault("MS_NODE_TIMEOUT", str(_WAIT_SECONDS))
    try:
        communication.init()
    except RuntimeError as error:
        address = f"{os.environ.get('MS_SCHED_HOST')}:{os.environ.get('MS_SCHED_PORT')}"
        raise RuntimeError(
            f"Rank {get_rank()} of {get_world_size()} could not join the others at {address} "
            f"(MS_TOPO_TIMEOUT is {os.environ.get('MS_TOPO_TIMEOUT', 'not set')}): {error}"
        ) from error
    _has_joined = True


def synchronize() -> None:
    """Wait until all processes have called this function."""
    if get_world_size() > 1:
        all_gather(np.zeros(1, np.float32))


class OtherRankError(ExplainedError, RuntimeError):
    """Another process of the job failed; the message is that of its error."""


def local_rank_zero_first() -> AbstractContextManager[None]:
    """Run a block in local rank 0 of every machine before the other processes run it.

    Use it for files that the first process of a machine creates and the others read. When the block
    fails in a local rank 0, the other processes raise an error instead of waiting.

    Returns:
        A context manager.

    Raises:
        OtherRankError: the block failed in a local rank 0; raised by the context manager.
    """
    return _LocalRankZeroFirst()


class _LocalRankZeroFirst(AbstractContextManager):
    def __enter__(self) -> None:
        if get_local_rank() > 0:
            _raise_failures(_exchange(""))

    def __exit__(
        self, kind: type | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if get_local_rank() > 0:
            return
        if error is None:
            _raise_failures(_exchange(""))
        # Other exceptions end the program, and the launcher then ends the other processes.
        elif isinstance(error, Exception):
            _exchange(message_of(error))


def _exchange(text: str) -> list[str]:
    """Gather one text from each process, in the order of the ranks; long texts are truncated.

    File names that are not valid UTF-8 arrive unchanged.
    """
    if get_world_size() == 1:
        return [text]
    codes = np.zeros(_TEXT_BYTES, np.int32)
    found = np.frombuffer(text.encode("utf-8", "surrogateescape")[:_TEXT_BYTES], np.uint8)
    codes[: len(found)] = found
    rows = all_gather(codes).astype(np.uint8)
    return [row.tobytes().rstrip(b"\0").decode("utf-8", "surrogateescape") for row in rows]


def _raise_failures(texts: list[str]) -> None:
    for rank, text in enumerate(texts):
        if text:
            raise OtherRankError(f"Rank {rank} failed: {text}")


def all_gather(array: np.ndarray) -> np.ndarray:
    """Gather the arrays of all processes in every process.

    Args:
        array: float32 or int32, of the same shape in every process.

    Returns:
        (W, *shape), in the order of the ranks.
    """
    if get_world_size() == 1:
        return array[None]
    from mindspore import Tensor, ops

    _check_joined()
    return ops.AllGather()(Tensor(np.ascontiguousarray(array)[None])).asnumpy()


def broadcast(array: np.ndarray) -> np.ndarray:
    """Send the array of rank 0 to every process.

    Args:
        array: float32 or int32, of the same shape in every process.

    Returns:
        The array of rank 0.
    """
    if get_world_size() == 1:
        return array
    from mindspore import Tensor, ops

    _check_joined()
    return ops.Broadcast(0)((Tensor(np.ascontiguousarray(array)),))[0].asnumpy()


def broadcast_object(value: Any) -> Any:
    """Send a value of rank 0 to every process.

    Args:
        value: a JSON value; only that of rank 0 is used.

    Returns:
        The value of rank 0; dicts keep their order.
    """
    if get_world_size() == 1:
        return value
    text = json.dumps(value).encode() if is_main_process() else b""
    length = int(broadcast(np.array([len(text)], np.int32))[0])
    codes = np.zeros(length, np.int32)
    codes[: len(text)] = np.frombuffer(text, np.uint8)
    return json.loads(broadcast(codes).astype(np.uint8).tobytes())


def require_same(value: Any, problem: str) -> None:
    """Check that all processes have the value of rank 0; every process must call this.

    Args:
        value: a JSON value.
        problem: end of the error message: what a difference means and how to fix it.

    Raises:
        ValueError: the value differs from that of rank 0; raised in the process that differs.
    """
    wanted = broadcast_object(value)
    if json.dumps(value) != json.dumps(wanted):
        raise ValueError(f"Rank {get_rank()} has {value}, rank 0 has {wanted}: {problem}")


def reduce_dict(input_dict: Mapping[str, Any], average: bool = True) -> dict[str, np.float32]:
    """Add up numbers of all processes, such as losses.

    Args:
        input_dict: name -> number, or a tensor of one number; the same names in all processes.
        average: whether to divide the sums by the number of processes.

    Returns:
        Name -> mean or sum over the processes, the same in all of them.
    """
    names = sorted(input_dict)
    values = np.array([float(input_dict[name]) for name in names], np.float32)
    everyone = all_gather(values)
    reduced = everyone.mean(axis=0) if average else everyone.sum(axis=0)
    by_name = dict(zip(names, reduced))
    return {name: by_name[name] for name in input_dict}


def shared_random_seed() -> int:
    """Draw a seed in [0, 2**31) that is the same in all processes, from NumPy's generator."""
    return int(broadcast_object(int(np.random.randint(2**31 - 1))))


def _check_joined() -> None:
    if not _has_joined:
        raise RuntimeError(
            "This process is not connected to the others yet: call default_setup(cfg, args) first."
        )
