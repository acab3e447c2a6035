"""The time that a request may take."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refusal import refuse


class TimeLimit:
    """Ends requests that take too long, from the end of their head to that of the answer.

    Args:
        app: the application.
        seconds: the limit.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await asyncio.wait_for(self.app(scope, receive, send_and_note), self._seconds)
        except asyncio.TimeoutError:
            # An answer that has begun cannot become another; the server closes the connection.
            if not has_started:
                message = f"The request took longer than {self._seconds:g} s; try again later."
                await refuse(503, message, retry_seconds=5)(scope, receive, send)
