"""The memory that MindSpore takes on a CPU."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import mindspore as ms

logger = logging.getLogger(__name__)

_ROOT = Path("/")
_GIB = 2**30
# More than a step of any model here needs on a CPU.
_MOST_GIB = 64
# vm.overcommit_memory: every reservation counts, used or not.
_STRICT = "2"


def reserve_memory() -> None:
    """Let MindSpore's memory pool take one large block instead of many of one GiB.

    A block is address space: only the pages that are used take memory. In one block tensors of all
    sizes find a place where others have been, so that less of it is ever used
    (docs/performance.md). Where the user has set the memory, or memory is in use, nothing changes.
    """
    size = block_gib()
    if size:
        try:
            ms.runtime.set_memory(init_size=f"{size}GB")
        except RuntimeError as error:
            logger.debug("MindSpore's memory pool stays as it is: %s", error)


def block_gib(root: Path = _ROOT) -> int:
    """Return the size of the block in GiB, half of the machine's memory; 0: leave MindSpore's.

    Args:
        root: folder of ``proc``.
    """
    if sys.platform != "linux" or _address_space_is_limited(root):
        return 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(_MOST_GIB, memory // 2 // _GIB)


def _address_space_is_limited(root: Path) -> bool:
    import resource

    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    if any(resource.getrlimit(limit)[0] != resource.RLIM_INFINITY for limit in limits):
        return True
    try:
        policy = (root / "proc" / "sys" / "vm" / "overcommit_memory").read_text(encoding="ascii")
    except OSError:
        return True
    return policy.strip() == _STRICT
