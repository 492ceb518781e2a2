"""``/api/challenges``: challenges over HTTP. The same functions as the page and the command line, and their ledger.

Who asks is the session's user. Creating needs the role ``organiser`` (or this machine's own user); the organiser of a
challenge closes it and takes hospitals' reports; everybody who is logged in may enter.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from xinglin.errors import BusyError, NotPermittedError
from xinglin.release.challenge.closing import close_challenge
from xinglin.release.challenge.entering import enter_file
from xinglin.release.challenge.entering_model import enter_model
from xinglin.release.challenge.manifest import manifest_from
from xinglin.release.challenge.on_site import accept_report
from xinglin.release.challenge.parts import WHICH, read_cases
from xinglin.release.challenge.record import (
    Challenge,
    Entered,
    create_challenge,
    entries_of,
    find,
    find_entry,
    hidden_part,
    list_challenges,
    open_board,
    questions,
    site_reports,
)
from xinglin.release.challenge.verifying import receipt, verify_challenge
from xinglin.serve.access import role_of
from xinglin.serve.strict import strict_json
from xinglin.store import Store
from xinglin.store.keys import canonical_json
from xinglin.types import DISCLAIMER

MAX_UPLOAD = 256 << 20
"""Bytes of an entry over HTTP; a larger model enters by the command line."""
LINES = "application/x-ndjson"
Clock = Callable[[], datetime]
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class CreateBody(BaseModel):
    """A draft and the hidden cases, which stay hidden until it is closed."""

    model_config = ConfigDict(extra="forbid")

    manifest: dict[str, Any]
    cases: list[dict[str, Any]] = Field(min_length=2, max_length=20_000)


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def router(store: Store, clock: Clock = now) -> APIRouter:
    """Return the routes over a store; ``clock`` tells the time that dates are compared with."""
    api = APIRouter(prefix="/api/challenges", tags=["challenges"])
    _reading(api, store, clock)
    _entering(api, store, clock)
    _organising(api, store, clock)
    return api


def _reading(api: APIRouter, store: Store, clock: Clock) -> None:
    @api.get("")
    def challenges() -> list[dict[str, Any]]:
        """List the challenges, newest first."""
        with store.read() as connection:
            return [_brief(one, clock()) for one in list_challenges(connection)]

    @api.get("/{name}")
    def challenge(name: Name) -> dict[str, Any]:
        """Return manifest, board and hospitals' figures of a challenge."""
        with store.read() as connection:
            found = find(connection, name)
            return {
                **_brief(found, clock()),
                "manifest": found.manifest.as_json(),
                "board": [row.as_json() for row in open_board(connection, found)],
                "sites": site_reports(connection, name),
                "disclaimer": DISCLAIMER,
            }

    @api.get("/{name}/questions", response_class=Response)
    def told(name: Name) -> Response:
        """Return the questions to be answered, one JSON object a line."""
        with store.read() as connection:
            return Response(questions(connection, find(connection, name), clock()), media_type=LINES)

    @api.get("/{name}/verify")
    def verified(name: Name) -> dict[str, Any]:
        """Check the ledger, the commitments, every score and the final board."""
        with store.read() as connection:
            found = verify_challenge(connection, name)
        return {"ledger": found.ledger, "entries": found.entries, "sites": found.sites, "final": found.final}

    @api.get("/{name}/opening")
    def opening(name: Name) -> dict[str, Any]:
        """Return what a closed challenge tells: the hidden data as text, and the salts of their commitments."""
        with store.read() as connection:
            if not find(connection, name).closed:
                raise NotPermittedError(f"{name}: nothing is told before it is closed")
            parts = {part: hidden_part(connection, name, part) for part in WHICH}
        return {part: {"salt": salt, "content": content.decode()} for part, (salt, content) in parts.items()}


