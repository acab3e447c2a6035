"""The threads of MindSpore's kernels on a CPU, and the cores that they run on.

MindSpore starts a thread for each core of the machine, whatever the process may use of them. Where
an affinity or a quota leaves it fewer, or several ranks share the machine, it gets as many threads
as it has cores.

Beside busy programs, the threads of a kernel wait long for each other, unless they are on cores of
their own (`fastreid.utils.machine.kernel_threads`). So there kernels run on a part of the cores,
with short time slices; ranks on one machine divide its cores. This changes no digit of the results:
a kernel is split in the same way.

With several dispatching threads (DISPATCH_THREADS), each kernel runs on one core. This is slower,
and the last digits of a resumed run can then differ from those of an uninterrupted one.
"""

from __future__ import annotations

import enum
import logging
import os
from typing import NamedTuple

import mindspore as ms
from mindspore import Tensor, ops

from fastreid.config import CfgNode
from fastreid.utils import comm
from fastreid.utils.machine import (
    Busy,
    cores_beside_others,
    cores_of_rank,
    describe_cores,
    has_short_time_slices,
    is_crowded,
    keep_kernels_on,
    kernel_cores,
    look_around,
    num_cores,
    num_visible_cores,
    share_cores,
    shorten_time_slices,
    visible_cores,
    wait_for_kernel_threads,
)

logger = logging.getLogger(__name__)


class Kernels(enum.Enum):
    """How a kernel is run."""

    OVER_CORES = "kernels are split over the cores"
    ON_ONE_CORE = "each kernel runs on one core"


