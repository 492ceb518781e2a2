"""Closing: the ranking on the part that no score has touched, and the opening of the commitments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, select, update

from xinglin.errors import ConflictError, NotPermittedError
from xinglin.ledger import append
from xinglin.release.challenge import board
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.parts import WHICH, Case
from xinglin.release.challenge.predictions import read_canonical
from xinglin.release.challenge.record import Challenge, Entered, entries_of, find, hidden_cases, hidden_part
from xinglin.store import Store
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_challenge import challenge_entries, challenges


def close_challenge(store: Store, name: str, *, by: str, now: datetime) -> Challenge:
    """Rank everybody's last accepted entry on the part kept for that, and tell the hidden data.

    Raises:
        NotPermittedError: somebody else organises it.
        ConflictError: it takes entries still, or is closed already.
        InvalidInputError: the hidden data no longer open their commitments.
    """
    with store.write() as connection:
        challenge = find(connection, name, lock=True)
        if by != challenge.organiser:
            raise NotPermittedError(f"{name}: {challenge.organiser} organises it and closes it")
        if challenge.closed:
            raise ConflictError(
                f"{name}: it is closed already, by entry {challenge.closed_seq} of the ledger"
            )
        if now.astimezone(UTC) < challenge.manifest.closing:
            raise ConflictError(f"{name}: it takes entries until {challenge.manifest.closes}")
        rows = final_rows(connection, challenge, hidden_cases(connection, challenge))
        told = [row.as_json() for row in rows]
        entry = append(
            connection,
            "challenge.close",
            actor=by,
            subjects=(challenge.manifest.digest, digest(canonical_json(told))),
            detail={
                "challenge": name,
                "entrants": len(rows),
                "salts": {part: hidden_part(connection, name, part)[0] for part in WHICH},
            },
        )
        connection.execute(
            update(challenges)
            .where(challenges.c.name == name)
            .values(state="closed", board=told, closed_seq=entry.seq)
        )
        return find(connection, name)


def final_rows(connection: Connection, challenge: Challenge, cases: Sequence[Case]) -> list[board.Row]:
    """Return the board at close: everybody's last accepted entry on the final part."""
    metric = METRICS[challenge.manifest.metric]
    last: dict[str, Entered] = {}
    counts: dict[str, int] = {}
    for one in entries_of(connection, challenge.name):
        counts[one.entrant] = counts.get(one.entrant, 0) + 1
        if one.state == "accepted":
            last[one.entrant] = one
    if not last:
        return []
    final = [case for case in cases if case.part == "final"]
    answers = {}
    for one in last.values():
        query = select(challenge_entries.c.content).where(challenge_entries.c.id == one.id)
        answers[one.entrant] = read_canonical(connection.execute(query).scalar_one())
    figures = {who: board.figures_of(metric, found, final) for who, found in answers.items()}
    losses = np.array([metric.losses(found) for found in figures.values()])
    places = board.ranks(metric, losses, challenge.manifest.alpha)
    rows = [
        board.Row(
            entrant=who,
            title=one.title,
            entry=one.id,
            kind=one.kind,
            rank=place,
            figure=board.interval(figures[who]),
            entries=counts[who],
            time=one.time,
            baseline=who == challenge.organiser,
            groups=board.subgroups(metric, answers[who], final),
        )
        for (who, one), place in zip(last.items(), places, strict=True)
    ]
    return board.in_order(rows, metric)
