"""The threads of MindSpore's kernels on a CPU, chosen from the config and what the machine does.

MindSpore splits each kernel over the cores; the thread that waits for the other parts gives its
core away (``sched_yield``) until they are done. Beside programs that keep the cores busy, each such
wait costs a time slice of the scheduler, some milliseconds, however small the kernel is.

Shorter slices, where the scheduler grants them, make these waits shorter, except beside programs
that never sleep: those give a core back at the next tick of the clock only, up to 4 ms later. With
several dispatching threads a kernel runs on one core, and nothing waits in this way: slower for
large kernels and on a quiet machine, and several times faster for small ones beside busy programs.
They are not chosen by default, because the last digits of a resumed run then differ from those of
an uninterrupted one.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import NamedTuple

import mindspore as ms

from fastreid.config import CfgNode, evaluation_image_size, training_image_size
from fastreid.utils import comm
from fastreid.utils.machine import (
    busy_elsewhere,
    can_shorten_time_slices,
    num_cores,
    num_visible_cores,
    shorten_time_slices,
)

logger = logging.getLogger(__name__)

# Images times pixels times channels of the features, of one batch: 134 million in a step of the
# demo, 1,074 million with ResNet50 and 16 images of 256x128, which gets its fair share. Up to here,
# short time slices are faster beside busy programs.
SMALL_KERNELS = 1_000_000_000
# With a larger share of its cores free, a process waits little for others.
_ENOUGH_FREE = 0.75
# MindSpore's own share of dispatching threads.
_DISPATCH_SHARE = 0.18


class Kernels(enum.Enum):
    """How a kernel is run."""

    SPLIT = "kernels are split over the cores"
    WHOLE = "each kernel runs on one core"


class MachineFacts(NamedTuple):
    """What the choice depends on.

    Attributes:
        cores: cores that the ranks on this machine may use together.
        visible_cores: cores that they may run on; more than `cores` where a quota limits them.
        busy_elsewhere: cores that other programs keep busy; None: unknown.
        elements: size of a batch, see `training_elements` and `evaluation_elements`.
        can_shorten: whether the scheduler grants short time slices.
        ranks: processes on this machine that work together.
    """

    cores: int
    visible_cores: int
    busy_elsewhere: float | None
    elements: int
    can_shorten: bool
    ranks: int = 1

    @property
    def own_cores(self) -> int:
        """This process's share of the cores, at least 1."""
        return max(1, self.cores // self.ranks)


class ThreadChoice(NamedTuple):
    """Numbers of threads, and their reason.

    Attributes:
        kernels: how a kernel is run.
        dispatch: threads that dispatch kernels; None: MindSpore's default.
        helpers: threads that run parts of kernels; None: MindSpore's default.
        short_slices: whether to ask for short time slices.
        reason: for the log.
    """

    kernels: Kernels
    dispatch: int | None
    helpers: int | None
    short_slices: bool
    reason: str


def training_elements(cfg: CfgNode) -> int:
    """Return images x pixels x channels of a training step of one process: the size of kernels.

    Args:
        cfg: the whole configuration.
    """
    images = max(1, cfg.SOLVER.IMS_PER_BATCH // (cfg.SOLVER.ACCUMULATE * comm.get_world_size()))
    return images * _pixels(cfg, training_image_size) * cfg.MODEL.BACKBONE.FEAT_DIM


def evaluation_elements(cfg: CfgNode, images: int) -> int:
    """Return images x pixels x channels of a batch whose features are computed.

    Args:
        cfg: the whole configuration.
        images: images of a batch of this process.
    """
    return images * _pixels(cfg, evaluation_image_size) * cfg.MODEL.BACKBONE.FEAT_DIM


def _pixels(cfg: CfgNode, image_size: Callable[[CfgNode], tuple[int, int]]) -> int:
    try:
        height, width = image_size(cfg)
    except ValueError:
        # Images keep sizes of their own; what needs one size refuses the configuration later.
        height, width = max(1, cfg.INPUT.SIZE_TRAIN[0]), max(1, cfg.INPUT.SIZE_TRAIN[-1])
    return height * width


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
        helpers = _helpers(facts, wanted)
        return ThreadChoice(kernels, wanted, helpers, False, "set by DISPATCH_THREADS")
    crowd, quota = _crowd(facts), _quota(facts)
    dispatch = max(1, int(facts.own_cores * _DISPATCH_SHARE)) if quota else None
    helpers = _helpers(facts, dispatch) if dispatch else None
    short = bool(crowd) and facts.can_shorten
    reasons = [quota] if quota else []
    if short:
        reasons.append(crowd)
    reason = "; ".join(reasons) or "MindSpore's default"
    return ThreadChoice(Kernels.SPLIT, dispatch, helpers, short, reason)


def _quota(facts: MachineFacts) -> str:
    """Return what a quota allows; an empty string without one."""
    if facts.cores == facts.visible_cores:
        return ""
    among = f" to {facts.ranks} processes" if facts.ranks > 1 else ""
    return f"a quota allows {facts.cores} of {facts.visible_cores} cores{among}"


def _helpers(facts: MachineFacts, dispatch: int) -> int | None:
    """Return the threads beside the dispatching ones where MindSpore would start too many."""
    return max(1, facts.own_cores - dispatch) if _quota(facts) else None


def _free(facts: MachineFacts) -> float:
    """Return which share of its cores other programs leave free; at most 1."""
    free = facts.visible_cores - (facts.busy_elsewhere or 0.0)
    return min(1.0, free / facts.cores)


def _crowd(facts: MachineFacts) -> str:
    """Return who would make kernels wait for each other; an empty string if nobody does."""
    if facts.elements > SMALL_KERNELS:
        return ""
    if facts.ranks > 1:
        # They wait for each other, whoever else is there. Each would take the others for strangers,
        # and they could choose differently, so they do not look.
        return f"kernels are small, and {facts.ranks} processes work together"
    if _free(facts) >= _ENOUGH_FREE:
        return ""
    busy, cores = facts.busy_elsewhere, facts.visible_cores
    return f"kernels are small, and others use {busy:.1f} of {cores} cores"


def set_cpu_threads(cfg: CfgNode, *, images: int | None = None) -> None:
    """Choose the threads of MindSpore's kernels, set them and log the choice in one line.

    MindSpore takes them once in a process, before its first kernel; later calls have no effect.

    Args:
        cfg: the whole configuration.
        images: images of a batch, of a process that only computes features; None: it trains.
    """
    elements = training_elements(cfg) if images is None else evaluation_elements(cfg, images)
    facts = _measure(cfg.DISPATCH_THREADS, elements)
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
    short = ", with short time slices" if choice.short_slices and shorten_time_slices() else ""
    logger.info(
        "Threads on %d cores: %s%s (%s)",
        *(facts.own_cores if _quota(facts) else facts.cores, choice.kernels.value),
        *(short, choice.reason),
    )


def _measure(wanted: int, elements: int) -> MachineFacts:
    ranks = comm.get_local_size()
    # Measuring takes time: only where the result can matter.
    matters = elements <= SMALL_KERNELS and not wanted and ranks == 1
    return MachineFacts(
        cores=num_cores(),
        visible_cores=num_visible_cores(),
        busy_elsewhere=busy_elsewhere() if matters else None,
        elements=elements,
        can_shorten=can_shorten_time_slices(),
        ranks=ranks,
    )