class MachineFacts(NamedTuple):
    """What the choice depends on.

    Attributes:
        cores: cores that the ranks on this machine may use together.
        visible_cores: cores that they may run on; more than `cores` where a quota limits them.
        all_cores: cores of the machine; more than `visible_cores` where an affinity limits them.
        busy_elsewhere: cores that other programs keep busy; None: unknown.
        ranks: processes on this machine that work together.
        divides: whether these have parts of the cores of their own.
    """

    cores: int
    visible_cores: int
    all_cores: int
    busy_elsewhere: float | None = None
    ranks: int = 1
    divides: bool = False

    @property
    def own_cores(self) -> int:
        """This process's share of the cores, at least 1."""
        return max(1, self.cores // self.ranks) if self.divides else self.cores


class ThreadChoice(NamedTuple):
    """Numbers of threads and cores, and their reason.

    Attributes:
        kernels: how a kernel is run.
        dispatch: threads that start kernels; None: MindSpore's default.
        threads: threads that run kernels and parts of them, without the dispatching ones where
            `dispatch` sets their number; None: MindSpore's default.
        shared: number of cores that kernels run on beside other programs; None: all.
        divides: whether kernels run on this rank's part of the cores.
        reason: for the log.
    """

    kernels: Kernels
    dispatch: int | None
    threads: int | None
    shared: int | None
    divides: bool
    reason: str


def choose_threads(wanted: int, facts: MachineFacts) -> ThreadChoice:
    """Choose the threads of kernels.

    Args:
        wanted: DISPATCH_THREADS; 0 leaves the choice to this function.
        facts: what the machine is like.

    Returns:
        The choice.
    """
    limit = _limit(facts)
    threads = facts.own_cores if limit else None
    if wanted > 1:
        # With a number of dispatching threads, MindSpore adds the other number to it.
        threads = max(1, threads - wanted) if threads else None
        reason = "set by DISPATCH_THREADS"
        return ThreadChoice(Kernels.ON_ONE_CORE, wanted, threads, None, False, reason)
    if wanted == 1:
        return ThreadChoice(
            Kernels.OVER_CORES, None, threads, None, False, "set by DISPATCH_THREADS"
        )
    shared, reasons = None, [limit] if limit else []
    elsewhere = facts.busy_elsewhere
    # Each rank would count the other ranks as other programs, and they could choose differently.
    if facts.ranks == 1 and is_crowded(facts.cores, facts.visible_cores, elsewhere):
        shared = cores_beside_others(facts.cores, facts.visible_cores, elsewhere or 0.0)
        reasons.append(f"others use {elsewhere:.1f} of {facts.visible_cores} cores")
    reason = "; ".join(reasons) or "MindSpore's default"
    return ThreadChoice(Kernels.OVER_CORES, None, threads, shared, facts.divides, reason)


def _limit(facts: MachineFacts) -> str:
    """Return what leaves this process fewer cores than the machine has; "": nothing."""
    limits = []
    if facts.cores < facts.visible_cores:
        limits.append(f"a quota allows {facts.cores} of {facts.visible_cores} cores")
    elif facts.visible_cores < facts.all_cores:
        limits.append(f"it may run on {facts.visible_cores} of {facts.all_cores} cores")
    if facts.divides:
        limits.append(f"{facts.ranks} processes divide {facts.cores} cores")
    return ", and ".join(limits)


def set_cpu_threads(cfg: CfgNode) -> None:
    """Choose and set the number of threads of MindSpore's kernels.

    MindSpore takes it once in a process, before its first kernel; later calls have no effect.

    Args:
        cfg: the whole configuration.
    """
    choice = choose_threads(cfg.DISPATCH_THREADS, _measure(None))
    try:
        if choice.dispatch is not None:
            ms.runtime.dispatch_threads_num(choice.dispatch)
        if choice.threads is not None:
            ms.device_context.cpu.op_tuning.threads_num(choice.threads)
    except RuntimeError:
        if cfg.DISPATCH_THREADS > 1:
            logger.warning("DISPATCH_THREADS has no effect: the threads of this process are set")


def moves_kernels(cfg: CfgNode) -> bool:
    """Tell whether the cores that kernels run on depend on what other programs use.

    Args:
        cfg: the whole configuration.
    """
    is_free = cfg.DISPATCH_THREADS == 0 and comm.get_local_size() == 1
    return is_free and ms.get_context("device_target") == "CPU"


def place_kernels(cfg: CfgNode) -> None:
    """Choose and set the cores that kernels run on, and log the choice in one line.

    Call it after `set_cpu_threads` and after the ranks have joined: it starts the threads.

    Args:
        cfg: the whole configuration.
    """
    looks = moves_kernels(cfg)
    others = look_around() if looks else None
    facts = _measure(others)
    choice = choose_threads(cfg.DISPATCH_THREADS, facts)
    where = ""
    if choice.divides or (choice.shared and others):
        _start_threads()
        if choice.divides:
            shorten_time_slices()
            keep_kernels_on(cores_of_rank(comm.get_local_rank(), facts.ranks))
        elif choice.shared and others:
            share_cores(choice.shared, others.by_core)
        short = ", with short time slices" if has_short_time_slices() else ""
        where = f", on {describe_cores(kernel_cores())}{short}" if kernel_cores() else ""
    elif facts.ranks == 1 and set() < kernel_cores() < visible_cores():
        # An earlier call in this process has moved them.
        keep_kernels_on(visible_cores())
    logger.info(
        "Threads on %d core%s: %s%s (%s)",
        *(facts.own_cores, "s" * (facts.own_cores > 1), choice.kernels.value, where),
        choice.reason,
    )


def _start_threads() -> None:
    """Run a kernel: MindSpore starts its threads with the first one."""
    ops.matmul(Tensor([[1.0]], ms.float32), Tensor([[1.0]], ms.float32)).asnumpy()
    wait_for_kernel_threads()


def _measure(others: Busy | None) -> MachineFacts:
    return MachineFacts(
        cores=num_cores(),
        visible_cores=num_visible_cores(),
        all_cores=os.cpu_count() or 1,
        busy_elsewhere=others.elsewhere if others else None,
        ranks=comm.get_local_size(),
        # Elsewhere their number is a guess, see `comm.get_local_size`.
        divides=comm.get_local_size() > 1 and comm.LOCAL_SIZE_VARIABLE in os.environ,
    )
