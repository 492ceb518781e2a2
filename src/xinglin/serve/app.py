"""The service: API, CDS Hooks and workbench on one FastAPI app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinglin import __version__
from xinglin.apps.diagnosis.differential import Differential, EngineName, load_differential
from xinglin.errors import ConfigurationError
from xinglin.serve import (
    access,
    api,
    cds,
    challenge_api,
    chat_api,
    consents_api,
    explain_api,
    labels_api,
    metrics,
)
from xinglin.serve.batching import LARGEST, Batcher
from xinglin.serve.chat_open import open_assistant, open_writer
from xinglin.serve.explaining import Explaining
from xinglin.serve.problem import Unexpected, install, problem_at
from xinglin.store import Store, open_store
from xinglin.types import DISCLAIMER

if TYPE_CHECKING:
    from xinglin.apps.assistant.writer import Writer
    from xinglin.apps.imaging.search import Searcher


class BodyLimit:
    """ASGI middleware: a body over the limit is refused with 413 before it is read whole; some paths may take more."""

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int]) -> None:
        self.app, self.limit, self.larger = app, limit, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of an HTTP body as they come."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = next(
            (more for path, more in self.larger.items() if scope["path"].startswith(path)), self.limit
        )
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(scope, receive, send, limit)
            return
        seen, refused = 0, False

        async def counted() -> Message:
            nonlocal seen, refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                refused = True
                return {"type": "http.disconnect"}
            return message

        async def guarded(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self.app(scope, counted, guarded)
        finally:
            if refused:
                await self._refuse(scope, receive, send, limit)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        detail = f"a request may hold at most {limit} bytes"
        await problem_at(scope["path"], 413, "input too large", detail)(scope, receive, send)


def create_app(
    differential: Differential,
    store: Store,
    *,
    host: str = "127.0.0.1",
    workbench: bool = True,
    batch: int = LARGEST,
    searcher: Searcher | None = None,
    writer: Writer | None = None,
    edge: Path | None = None,
) -> FastAPI:
    """Build the service.

    Args:
        differential: the loaded model.
        store: where predictions, cases and feedback are kept.
        host: the address it will listen on; anything but this machine needs a login.
        workbench: mount the web workbench (NiceGUI) at ``/``.
        batch: most texts in one run of the text model.
        searcher: finds nodules in a CT that is open in the workbench; ``None`` shows images without findings.
        writer: the assistant's language model; ``None`` answers by extraction.
        edge: a folder of :func:`xinglin.serve.edge.write_edge`, served at ``/edge/``.

    Raises:
        ConfigurationError: it would listen beyond this machine and nobody can log in.
        CheckpointError: the index of documents is damaged or was built with another encoder.
    """
    required = not access.is_loopback(host)
    if required and not access.has_users(store):
        raise ConfigurationError(
            f"refusing to listen on {host} without a login: add a user first (xinglin serve --add-user NAME)"
        )
    batcher = Batcher(differential.encoder, largest=batch) if differential.encoder is not None else None
    if batcher is not None:
        differential = replace(differential, encoder=batcher)

    studies = None
    if workbench:
        from xinglin.serve.workbench.imaging_study import Studies

        studies = Studies(searcher, store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        if studies is not None:
            studies.stop()
        if batcher is not None:  # every request has been answered: only the worker is left
            batcher.close()
        if writer is not None:
            writer.close()

    app = FastAPI(
        title="Xinglin 杏林",
        version=__version__,
        description=f"{DISCLAIMER['zh']}\n\n{DISCLAIMER['en']}",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    install(app)
    explaining = Explaining(differential)
    app.include_router(api.router(differential, store, explaining))
    app.include_router(explain_api.router(explaining, store))
    app.include_router(labels_api.router(differential, store))
    app.include_router(challenge_api.router(store))
    app.include_router(consents_api.router(store))
    app.include_router(cds.router(differential, store))
    assistant = open_assistant(differential, store, writer)
    app.include_router(chat_api.router(assistant))
    app.include_router(metrics.router(store))
    if required:
        from xinglin.serve import login

        app.include_router(login.router(store))
    if edge is not None:
        from xinglin.serve.edge import mount_edge

        mount_edge(app, edge)
    larger: dict[str, int] = {"/api/challenges": challenge_api.MAX_UPLOAD}
    if studies is not None:
        from xinglin.serve.workbench import mount
        from xinglin.serve.workbench.imaging_study import MAX_UPLOAD

        larger["/imaging/upload/"] = MAX_UPLOAD
        mount(app, differential, store, explaining, studies, assistant)
    app.add_middleware(Unexpected)
    app.add_middleware(BodyLimit, limit=api.MAX_BODY, larger=larger)
    app.add_middleware(access.Guard, store=store, required=required)
    return app


def open_app(
    model: Path | None,
    profile: Path | None,
    engine: EngineName | None = None,
    *,
    host: str,
    workbench: bool,
    batch: int = LARGEST,
    searcher: Searcher | None = None,
    language_model: str | None = None,
    allow_remote: bool = False,
    edge: Path | None = None,
) -> FastAPI:
    """Open the store, load the model and build the service: what each worker process does.

    Raises:
        ConfigurationError: it would listen beyond this machine and nobody can log in.
        StoreError: the store cannot be opened.
        MissingDataError: no such model folder, or the engine needs a text model and there is none.
        CheckpointError: the text model is damaged.
    """
    loaded = load_differential(model, profile, engine)
    writer = None if language_model is None else open_writer(language_model, allow_remote=allow_remote)
    return create_app(
        loaded,
        open_store(),
        host=host,
        workbench=workbench,
        batch=batch,
        searcher=searcher,
        writer=writer,
        edge=edge,
    )
