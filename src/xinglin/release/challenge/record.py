"""Challenges in the store: creating one, and reading what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, Row, insert, select

from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import append
from xinglin.measure import Figure
from xinglin.release.challenge import board
from xinglin.release.challenge.manifest import Manifest, manifest_from
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.parts import (
    Case,
    Which,
    check_opening,
    commit,
    inputs_bytes,
    join,
    labels_bytes,
)
from xinglin.store import Store
from xinglin.store.keys import new_salt
from xinglin.store.tables_challenge import challenge_entries, challenge_hidden, challenge_sites, challenges

State = Literal["accepted", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge as it stands."""

    name: str
    manifest: Manifest
    organiser: str
    closed: bool
    final: tuple[board.Row, ...]
    """The board at close; empty while it is open."""
    seq: int
    """Ledger entry that created it."""
    closed_seq: int | None

    def phase(self, now: datetime) -> Literal["coming", "open", "ended", "closed"]:
        """Return where it stands at a moment; ``ended`` waits for the organiser to close it."""
        if self.closed:
            return "closed"
        at = now.astimezone(UTC)
        if at < self.manifest.opening:
            return "coming"
        return "open" if at < self.manifest.closing else "ended"


@dataclass(frozen=True, slots=True)
class Entered:
    """An entry as it is kept."""

    id: int
    challenge: str
    entrant: str
    title: str
    kind: str
    digest: str
    """Of the canonical predictions; of a model that failed, of its files."""
    model: str | None
    state: State
    told: Mapping[str, Any]
    """What its author was told: figure, barriers, or why it failed."""
    time: str
    seq: int


def create_challenge(
    store: Store,
    draft: Manifest,
    cases: Sequence[Case],
    *,
    organiser: str,
    now: datetime,
    salts: Mapping[Which, str] | None = None,
) -> Challenge:
    """Commit to the hidden cases and open a challenge.

    Args:
        store: where it is kept.
        draft: the manifest; one that has a commitment already must fit the cases and the salts.
        cases: the hidden ones, each of part ``board`` or ``final``.
        organiser: who answers for it, and closes it.
        now: the present moment.
        salts: of the commitments; ``None``: drawn.

    Raises:
        InvalidInputError: cases that do not fit, a commitment that they do not open, a challenge that is over.
        ConflictError: the name is taken.
    """
    if now.astimezone(UTC) >= draft.closing:
        raise InvalidInputError(f"{draft.name}: it closes at {draft.closes}, which has passed")
    unknown = sum(case.label not in draft.labels for case in cases)
    if unknown:
        raise InvalidInputError(f"{draft.name}: {unknown} hidden cases have a label that the manifest lacks")
    if salts is None:
        if draft.commitment is not None:
            raise InvalidInputError(f"{draft.name}: the manifest is committed already: give its salts")
        salts = {"inputs": new_salt(), "labels": new_salt()}
    manifest = draft.model_copy(update={"commitment": commit(draft.name, cases, salts)})
    if draft.commitment is not None and draft.commitment != manifest.commitment:
        raise InvalidInputError(f"{draft.name}: cases and salts do not open the manifest's commitment")
    content = {"inputs": inputs_bytes(cases), "labels": labels_bytes(cases)}
    committed = manifest.committed()
    with store.write() as connection:
        if _row(connection, manifest.name) is not None:
            raise ConflictError(f"there is a challenge {manifest.name} already: choose another name")
        entry = append(
            connection,
            "challenge.create",
            actor=organiser,
            subjects=(manifest.digest, committed.inputs, committed.labels),
            detail={"challenge": manifest.name, "cases": committed.cases, "closes": manifest.closes},
        )
        connection.execute(
            insert(challenges).values(
                name=manifest.name,
                manifest=manifest.as_json(),
                digest=manifest.digest,
                organiser=organiser,
                state="open",
                seq=entry.seq,
            )
        )
        parts: tuple[Which, ...] = ("inputs", "labels")
        connection.execute(
            insert(challenge_hidden),
            [
                {"challenge": manifest.name, "part": part, "salt": salts[part], "content": content[part]}
                for part in parts
            ],
        )
        return find(connection, manifest.name)


def find(connection: Connection, name: str, *, lock: bool = False) -> Challenge:
    """Return a challenge.

    Args:
        connection: a transaction.
        name: of the challenge.
        lock: whether nobody else may enter or close it until this transaction ends.

    Raises:
        UnknownNameError: there is none; the nearest names are listed.
    """
    row = _row(connection, name, lock)
    if row is None:
        names: list[str] = list(connection.execute(select(challenges.c.name)).scalars())
        near = get_close_matches(name, names, n=3, cutoff=0.4) or sorted(names)[:5]
        raise UnknownNameError(f"there is no challenge {name[:60]!r}; there are: {', '.join(near) or 'none'}")
    return _challenge(row)


