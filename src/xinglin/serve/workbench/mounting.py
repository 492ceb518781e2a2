"""Mount the workbench on the app: pages, styles, secret, headers. Everything is served from here."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui
from nicegui.storage import Storage
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinglin.apps.assistant.assistant import Assistant
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import ConfigurationError
from xinglin.serve.explaining import Explaining
from xinglin.serve.workbench.desk import Desk
from xinglin.serve.workbench.imaging_study import Studies
from xinglin.serve.workbench.shell import FAVICON, STYLES
from xinglin.store import Store, home_folder

SECRET = "workbench.secret"
TAB_LIFETIME = 8 * 3600.0
"""Seconds for which an unsaved draft stays in memory."""
RECONNECT = 30.0
"""Seconds for which a page survives a broken connection."""
YEAR = 365 * 24 * 3600
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""NiceGUI compiles its templates in the browser, hence inline scripts; nothing may come from elsewhere."""


class Seat:
    """ASGI middleware: hands the desk to the pages and adds the headers that a page needs."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the desk in its state."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["desk"] = self.desk

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                names = {name.lower() for name, _ in headers}
                for name, value in (
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ):
                    if name not in names:
                        headers.append((name, value))
            await send(message)

        await self.app(scope, receive, headed if scope["type"] == "http" else send)


def mount(
    app: FastAPI,
    differential: Differential,
    store: Store,
    explaining: Explaining,
    studies: Studies,
    assistant: Assistant | None = None,
) -> None:
    """Mount the pages at ``/``; ``studies`` are the images that are open, ``assistant`` answers on the chat page.

    NiceGUI keeps one app a process; mounting again (as tests do) puts it on the new app, and every request
    still finds the model and the store of the app through which it came.
    """
    from xinglin.serve.workbench import (
        about,
        annotate,
        case,
        challenges,
        chat,
        consents,
        federation,
        graph,
        history,
        imaging,
        lost,
        models,
    )

    Storage.path = home_folder() / "workbench"
    pages.storage.max_tab_storage_age = TAB_LIFETIME
    pages.user_middleware.clear()
    pages.middleware_stack = None
    for path in STYLES:
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        pages.remove_route(f"/static/{path.stem}-{version}.css")
        pages.add_static_file(local_file=path, url_path=f"/static/{path.stem}-{version}.css")
    for room in (
        *(case, chat, imaging, history, annotate, federation, models),
        *(challenges, consents, graph, about),
    ):
        room.register()
    lost.register()
    ui.run_with(
        app,
        title="杏林 Xinglin",
        favicon=FAVICON,
        dark=None,
        language="zh-CN",
        reconnect_timeout=RECONNECT,
        tailwind=False,
        storage_secret=installation_secret(),
        session_middleware_kwargs={
            "session_cookie": "xinglin_workbench",
            "same_site": "strict",
            "max_age": YEAR,
        },
        show_welcome_message=False,
    )
    app.add_middleware(Seat, desk=Desk(differential, store, explaining, studies, assistant))


def installation_secret() -> str:
    """Return the secret that signs the cookie of preferences; made on first use, readable by us only.

    Raises:
        ConfigurationError: the file is there and holds no secret.
    """
    folder = home_folder() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / SECRET
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    secret = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
    return secret


def _read_secret(path: Path) -> str:
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < 32:
        raise ConfigurationError(f"{path} holds no secret of 32 characters: delete it, a new one is made")
    return secret
