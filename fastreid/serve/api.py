"""The HTTP interface: search, explanations, statistics, small pictures, state."""

# Annotations are read by FastAPI when functions are defined, so they are not postponed here.

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

from fastapi import APIRouter, File, Form, HTTPException, Request, Response, UploadFile

from fastreid.gallery import Filter

from .gallery_images import EntryIds, ImageRoots, small_picture
from .guards import AccessToken
from .guards.tokens import COOKIE
from .limits import Limits
from .pool import RequestPool
from .schemas import (
    ExplanationAnswer,
    GalleryAnswer,
    LimitsObject,
    Problem,
    ResultObject,
    SearchAnswer,
    StateAnswer,
    TokenObject,
)
from .searching import Found, SearchOptions
from .service import SearchService
from .uploads import UploadError, read_picture, read_pictures

BASE = "/api"
SEARCH, EXPLAIN = f"{BASE}/search", f"{BASE}/explain"
SESSION, HEALTH = f"{BASE}/session", f"{BASE}/health"
_CACHED = {"Cache-Control": "private, max-age=3600"}
# Small requests that may wait for each search that may.
_IMAGES_PER_SEARCH = 16


def _problems(*statuses: int) -> dict[Any, Any]:
    return {status: {"model": Problem} for status in statuses}


def _time(description: str) -> Any:
    return Form(description=description, allow_inf_nan=False)


