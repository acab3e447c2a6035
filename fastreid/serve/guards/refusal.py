"""The answer to a request that is refused."""

from __future__ import annotations

from starlette.responses import JSONResponse


def refuse(status: int, message: str, *, retry_seconds: int | None = None) -> JSONResponse:
    """Make an answer with a message.

    Args:
        status: of HTTP.
        message: for people; ``detail`` in the JSON object.
        retry_seconds: when to try again; None: it would not help.
    """
    headers = {} if retry_seconds is None else {"Retry-After": str(retry_seconds)}
    return JSONResponse({"detail": message}, status, headers)