def _entering(api: APIRouter, store: Store, clock: Clock) -> None:
    turn = threading.Lock()

    @api.get("/{name}/entries")
    def mine(name: Name, request: Request) -> list[dict[str, Any]]:
        """List one's own entries with what one was told."""
        with store.read() as connection:
            find(connection, name)
            return [_entry(one) for one in entries_of(connection, name, str(request.state.user))]

    @api.post("/{name}/entries", status_code=201)
    async def add(
        name: Name,
        request: Request,
        title: Annotated[str, Query(min_length=1, max_length=200)],
        form: Annotated[Literal["csv", "json", "jsonl", "zip"], Query()],
    ) -> dict[str, Any]:
        """Enter: the body is a file of predictions, or the zip of a model, which is evaluated before the answer comes."""
        user = str(request.state.user)
        if form == "zip":
            with tempfile.TemporaryDirectory(prefix="xinglin-challenge-") as folder:
                path = File(folder) / "model.zip"
                with path.open("wb") as target:
                    async for chunk in request.stream():
                        target.write(chunk)
                made = await run_in_threadpool(_evaluate, store, turn, name, path, user, title, clock())
        else:
            data = await request.body()
            made = await run_in_threadpool(
                enter_file, store, name, data, f"x.{form}", entrant=user, title=title, now=clock()
            )
        return _entry(made)

    @api.get("/{name}/entries/{number}/receipt")
    def proof(name: Name, number: Number, request: Request) -> dict[str, Any]:
        """Return the receipt of one's own entry."""
        with store.read() as connection:
            one = find_entry(connection, name, number)
            if one.entrant != str(request.state.user):
                raise NotPermittedError(f"{name}: entry {number} is somebody else's")
            return receipt(connection, name, number)


def _organising(api: APIRouter, store: Store, clock: Clock) -> None:
    strict = [Depends(strict_json)]

    @api.post("", status_code=201, dependencies=strict)
    def create(body: CreateBody, request: Request) -> dict[str, Any]:
        """Create a challenge: the hidden cases are committed to; the answer holds the manifest to publish."""
        user = str(request.state.user)
        if user != "local" and role_of(store, user) != "organiser":
            raise NotPermittedError("creating a challenge needs the role organiser")
        draft = manifest_from(body.manifest)
        lines = b"\n".join(canonical_json(case) for case in body.cases)
        cases = read_cases(lines, "cases", labels=draft.labels)
        return create_challenge(store, draft, cases, organiser=user, now=clock()).manifest.as_json()

    @api.post("/{name}/close")
    def close(name: Name, request: Request) -> list[dict[str, Any]]:
        """Close a challenge that one organises; returns the final board."""
        done = close_challenge(store, name, by=str(request.state.user), now=clock())
        return [row.as_json() for row in done.final]

    @api.post("/{name}/sites", status_code=201, dependencies=strict)
    def report(name: Name, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """Take a hospital's signed report; the signature, not who sends it, is what counts."""
        return accept_report(store, name, body, by=str(request.state.user), now=clock())


def _evaluate(
    store: Store, turn: threading.Lock, name: str, path: File, user: str, title: str, at: datetime
) -> Entered:
    """One evaluation at a time: its limits of memory and time are meant for a machine that it has to itself."""
    if not turn.acquire(blocking=False):
        raise BusyError("another model is being evaluated: try again in some minutes")
    try:
        return enter_model(store, name, path, entrant=user, title=title, now=at)
    finally:
        turn.release()


def _brief(one: Challenge, at: datetime) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.manifest.title.model_dump(),
        "phase": one.phase(at),
        "opens": one.manifest.opens,
        "closes": one.manifest.closes,
        "metric": one.manifest.metric,
        "organiser": one.organiser,
    }


def _entry(one: Entered) -> dict[str, Any]:
    return {
        "entry": one.id,
        "title": one.title,
        "kind": one.kind,
        "state": one.state,
        "told": dict(one.told),
        "digest": one.digest,
        "model": one.model,
        "time": one.time,
        "seq": one.seq,
    }
