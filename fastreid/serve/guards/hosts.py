"""The names by which browsers may call the server."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import refuse


class HostGuard:
    """Refuses requests to other names, as of a page of another web site whose name leads here.

    Args:
        app: the application.
        hosts: names without port; addresses of IPv6 in brackets.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self.app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            host = without_port(Headers(scope=scope).get("host", ""))
            if host.lower() not in self._hosts:
                message = f"This server is not known as {host[:100]!r}; see --allow-host."
                await refuse(400, message)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def without_port(host: str) -> str:
    """Return the name in a Host header.

    Args:
        host: NAME or NAME:PORT.
    """
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