def list_challenges(connection: Connection) -> list[Challenge]:
    """Return all challenges, newest first."""
    return [
        _challenge(row) for row in connection.execute(select(challenges).order_by(challenges.c.seq.desc()))
    ]


def entries_of(connection: Connection, name: str, entrant: str | None = None) -> list[Entered]:
    """Return the entries of a challenge in order, of everybody or of one person."""
    columns = [one for one in challenge_entries.c if one.name not in ("content", "losses")]
    query = select(*columns).where(challenge_entries.c.challenge == name).order_by(challenge_entries.c.id)
    if entrant is not None:
        query = query.where(challenge_entries.c.entrant == entrant)
    return [Entered(**row._mapping) for row in connection.execute(query)]


def find_entry(connection: Connection, name: str, number: int) -> Entered:
    """Return one entry.

    Raises:
        UnknownNameError: the challenge has none of this number.
    """
    found = next((one for one in entries_of(connection, name) if one.id == number), None)
    if found is None:
        raise UnknownNameError(f"{name}: there is no entry {number}")
    return found


def hidden_part(connection: Connection, name: str, which: Which) -> tuple[str, bytes]:
    """Return salt and bytes of a hidden part: for scoring, and to be told at close."""
    query = select(challenge_hidden.c.salt, challenge_hidden.c.content).where(
        challenge_hidden.c.challenge == name, challenge_hidden.c.part == which
    )
    row = connection.execute(query).one()
    return row.salt, bytes(row.content)


def hidden_cases(connection: Connection, challenge: Challenge) -> list[Case]:
    """Return the hidden cases, after checking that they still open their commitments."""
    found: dict[Which, bytes] = {}
    for which in ("inputs", "labels"):
        salt, found[which] = hidden_part(connection, challenge.name, which)
        check_opening(challenge.name, challenge.manifest.committed(), which, found[which], salt)
    return join(found["inputs"], found["labels"], challenge.manifest.labels)


def questions(connection: Connection, challenge: Challenge, now: datetime) -> bytes:
    """Return the questions of the hidden part as an entrant may have them.

    Raises:
        NotPermittedError: they are hidden, or it is too early.
    """
    if challenge.phase(now) == "coming" or (challenge.manifest.inputs == "hidden" and not challenge.closed):
        raise NotPermittedError(f"{challenge.name}: its questions are not told yet")
    return hidden_part(connection, challenge.name, "inputs")[1]


def open_board(connection: Connection, challenge: Challenge) -> list[board.Row]:
    """Return the board as it may be shown: of accepted entries while it is open, the final one afterwards."""
    metric = METRICS[challenge.manifest.metric]
    if challenge.closed:
        return list(challenge.final)
    query = (
        select(challenge_entries)
        .where(challenge_entries.c.challenge == challenge.name, challenge_entries.c.state == "accepted")
        .order_by(challenge_entries.c.id)
    )
    last = {row.entrant: row for row in connection.execute(query)}
    counts: dict[str, int] = {}
    for one in entries_of(connection, challenge.name):
        counts[one.entrant] = counts.get(one.entrant, 0) + 1
    if not last:
        return []
    losses = np.array([np.frombuffer(row.losses, np.float64) for row in last.values()])
    places = board.ranks(metric, losses, challenge.manifest.alpha)
    rows = [
        board.Row(
            entrant=row.entrant,
            title=row.title,
            entry=row.id,
            kind=row.kind,
            rank=place,
            figure=Figure(row.told["value"], row.told["low"], row.told["high"], row.told["n"]),
            entries=counts[row.entrant],
            time=row.time,
            baseline=row.entrant == challenge.organiser,
        )
        for row, place in zip(last.values(), places, strict=True)
    ]
    return board.in_order(rows, metric)


def site_reports(connection: Connection, name: str) -> list[dict[str, Any]]:
    """Return the signed reports of hospitals, in order."""
    query = select(challenge_sites.c.report).where(challenge_sites.c.challenge == name)
    return list(connection.execute(query.order_by(challenge_sites.c.id)).scalars())


def _row(connection: Connection, name: str, lock: bool = False) -> Row[Any] | None:
    query = select(challenges).where(challenges.c.name == name)
    return connection.execute(query.with_for_update() if lock else query).first()


def _challenge(row: Row[Any]) -> Challenge:
    return Challenge(
        row.name,
        manifest_from(row.manifest, row.name),
        row.organiser,
        row.state == "closed",
        tuple(board.row_from(one) for one in row.board or ()),
        row.seq,
        row.closed_seq,
    )
