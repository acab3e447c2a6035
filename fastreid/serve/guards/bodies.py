"""The size of a request."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refusal import refuse

# A request that is too large is read up to this many times the limit and dropped, so that browsers,
# which listen for the answer after they have sent everything, see it.
_DROPPED = 4


class BodyLimit:
    """Refuses requests that are too large; no more than the limit reaches the application.

    Args:
        app: the application.
        limit: in bytes.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self._limit = limit
        self._message = f"The request is larger than {limit / 1e6:g} MB: send fewer pictures."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _announced(scope) > self._limit:
            await self._drop(receive)
            await refuse(413, self._message)(scope, receive, send)
            return
        received = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                # A request without a length. The application passes this error on.
                raise HTTPException(413, self._message)
            return message

        await self.app(scope, receive_and_count, send)

    async def _drop(self, receive: Receive) -> None:
        dropped = 0
        while dropped < _DROPPED * self._limit:
            message = await receive()
            dropped += len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def _announced(scope: Scope) -> int:
    """Return the length in a request's head; 0: there is none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
