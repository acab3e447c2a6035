"""The threads of MindSpore's kernels on a CPU, chosen from the config and what the machine does.

MindSpore splits each kernel over the cores; the thread that waits for the other parts gives its
core away (``sched_yield``) until they are done. Beside programs that keep the cores busy, each such
wait costs a time slice of the scheduler, some milliseconds, however small the kernel is.

With several dispatching threads a kernel runs on one core, and nothing waits in this way: slower
for large kernels and on a quiet machine, and several times faster for small ones beside other
programs.
"""

from __future__ import annotations

import enum
import logging
from typing import NamedTuple

import mindspore as ms

from fastreid.config import CfgNode
from fastreid.utils import comm
from fastreid.utils.machine import busy_elsewhere, num_cores, num_visible_cores

logger = logging.getLogger(__name__)

# Images times pixels times channels of the features, of one step: 134 million in the demo, 1,074
# million with ResNet50 and 16 images of 256x128.
SMALL_KERNELS = 400_000_000
# On more cores, other programs rarely use all of them, and large kernels lose more.
_MOST_CORES = 4
# With a larger share of its cores free, splitting kernels is faster.
_FREE_SHARE = 0.25
# MindSpore's own share of dispatching threads.
_DISPATCH_SHARE = 0.18


class Kernels(enum.Enum):
    """How a kernel is run."""

    SPLIT = "kernels are split over the cores"
    WHOLE = "each kernel runs on one core"


class MachineFacts(NamedTuple):
    """What the choice depends on.

    Attributes:
        cores: cores that this process may use.
        visible_cores: cores that it may run on; more than `cores` where a quota limits it.
        processes: processes of the job on this machine.
        busy_elsewhere: cores that other programs keep busy; None: unknown.
        step_elements: size of a training step, see `step_elements`.
    """

    cores: int
    visible_cores: int
    processes: int
    busy_elsewhere: float | None
    step_elements: int


class ThreadChoice(NamedTuple):
    """Numbers of threads, and their reason.

    Attributes:
        kernels: how a kernel is run.
        dispatch: threads that dispatch kernels; None: MindSpore's default.
        helpers: threads that run parts of kernels; None: MindSpore's default.
        reason: for the log.
    """

    kernels: Kernels
    dispatch: int | None
    helpers: int | None
    reason: str


def step_elements(cfg: CfgNode) -> int:
    """Return images x pixels x channels of a training step of one process: the size of kernels.

    Args:
        cfg: the whole configuration.
    """
    size = cfg.INPUT.CROP.SIZE if cfg.INPUT.CROP.ENABLED else cfg.INPUT.SIZE_TRAIN
    images = max(1, cfg.SOLVER.IMS_PER_BATCH // (cfg.SOLVER.ACCUMULATE * comm.get_world_size()))
    return images * size[0] * size[-1] * cfg.MODEL.BACKBONE.FEAT_DIM


def choose_threads(wanted: int, facts: MachineFacts) -> ThreadChoice:
    """Choose the threads of kernels.

    Args:
        wanted: DISPATCH_THREADS; 0 leaves the choice to this function.
        facts: what the machine and the config are like.

    Returns:
        The choice.
    """
    if wanted:
        kernels = Kernels.WHOLE if wanted > 1 else Kernels.SPLIT
        return ThreadChoice(kernels, wanted, _helpers(facts, wanted), "set by DISPATCH_THREADS")
    reason = _reason_to_keep_kernels_whole(facts)
    if reason:
        return ThreadChoice(Kernels.WHOLE, max(2, facts.cores), None, reason)
    if facts.cores < facts.visible_cores:
        dispatch = max(1, int(facts.cores * _DISPATCH_SHARE))
        reason = f"a quota allows {facts.cores} of {facts.visible_cores} cores"
        return ThreadChoice(Kernels.SPLIT, dispatch, _helpers(facts, dispatch), reason)
    return ThreadChoice(Kernels.SPLIT, None, None, "MindSpore's default")


def _helpers(facts: MachineFacts, dispatch: int) -> int | None:
    """Return the threads beside the dispatching ones where MindSpore would start too many."""
    if facts.cores == facts.visible_cores:
        return None
    return max(1, facts.cores - dispatch)


def _reason_to_keep_kernels_whole(facts: MachineFacts) -> str:
    """Return why kernels should run on one core each; an empty string if they should not."""
    if facts.step_elements > SMALL_KERNELS or not 2 <= facts.visible_cores <= _MOST_CORES:
        return ""
    if facts.processes > 1 and facts.processes * 2 > facts.cores:
        return f"kernels are small, and {facts.processes} processes share {facts.cores} cores"
    busy = facts.busy_elsewhere
    if busy is not None and facts.visible_cores - busy < _FREE_SHARE * facts.cores:
        return f"kernels are small, and others use {busy:.1f} of {facts.visible_cores} cores"
    return ""


def set_cpu_threads(cfg: CfgNode) -> None:
    """Choose the threads of MindSpore's kernels, set them and log the choice in one line.

    MindSpore takes them once in a process, before its first kernel; later calls have no effect.

    Args:
        cfg: the whole configuration.
    """
    facts = _measure(cfg)
    choice = choose_threads(cfg.DISPATCH_THREADS, facts)
    try:
        if choice.dispatch is not None:
            ms.runtime.dispatch_threads_num(choice.dispatch)
        if choice.helpers is not None:
            ms.device_context.cpu.op_tuning.threads_num(choice.helpers)
    except RuntimeError:
        if cfg.DISPATCH_THREADS:
            logger.warning("DISPATCH_THREADS has no effect: the threads of this process are set")
        return
    logger.info("Threads on %d cores: %s (%s)", facts.cores, choice.kernels.value, choice.reason)


def _measure(cfg: CfgNode) -> MachineFacts:
    elements = step_elements(cfg)
    # Measuring takes time: only where the result can matter.
    matters = elements <= SMALL_KERNELS and not cfg.DISPATCH_THREADS
    return MachineFacts(
        cores=num_cores(),
        visible_cores=num_visible_cores(),
        processes=comm.get_local_size(),
        busy_elsewhere=busy_elsewhere() if matters else None,
        step_elements=elements,
    )
