"""Serve a written folder at ``/edge``: right types, a strict policy, nothing kept by caches but the service worker."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from xinglin.errors import MissingDataError
from xinglin.serve.edge.build import MANIFEST

PATH = "/edge"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own policy, and that nobody may frame it (which a page cannot say of itself)."""
TYPES = {
    ".wasm": "application/wasm",
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
}
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-cache",
}


class EdgeFiles:
    """ASGI application: the files of one folder with their headers."""

    def __init__(self, folder: Path) -> None:
        self.files = StaticFiles(directory=folder, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what is not known by its ending goes out as bytes."""
        ending = Path(scope["path"]).suffix
        kind = TYPES.get(ending, "text/html; charset=utf-8" if not ending else "application/octet-stream")

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                rest = [(name, value) for name, value in message["headers"] if name.lower() not in HEADERS]
                if message["status"] == 200:
                    rest = [(name, value) for name, value in rest if name.lower() != b"content-type"]
                    rest.append((b"content-type", kind.encode()))
                message["headers"] = [*rest, *HEADERS.items()]
            await send(message)

        await self.files(scope, receive, headed)


def mount_edge(app: FastAPI, folder: Path) -> None:
    """Serve ``folder`` below :data:`PATH`; call it before anything is mounted at ``/``.

    Raises:
        MissingDataError: the folder was not written by :func:`xinglin.serve.edge.build.write_edge`.
    """
    if not (folder / MANIFEST).is_file():
        raise MissingDataError(f"{folder}: expected {MANIFEST}; write the folder first (write_edge)")

    @app.get(PATH, include_in_schema=False)
    def without_slash() -> Response:
        """A service worker's scope ends in a slash."""
        return RedirectResponse(f"{PATH}/", 308)

    app.mount(PATH, EdgeFiles(folder))
