"""What one client, and all of them together, may ask for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


def _limit(default: float, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Limits:
    """Limits of the service; all must be above 0. `tools/serve.py` has an option for each.

    Raises:
        ValueError: if one is not above 0.
    """

    max_upload_mb: float = _limit(32.0, "size of a request, in MB")
    max_megapixels: float = _limit(25.0, "pixels of all pictures of a request, in millions")
    max_crops: int = _limit(16, "pictures of a search")
    max_results: int = _limit(100, "results of a search")
    searches_per_minute: int = _limit(60, "searches a minute of one client")
    requests_per_minute: int = _limit(1200, "all requests a minute of one client")
    request_seconds: float = _limit(30.0, "seconds that a request may take")
    concurrent_searches: int = _limit(4, "searches that are worked on at once")
    waiting_searches: int = _limit(64, "searches that wait for the others")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{flag_of(field.name)} is {value}; it must be above 0.")

    @property
    def max_upload_bytes(self) -> int:
        """Size of a request."""
        return int(self.max_upload_mb * 1e6)

    @property
    def max_pixels(self) -> int:
        """Pixels of the pictures of a request together, and of a picture of the gallery."""
        return int(self.max_megapixels * 1e6)


def flag_of(name: str) -> str:
    """Return the option of the command line for a limit.

    Args:
        name: of a field of `Limits`.
    """
    return f"--{name.replace('_', '-')}"
