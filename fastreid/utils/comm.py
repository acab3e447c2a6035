"""Which of how many processes this one is."""

from __future__ import annotations


def get_rank() -> int:
    """Number of this process, from 0; training runs on one device for now."""
    return 0


def get_world_size() -> int:
    """Number of processes that train together."""
    return 1


def is_main_process() -> bool:
    """Tell whether this process writes logs and checkpoints."""
    return get_rank() == 0
