"""The time that the threads of this process ran, and the time that they waited for a core."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
_NANOSECONDS = 1e9


class RunDelay(NamedTuple):
    """Sums over the threads of a process.

    Attributes:
        ran: seconds on a core.
        waited: seconds in which a thread was ready to run, and had no core.
    """

    ran: float
    waited: float

    def since(self, earlier: RunDelay) -> RunDelay:
        """Return the difference to an earlier reading. Threads may have ended: at least 0."""
        return RunDelay(max(0.0, self.ran - earlier.ran), max(0.0, self.waited - earlier.waited))


def read_run_delay(root: Path = _ROOT) -> RunDelay | None:
    """Read the sums since the start of the threads that run now.

    Args:
        root: folder of ``proc``.

    Returns:
        The sums; None where the kernel does not report them.
    """
    ran = waited = 0
    threads = 0
    for path in (root / "proc" / "self" / "task").glob("*/schedstat"):
        try:
            fields = path.read_text(encoding="ascii").split()
        except OSError:
            # The thread has ended.
            continue
        if len(fields) < 2 or not all(field.isdecimal() for field in fields[:2]):
            return None
        ran += int(fields[0])
        waited += int(fields[1])
        threads += 1
    return RunDelay(ran / _NANOSECONDS, waited / _NANOSECONDS) if threads else None
