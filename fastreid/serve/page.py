"""The page: its files, which need no other address."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/why.js": ("why.js", "text/javascript"),
}


def page_routes() -> list[Route]:
    """Return the paths of the page; no other file of the server has one."""
    return [_route(path, FOLDER / name, kind) for path, (name, kind) in _FILES.items()]


def _route(path: str, file: Path, kind: str) -> Route:
    content = file.read_bytes()

    async def show(_: object) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return Route(path, show)
