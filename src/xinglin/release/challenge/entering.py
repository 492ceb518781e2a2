"""Entering: dates, the daily cap, the Ladder, the ledger, all in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from xinglin.errors import ConflictError, InputTooLargeError, InvalidInputError, NotPermittedError
from xinglin.ledger import append
from xinglin.release.challenge.board import figures_of, interval
from xinglin.release.challenge.ladder import climb
from xinglin.release.challenge.manifest import EntryKind
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.parts import read_inputs
from xinglin.release.challenge.predictions import Predictions, read_predictions
from xinglin.release.challenge.record import (
    Challenge,
    Entered,
    entries_of,
    find,
    find_entry,
    hidden_cases,
    hidden_part,
)
from xinglin.store import Store
from xinglin.store.tables_challenge import challenge_entries

MAX_TITLE = 200


def may_enter(
    connection: Connection, challenge: Challenge, entrant: str, kind: EntryKind, now: datetime
) -> None:
    """Check that a person may enter now.

    Raises:
        ConflictError: it has not opened, or takes no more entries.
        NotPermittedError: the day's entries are made, or entries of this kind are not taken.
        InvalidInputError: no name.
    """
    if not entrant.strip() or len(entrant) > 200:
        raise InvalidInputError("entrant: expected a name of 1 to 200 characters")
    phase = challenge.phase(now)
    if phase == "coming":
        raise ConflictError(f"{challenge.name}: it opens at {challenge.manifest.opens}")
    if phase != "open":
        raise ConflictError(f"{challenge.name}: it took entries until {challenge.manifest.closes}")
    if kind not in challenge.manifest.entries:
        raise NotPermittedError(
            f"{challenge.name}: entries are {' or '.join(challenge.manifest.entries)}, not {kind}"
        )
    day = now.astimezone(UTC).date().isoformat()
    made = sum(one.time.startswith(day) for one in entries_of(connection, challenge.name, entrant))
    if made >= challenge.manifest.daily:
        raise NotPermittedError(
            f"{challenge.name}: {challenge.manifest.daily} entries a day, which {entrant} has made: come back "
            "tomorrow (UTC)"
        )


def enter(
    store: Store,
    name: str,
    predictions: Predictions,
    *,
    entrant: str,
    title: str,
    now: datetime,
    kind: EntryKind = "predictions",
    model: str | None = None,
    barriers: tuple[str, ...] = (),
) -> Entered:
    """Enter answers to the hidden questions.

    Args:
        store: where the challenge is kept.
        name: of the challenge.
        predictions: of all its cases.
        entrant: who enters.
        title: what it is, for the board.
        now: the present moment.
        kind: whether a person predicted, or a model was evaluated here.
        model: digest of the model's files.
        barriers: what confined the model (``jail``).

    Raises:
        ConflictError, NotPermittedError, InvalidInputError: as :func:`may_enter`; answers that do not fit.
    """
    _title(title)
    with store.write() as connection:
        challenge = find(connection, name, lock=True)
        may_enter(connection, challenge, entrant, kind, now)
        metric = METRICS[challenge.manifest.metric]
        if metric.needs_probabilities and predictions.bare:
            raise InvalidInputError(f"{name}: {metric.name} scores probabilities, got bare labels")
        cases = hidden_cases(connection, challenge)
        if (
            predictions.ids != tuple(case.id for case in cases)
            or predictions.labels != challenge.manifest.labels
        ):
            raise InvalidInputError(f"{name}: expected an answer to each of its {len(cases)} cases")
        shown = [case for case in cases if case.part == "board"]
        figures = figures_of(metric, predictions, shown)
        losses = metric.losses(figures)
        best, before = _last(connection, name, entrant)
        rung = climb(losses, best, None if before is None else before["loss"])
        told: dict[str, Any]
        if before is None or rung.accepted:
            value = 1.0 - rung.told if metric.greater else rung.told * metric.scale
            figure = interval(figures)
            told = {**figure.as_json(), "value": value, "n": figure.n, "loss": rung.told}
        else:
            told = {key: before[key] for key in ("value", "low", "high", "n", "loss")}
        told |= {"accepted": rung.accepted, "barriers": list(barriers)}
        return _keep(
            connection,
            challenge,
            entrant,
            now,
            {
                "title": title.strip(),
                "kind": kind,
                "digest": predictions.digest,
                "model": model,
                "state": "accepted" if rung.accepted else "kept",
                "told": told,
                "content": predictions.canonical(),
                "losses": losses.tobytes() if rung.accepted else None,
            },
        )


def enter_file(
    store: Store, name: str, data: bytes, file: str, *, entrant: str, title: str, now: datetime
) -> Entered:
    """Enter a file of predictions.

    Raises:
        As :func:`.predictions.read_predictions` and :func:`enter`.
    """
    with store.read() as connection:
        labels = find(connection, name).manifest.labels
        ids = read_inputs(hidden_part(connection, name, "inputs")[1])
    return enter(
        store, name, read_predictions(data, file, ids, labels), entrant=entrant, title=title, now=now
    )


def enter_failed(
    store: Store, name: str, *, entrant: str, title: str, model: str, reason: str, now: datetime
) -> Entered:
    """Keep that a model gave no answer: it counts as one of the day's entries, since it cost an evaluation."""
    _title(title)
    with store.write() as connection:
        challenge = find(connection, name, lock=True)
        may_enter(connection, challenge, entrant, "model", now)
        told = {"accepted": False, "reason": reason[:500]}
        row = {"title": title.strip(), "kind": "model", "digest": model, "model": model, "state": "failed"}
        return _keep(connection, challenge, entrant, now, row | {"told": told})


def _keep(
    connection: Connection, challenge: Challenge, entrant: str, now: datetime, row: Mapping[str, Any]
) -> Entered:
    told = row["told"]
    detail = {
        "challenge": challenge.name,
        "kind": row["kind"],
        "state": row["state"],
        "told": told.get("value"),
        "barriers": told.get("barriers", []),
    }
    subjects = tuple(part for part in (row["digest"], row["model"], challenge.manifest.digest) if part)
    entry = append(connection, "challenge.enter", actor=entrant, subjects=subjects, detail=detail)
    time = now.astimezone(UTC).isoformat(timespec="seconds")
    made = connection.execute(
        insert(challenge_entries).values(
            challenge=challenge.name, entrant=entrant, time=time, seq=entry.seq, **row
        )
    )
    number = made.inserted_primary_key
    return find_entry(connection, challenge.name, int(number[0]) if number else 0)


def _last(connection: Connection, name: str, entrant: str) -> tuple[Any, Mapping[str, Any] | None]:
    """The last accepted entry of a person: its losses, and what was told."""
    query = (
        select(challenge_entries.c.losses, challenge_entries.c.told)
        .where(
            challenge_entries.c.challenge == name,
            challenge_entries.c.entrant == entrant,
            challenge_entries.c.state == "accepted",
        )
        .order_by(challenge_entries.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return (None, None) if row is None else (np.frombuffer(row.losses, np.float64), row.told)


def _title(title: str) -> None:
    if not title.strip():
        raise InvalidInputError("title: expected a few words that say what the entry is")
    if len(title) > MAX_TITLE:
        raise InputTooLargeError(f"title: at most {MAX_TITLE} characters")
