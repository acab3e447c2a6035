"""Requests a minute of one client."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import refuse

# Clients that are remembered; beyond them, the client with the oldest request is removed.
_REMEMBERED = 10_000
# Addresses of a network of IPv6 that usually belong to one client.
_PREFIX = 64


class RateCounter:
    """Counts requests: a client may send N at once; each second adds N / 60, up to N.

    Args:
        per_minute: N, requests a minute.
        clock: the time in seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Count a request.

        Args:
            client: its name.

        Returns:
            0 if the request is allowed, else the seconds until one is.
        """
        now = self._clock()
        left, when = self._left.pop(client, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - when) * self._per_minute / 60)
        is_allowed = left >= 1
        self._left[client] = (left - is_allowed, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return 0 if is_allowed else max(1, math.ceil((1 - left) * 60 / self._per_minute))


class RateLimit:
    """Refuses requests of a client that sends too many.

    Args:
        app: the application.
        per_minute: all requests a minute.
        costly_per_minute: requests a minute to the costly paths.
        costly: paths that have the second number.
    """

    def __init__(
        self, app: ASGIApp, *, per_minute: int, costly_per_minute: int, costly: Collection[str]
    ) -> None:
        self.app = app
        self._all, self._costly = RateCounter(per_minute), RateCounter(costly_per_minute)
        self._costly_paths = frozenset(costly)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            client = client_of(scope)
            seconds = self._all.wait(client)
            if not seconds and scope["path"] in self._costly_paths:
                seconds = self._costly.wait(client)
            if seconds:
                message = f"Too many requests; try again in {seconds} s."
                await refuse(429, message, retry_seconds=seconds)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Return what counts as one client: an address, or for IPv6 its network.

    Args:
        scope: of a request.
    """
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address.packed, _PREFIX), strict=False))