class GalleryApi:
    """The paths that search a gallery and show it.

    Args:
        service: the model and the gallery.
        limits: of a search.
        roots: folders whose images may be shown.
    """

    def __init__(self, service: SearchService, limits: Limits, roots: ImageRoots) -> None:
        self._service, self._limits, self._roots = service, limits, roots
        self._ids = EntryIds()
        threads, waiting = limits.concurrent_searches, limits.waiting_searches
        self._searches = RequestPool(threads, waiting, "request")
        self._others = RequestPool(threads, _IMAGES_PER_SEARCH * waiting, "image")

    def router(self) -> APIRouter:
        """Return the paths and their functions."""
        router = APIRouter()
        problems = _problems(400, 401, 413, 422, 429, 503)
        router.post("/search", response_model=SearchAnswer, responses=problems)(self.search)
        explained = {**problems, **_problems(404)}
        router.post("/explain", response_model=ExplanationAnswer, responses=explained)(self.explain)
        router.get("/gallery", responses=_problems(401, 429, 503))(self.gallery)
        shown = {200: {"content": {"image/jpeg": {}}}, **_problems(401, 404, 429, 503)}
        router.get("/image/{identifier}", response_class=Response, responses=shown)(self.image)
        return router

    def close(self) -> None:
        """End the threads."""
        self._searches.close()
        self._others.close()

    async def search(
        self,
        images: Annotated[list[UploadFile], File(description="one person, one or more pictures")],
        top: Annotated[int, Form(ge=1, description="results")] = 10,
        pid: Annotated[Optional[list[str]], Form(description="only these identities")] = None,
        camid: Annotated[Optional[list[str]], Form(description="only these cameras")] = None,
        not_camid: Annotated[Optional[list[str]], Form(description="not these cameras")] = None,
        since: Annotated[Optional[float], _time("seconds since 1970; not earlier")] = None,
        before: Annotated[Optional[float], _time("seconds since 1970; earlier")] = None,
        rerank: Annotated[bool, Form(description="re-rank by k-reciprocal neighbours")] = False,
        min_similarity: Annotated[Optional[float], Form(ge=-1, le=1, allow_inf_nan=False)] = None,
    ) -> SearchAnswer:
        """Search the gallery with one picture, or with the mean of several of one person."""
        _require_most("pictures", len(images), self._limits.max_crops)
        _require_most("results", top, self._limits.max_results)
        only = Filter(
            pids=frozenset(pid) if pid else None,
            camids=frozenset(camid) if camid else None,
            without_camids=frozenset(not_camid or ()),
            since=since,
            before=before,
        )
        options = SearchOptions(top, only, rerank=rerank, min_similarity=min_similarity)
        return await self._searches.run(partial(self._answer, images, options))

    async def explain(
        self,
        images: Annotated[list[UploadFile], File(description="as for a search; the first counts")],
        identifier: Annotated[str, Form(alias="id", description="the id of a result")],
    ) -> ExplanationAnswer:
        """Explain what the places of the first picture and of a result add to their cosine."""
        _require_most("pictures", len(images), self._limits.max_crops)
        return await self._searches.run(partial(self._explain, images, identifier))

    async def gallery(self) -> GalleryAnswer:
        """Describe the gallery, the model and the limits."""
        summary = await self._others.run(self._service.summary)
        limits = LimitsObject(
            upload_bytes=self._limits.max_upload_bytes,
            pixels=self._limits.max_pixels,
            crops=self._limits.max_crops,
            results=self._limits.max_results,
        )
        return GalleryAnswer(
            **summary._asdict(),
            dimension=self._service.dimension,
            model=self._service.model_name,
            explanations=self._service.explanations.are_available,
            limits=limits,
        )

    async def image(self, identifier: str) -> Response:
        """Return a small picture of a gallery entry that was a result of a search."""
        content = await self._others.run(partial(self._small_picture, identifier))
        return Response(content, media_type="image/jpeg", headers=_CACHED)

    def _answer(self, files: list[UploadFile], options: SearchOptions) -> SearchAnswer:
        start = time.perf_counter()
        named = [(each.filename or "", each.file) for each in files]
        pictures = read_pictures(named, max_pixels=self._limits.max_pixels)
        found = self._service.search(pictures, options)
        results = [self._result(rank, each) for rank, each in enumerate(found, start=1)]
        seconds = time.perf_counter() - start
        return SearchAnswer(results=results, pictures=len(pictures), seconds=round(seconds, 4))

    def _result(self, rank: int, found: Found) -> ResultObject:
        entry = found.entry
        identifier, path = self._ids.add(entry.key), self._roots.find(entry)
        return ResultObject(
            rank=rank,
            id=identifier,
            file=self._roots.name(entry, path),
            pid=entry.pid,
            camid=entry.camid,
            time=entry.time,
            similarity=found.similarity,
            distance=1 - found.similarity,
            reranked=found.reranked,
            image=f"{BASE}/image/{identifier}" if path else None,
        )

    def _explain(self, files: list[UploadFile], identifier: str) -> ExplanationAnswer:
        self._service.explanations.require()
        path, most = self._path_of(identifier), self._limits.max_pixels
        query = read_picture(files[0].filename or "", files[0].file, max_pixels=most)
        with _reading_entry(), path.open("rb") as file:
            result = read_picture(path.name, file, max_pixels=most)
        why = self._service.explain(query, result)
        return ExplanationAnswer(**why._asdict(), pictures=len(files))

    def _small_picture(self, identifier: str) -> bytes:
        with _reading_entry():
            return small_picture(self._path_of(identifier), max_pixels=self._limits.max_pixels)

    def _path_of(self, identifier: str) -> Path:
        """Find the image of a result; only those inside the roots are found."""
        key = self._ids.key(identifier)
        entry = self._service.entry(key) if key is not None else None
        path = self._roots.find(entry) if entry else None
        if path is None:
            raise HTTPException(404, "There is no such entry, or its image is not shown.")
        return path


@contextlib.contextmanager
def _reading_entry() -> Iterator[None]:
    """Refuse an entry whose image cannot be read."""
    try:
        yield
    except (UploadError, OSError) as error:
        raise HTTPException(404, "The image of this entry cannot be read.") from error


def _require_most(what: str, number: int, most: int) -> None:
    if number > most:
        raise HTTPException(400, f"There are {number} {what}; at most {most} are allowed.")


def state_router() -> APIRouter:
    """Make the path that tells whether the server answers."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> StateAnswer:
        """Answer, without the token."""
        return StateAnswer(status="ok")

    return router


def token_router(token: AccessToken) -> APIRouter:
    """Make the path where the page exchanges the token for a cookie.

    Args:
        token: the secret.
    """
    router = APIRouter()

    @router.post("/session", responses=_problems(401, 429))
    async def sign_in(given: TokenObject, request: Request, response: Response) -> StateAnswer:
        """Set a cookie that replaces the token in later requests of the browser."""
        if not token.matches(given.token):
            raise HTTPException(401, "This is not the token.")
        is_secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, token.cookie, httponly=True, samesite="strict", secure=is_secure
        )
        return StateAnswer(status="ok")

    return router
