"""The ASGI application: page, HTTP interface and guards."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.middleware import Middleware
from starlette.responses import Response

import fastreid
from fastreid.gallery import GalleryError
from fastreid.utils.file_io.images import ImageError

from . import api
from .explaining import ExplanationError
from .gallery_images import ImageRoots
from .guards import (
    AccessToken,
    BodyLimit,
    HostGuard,
    RateLimit,
    SecurityHeaders,
    TimeLimit,
    TokenGuard,
    refuse,
)
from .guards.headers import HEADERS
from .limits import Limits
from .page import page_routes
from .pool import BusyError
from .searching import QueryError
from .service import SearchService
from .uploads import UploadError

logger = logging.getLogger(__name__)


def create_app(
    service: SearchService,
    limits: Limits,
    *,
    image_roots: Sequence[Path] = (),
    token: str | None = None,
    hosts: Sequence[str] | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        service: the model and the gallery; the caller closes it.
        limits: what clients may ask for.
        image_roots: folders whose images may be shown, if the gallery lists them.
        token: a secret that clients must send; None: none is needed.
        hosts: names by which browsers may call the server; None: any. A server that only this
            computer reaches should have some: else a page of another web site could reach it by a
            name of its own that leads here.

    Returns:
        An application for any ASGI server.

    Raises:
        NotADirectoryError: if one of the folders does not exist.
        ValueError: if the token is too short.
    """
    gallery = api.GalleryApi(service, limits, ImageRoots(image_roots))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        gallery.close()

    secret = None if token is None else AccessToken(token)
    app = FastAPI(
        title="fastreid search",
        version=fastreid.__version__,
        description="Search a gallery of images of people.",
        openapi_url=f"{api.BASE}/openapi.json",
        # The pages of FastAPI load their scripts from other servers.
        docs_url=None,
        redoc_url=None,
        middleware=_guards(limits, secret, hosts),
        routes=list(page_routes()),
        lifespan=lifespan,
    )
    app.include_router(gallery.router(), prefix=api.BASE)
    app.include_router(api.state_router(), prefix=api.BASE)
    if secret:
        app.include_router(api.token_router(secret), prefix=api.BASE)
    _explain_errors(app)
    return app


def _guards(
    limits: Limits, token: AccessToken | None, hosts: Sequence[str] | None
) -> list[Middleware]:
    """List what a request passes, the first at first."""
    guards = [
        Middleware(SecurityHeaders),
        Middleware(
            RateLimit,
            per_minute=limits.requests_per_minute,
            costly_per_minute=limits.searches_per_minute,
            costly=(api.SEARCH, api.EXPLAIN, api.SESSION),
        ),
        Middleware(TimeLimit, seconds=limits.request_seconds),
        Middleware(BodyLimit, limit=limits.max_upload_bytes),
    ]
    if hosts is not None:
        guards.insert(1, Middleware(HostGuard, hosts=hosts))
    if token:
        free = (api.HEALTH, api.SESSION)
        guards.append(Middleware(TokenGuard, token=token, below=f"{api.BASE}/", free=free))
    return guards


def _explain_errors(app: FastAPI) -> None:
    """Answer every error with an object that has a sentence, ``detail``."""

    async def explain(_: Request, error: Exception) -> Response:
        return refuse(400, str(error))

    for kind in (UploadError, ImageError, QueryError, ExplanationError):
        app.add_exception_handler(kind, explain)

    @app.exception_handler(BusyError)
    async def is_busy(_: Request, __: Exception) -> Response:
        return refuse(503, "Too many searches are waiting; try again later.", retry_seconds=2)

    @app.exception_handler(GalleryError)
    async def gallery_has_failed(request: Request, error: Exception) -> Response:
        # The message may name files of the server.
        logger.error("%s failed: %s", request.url.path, error, exc_info=error)
        return refuse(503, "The gallery does not answer; try again later.", retry_seconds=5)

    @app.exception_handler(RequestValidationError)
    async def is_invalid(_: Request, error: RequestValidationError) -> Response:
        return refuse(422, "; ".join(map(_sentence, error.errors())))

    @app.exception_handler(Exception)
    async def has_failed(_: Request, __: Exception) -> Response:
        # The traceback goes to the log of the server. This answer does not pass the guards.
        answer = refuse(500, "The request failed in the server; its log has the cause.")
        answer.headers.update(HEADERS)
        return answer


def _sentence(error: dict) -> str:
    names = [str(part) for part in error["loc"] if part != "body"]
    return f"{' '.join(names)}: {error['msg']}"
