"""The token that clients must know."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import refuse

COOKIE = "fastreid_token"
SHORTEST = 8
_SCHEME = "bearer "


class AccessToken:
    """A secret; comparisons take the same time for every wrong value.

    Args:
        token: the secret.

    Raises:
        ValueError: if it is too short.
    """

    def __init__(self, token: str) -> None:
        if len(token) < SHORTEST:
            raise ValueError(f"The token has {len(token)} characters; use {SHORTEST} or more.")
        self._token = token.encode("utf-8", "surrogateescape")

    @property
    def cookie(self) -> str:
        """What browsers keep instead of the token: a keyed hash, from which it cannot be found."""
        return hmac.new(self._token, b"fastreid cookie", "sha256").hexdigest()

    def matches(self, given: str) -> bool:
        """Return whether a text is the token.

        Args:
            given: by a client.
        """
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)

    def allows(self, request: HTTPConnection) -> bool:
        """Return whether a request has the token in its header, or a cookie of it.

        Args:
            request: its head is read.
        """
        header = request.headers.get("authorization", "")
        if header[: len(_SCHEME)].lower() == _SCHEME:
            # Headers are bytes, which the framework reads as Latin-1.
            given = header[len(_SCHEME) :].encode("latin-1")
            return hmac.compare_digest(given, self._token)
        cookie = request.cookies.get(COOKIE, "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(cookie, self.cookie.encode())


class TokenGuard:
    """Refuses requests without the token below a path.

    Args:
        app: the application.
        token: the secret.
        below: beginning of the paths that need it.
        free: paths among them that do not.
    """

    def __init__(
        self, app: ASGIApp, *, token: AccessToken, below: str, free: Collection[str]
    ) -> None:
        self.app = app
        self._token, self._below, self._free = token, below, frozenset(free)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            path = scope["path"]
            is_guarded = path.startswith(self._below) and path not in self._free
            if is_guarded and not self._token.allows(HTTPConnection(scope)):
                await refuse(401, "This service needs its token.")(scope, receive, send)
                return
        await self.app(scope, receive, send)
