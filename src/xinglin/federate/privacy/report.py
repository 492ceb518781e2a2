"""The signed report of a node's budget: what was spent, by what steps, under which limits; anybody can compute it again.

The report names no patient and no small group: of each cohort only how many patients it has and the steps of the worst
one. It is bound to the ledger: its digest and signature are an entry, and it names the head of the chain before that
entry, so a node cannot sign two histories without one of them contradicting its own chain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from xinglin.errors import ConflictError, InvalidInputError
from xinglin.federate.privacy.accountant import Kind, Step, check_delta, epsilon
from xinglin.federate.privacy.budget import (
    HOLDERS,
    finite,
    hospital_history,
    spent,
    stated_limit,
)
from xinglin.federate.privacy.lineage import find_cohort
from xinglin.ledger import append, entries
from xinglin.ledger.signature import check_signature, sign
from xinglin.records.manifest import canonical
from xinglin.store.keys import digest
from xinglin.store.tables_ledger import ledger_head
from xinglin.store.tables_privacy import privacy_cohorts, privacy_spends
from xinglin.types import DISCLAIMER

FORMAT = "xinglin-privacy-report/1"
CONTEXT = "privacy report"
_TOLERANCE = 1e-6
"""Relative; another version of a numerical library may differ in the last digits."""


def account(connection: Connection, delta: float, *, kind: Kind = "rdp") -> dict[str, Any]:
    """Return the state of the budget as JSON values.

    Args:
        connection: a transaction.
        delta: at which epsilon is counted; that of the patients' limit where one is stated.
        kind: accountant.

    Raises:
        InvalidInputError: a delta out of range.
    """
    limits = {holder: stated_limit(connection, holder) for holder in HOLDERS}
    own = limits["patient"]
    at = own.delta if own is not None else delta
    cohorts = []
    numbers: list[int] = list(
        connection.execute(select(privacy_cohorts.c.id).order_by(privacy_cohorts.c.id)).scalars()
    )
    for number in numbers:
        cohort = find_cohort(connection, number)
        found = spent(connection, cohort, at, kind)
        cohorts.append(
            {
                **{"cohort": number, "digest": cohort.digest, "patients": cohort.patients},
                **{
                    "epsilon": finite(found.epsilon),
                    "worst": _steps(found.worst),
                    "jobs": _asked_for(connection, number),
                },
            }
        )
    hospital = hospital_history(connection)
    everybody = limits["hospital"]
    hospital_at = everybody.delta if everybody is not None else at
    return {
        "format": FORMAT,
        "accountant": kind,
        "delta": at,
        "limits": {
            holder: None if limit is None else {"epsilon": finite(limit.epsilon), "delta": limit.delta}
            for holder, limit in limits.items()
        },
        "cohorts": cohorts,
        "hospital": {
            **{"delta": hospital_at, "epsilon": finite(epsilon(hospital, hospital_at, kind))},
            "steps": _steps(hospital),
        },
        "jobs": _jobs(connection),
    }


def report(
    connection: Connection, *, node: str, key: Path, delta: float, kind: Kind = "rdp", by: str = "node"
) -> dict[str, Any]:
    """Return a signed report, and keep its digest and signature in the ledger.

    Args:
        connection: from ``Store.write()``.
        node: name of the hospital.
        key: file of the node's private key (Ed25519).
        delta: where no limit states one.
        kind: accountant.
        by: who asks for it.

    Returns:
        ``{"statement", "signature"}``.

    Raises:
        As :func:`account` and :func:`~xinglin.ledger.signature.sign`.
    """
    head = connection.execute(select(ledger_head.c.seq, ledger_head.c.hash).with_for_update()).one()
    statement = account(connection, delta, kind=kind) | {
        "node": node,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledger": {"seq": head.seq, "hash": head.hash},
        "disclaimer": DISCLAIMER,
    }
    signature = sign(digest(canonical(statement)), key, CONTEXT)
    detail = {"node": node, "signature": signature, "cohorts": len(statement["cohorts"])}
    append(connection, "privacy.report", actor=by, subjects=(signature["digest"],), detail=detail)
    return {"statement": statement, "signature": signature}


def verify_report(signed: Any, public_key: str, *, connection: Connection | None = None) -> Mapping[str, Any]:
    """Check a report: its signature, its arithmetic, and with the node's store its place in the ledger.

    Args:
        signed: as read from JSON.
        public_key: of the node, as the reader knows it (64 hexadecimal digits).
        connection: to the node's own store, to look the report up in its ledger; the chain itself is checked by
            ``xinglin audit verify``.

    Returns:
        The statement.

    Raises:
        InvalidInputError: no report, or the signature is false or of another key.
        ConflictError: its numbers do not follow from its steps, or the ledger knows it otherwise.
    """
    statement = signed.get("statement") if isinstance(signed, dict) else None
    if not isinstance(statement, dict) or set(signed) != {"statement", "signature"}:
        raise InvalidInputError("privacy report: expected an object of a statement and its signature")
    if statement.get("format") != FORMAT:
        raise InvalidInputError(f"privacy report: expected the format {FORMAT}")
    said = digest(canonical(statement))
    check_signature(signed["signature"], said, CONTEXT, public_key)
    try:
        kind, delta, hospital = statement["accountant"], statement["delta"], statement["hospital"]
        check_delta(delta)
        claims = [
            (row["epsilon"], row["worst"], delta, f"cohort {row['cohort']}") for row in statement["cohorts"]
        ]
        claims.append((hospital["epsilon"], hospital["steps"], hospital["delta"], "the hospital"))
        found = [(claim, epsilon(_read(steps), at, kind), who) for claim, steps, at, who in claims]
        place = (int(statement["ledger"]["seq"]), str(statement["ledger"]["hash"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(f"privacy report: it is damaged: {type(error).__name__}") from None
    for claim, computed, who in found:
        told = math.inf if claim == "infinite" else claim
        if not isinstance(told, int | float) or not (
            told == computed or math.isclose(told, computed, rel_tol=_TOLERANCE)
        ):
            raise ConflictError(
                f"privacy report: epsilon of {who} does not follow from its steps: do not rely on it"
            )
    if connection is not None:
        _in_ledger(connection, said, place)
    return statement


def _in_ledger(connection: Connection, said: str, place: tuple[int, str]) -> None:
    before = next(iter(entries(connection, start=max(place[0], 1))), None)
    if place[0] and (before is None or (before.seq, before.hash) != place):
        raise ConflictError("privacy report: the ledger has another entry where the report says it was made")
    after = next(iter(entries(connection, start=place[0] + 1)), None)
    if after is None or after.action != "privacy.report" or after.subjects != (said,):
        raise ConflictError("privacy report: the ledger does not hold it: it was made elsewhere or changed")


def _jobs(connection: Connection) -> list[dict[str, Any]]:
    spends = privacy_spends.c
    rows = connection.execute(
        select(spends.job, spends.unit, func.count().label("rounds"), func.sum(spends.steps).label("steps"))
        .where(spends.state != "released")
        .group_by(spends.job, spends.unit)
        .order_by(spends.job, spends.unit)
    )
    return [
        {"job": row.job, "unit": row.unit, "reservations": row.rounds, "steps": int(row.steps)}
        for row in rows
    ]


def _asked_for(connection: Connection, cohort: int) -> list[str]:
    """Jobs that trained on just these patients; others may have touched them through other data sets."""
    spends = privacy_spends.c
    own = (spends.cohort == cohort, spends.state != "released")
    return list(connection.execute(select(spends.job).where(*own).distinct().order_by(spends.job)).scalars())


def _steps(steps: tuple[Step, ...]) -> list[list[float]]:
    return [[step.sample_rate, step.noise_multiplier, step.steps, step.group] for step in steps]


def _read(steps: Any) -> tuple[Step, ...]:
    return tuple(Step(rate, noise, count, group) for rate, noise, count, group in steps)
