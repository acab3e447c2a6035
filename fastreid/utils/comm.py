"""Which of how many processes this one is, and what they tell each other outside of compiled steps.

A process that trains alone never communicates. The others are told who they are by the environment
variables of MindSpore's cluster, which `launch` or ``msrun`` set.
"""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import numpy as np

from .messages.errors import ExplainedError, message_of

# A process may wait so long for another one, e.g. for the first one's ranking of a test set. A
# process that ends is noticed at once, by who started it.
_PATIENCE_SECONDS = 3600
# Of a message about an error.
_TEXT_BYTES = 2000

_has_joined = False


def get_world_size() -> int:
    """Number of processes that train together."""
    if os.environ.get("MS_ROLE") != "MS_WORKER":
        return 1
    return int(os.environ["MS_WORKER_NUM"])


def get_rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ["RANK_ID"]) if get_world_size() > 1 else 0


def get_local_rank() -> int:
    """Number of this process on its machine, from 0: that of its device."""
    return int(os.environ["DEVICE_ID"]) if get_world_size() > 1 else 0


def is_main_process() -> bool:
    """Tell whether this process writes results, checkpoints and pictures."""
    return get_rank() == 0


def join() -> None:
    """Join the processes that train together, if there are others; comes after the device is set.

    Raises:
        RuntimeError: if they do not all meet within MS_TOPO_TIMEOUT seconds.
    """
    global _has_joined
    if get_world_size() == 1 or _has_joined:
        return
    from mindspore import communication

    # Read when the first message is sent: how long one waits for another.
    os.environ.setdefault("MS_NODE_TIMEOUT", str(_PATIENCE_SECONDS))
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
    """Wait until all processes are here."""
    if get_world_size() > 1:
        all_gather(np.zeros(1, np.float32))


class OtherRankError(ExplainedError, RuntimeError):
    """Another process of the job failed; the message is its error."""


def first_of_machine() -> AbstractContextManager[None]:
    """Let the first process of every machine run a block before the others run it.

    For files that whoever comes first makes, and all others find. Where the block fails in one of
    the first processes, no other one waits for it.

    Returns:
        A context manager.

    Raises:
        OtherRankError: from the context manager, where a first process failed.
    """
    return _FirstOfMachine()


class _FirstOfMachine(AbstractContextManager):
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
        # What ends the program ends the others too, by who started them.
        elif isinstance(error, Exception):
            _exchange(message_of(error))


def _exchange(text: str) -> list[str]:
    """Give the texts of all processes, in the order of the ranks; long ones are cut off.

    File names that are not UTF-8 are passed on as they are.
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
    """Give every process the arrays of all.

    Args:
        array: float32 or int32, of the same shape everywhere.

    Returns:
        (W, *shape), in the order of the ranks.
    """
    if get_world_size() == 1:
        return array[None]
    from mindspore import Tensor, ops

    _check_joined()
    return ops.AllGather()(Tensor(np.ascontiguousarray(array)[None])).asnumpy()


def broadcast(array: np.ndarray) -> np.ndarray:
    """Give every process the array of rank 0.

    Args:
        array: float32 or int32, of the same shape everywhere.

    Returns:
        The array of rank 0.
    """
    if get_world_size() == 1:
        return array
    from mindspore import Tensor, ops

    _check_joined()
    return ops.Broadcast(0)((Tensor(np.ascontiguousarray(array)),))[0].asnumpy()


def broadcast_object(value: Any) -> Any:
    """Give every process a value of rank 0.

    Args:
        value: of what JSON knows; looked at on rank 0 only.

    Returns:
        The value of rank 0; the order of dicts is kept.
    """
    if get_world_size() == 1:
        return value
    text = json.dumps(value).encode() if is_main_process() else b""
    length = int(broadcast(np.array([len(text)], np.int32))[0])
    codes = np.zeros(length, np.int32)
    codes[: len(text)] = np.frombuffer(text, np.uint8)
    return json.loads(broadcast(codes).astype(np.uint8).tobytes())


def require_same(value: Any, problem: str) -> None:
    """Refuse to go on where a process differs from rank 0.

    Args:
        value: of what JSON knows; all processes must call this.
        problem: what is wrong where it differs, and the way out.

    Raises:
        ValueError: on the process that differs.
    """
    wanted = broadcast_object(value)
    if json.dumps(value) != json.dumps(wanted):
        raise ValueError(f"Rank {get_rank()} has {value}, rank 0 has {wanted}: {problem}")


def _check_joined() -> None:
    if not _has_joined:
        raise RuntimeError(
            "This process has not joined the others yet: call default_setup(cfg, args) first."
        )
