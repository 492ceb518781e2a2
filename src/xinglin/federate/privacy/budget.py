"""The privacy budget of a node: reserved before training, counted for good, never above the limit.

The account is the patient's. Every step that ever touched a patient counts, in whatever data set, round or job, as the
step that bounds what it tells about this patient:

* unit ``example``: examples are drawn and clipped; a patient with k of them is a group of k (:meth:`Step.of_group`);
* unit ``patient``: patients are drawn and clipped; whoever stands in the data set under k identifiers is a group of k;
* unit ``hospital``: the server clips and noises the hospital's whole update; no patient moves it further than that.

The epsilon of a data set is that of its worst patient. Unit ``hospital`` has an account of its own besides: the
hospital's, over all its jobs, whomever they touched.

A reservation counts from the moment it is made, so a node that dies afterwards has spent it. It can be released only
while nothing was begun under it: what was never computed cannot have left. One that was begun is never released.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, insert, select, true, update

from xinglin.errors import BudgetExceededError, ConfigurationError, ConflictError, InvalidInputError
from xinglin.federate.privacy.accountant import Kind, Step, check_delta, epsilon, merged
from xinglin.federate.privacy.lineage import Cohort, lock_node
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables_privacy import privacy_limits, privacy_members, privacy_spends

Unit = Literal["example", "patient", "hospital"]
UNITS: tuple[Unit, ...] = ("example", "patient", "hospital")
Holder = Literal["patient", "hospital"]
HOLDERS: tuple[Holder, ...] = ("patient", "hospital")
_COUNTS = privacy_spends.c.state != "released"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a node lets each patient, or itself as a hospital, spend in a lifetime."""

    epsilon: float
    """Infinite: counted, not limited."""
    delta: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """Privacy set aside for one round."""

    id: int
    cohort: Cohort
    job: str
    round: int
    unit: Unit
    step: Step
    delta: float
    spent: float
    """Epsilon of the worst patient before, at ``delta``."""
    total: float
    """The same with this round."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a data set, or a holder, has spent."""

    epsilon: float
    """Of the worst patient."""
    delta: float
    patients: int
    worst: tuple[Step, ...]
    """What that patient took part in, each step as it counts for this patient."""
    kind: Kind


def state_limit(
    connection: Connection, limit: float | None, delta: float, *, by: str, holder: Holder = "patient"
) -> None:
    """State what may be spent in a lifetime; the newest statement holds, also on what was spent before.

    Args:
        connection: from ``Store.write()``.
        limit: epsilon; ``None`` counts without a limit.
        delta: at which it is counted.
        by: who states it.
        holder: ``patient``: each patient of the node; ``hospital``: the node itself, for jobs of unit ``hospital``.

    Raises:
        InvalidInputError: a number out of range, or an unknown holder.
    """
    if holder not in HOLDERS:
        raise InvalidInputError(f"holder: expected patient or hospital, got {holder!r}")
    if limit is not None and not (math.isfinite(limit) and limit >= 0):
        raise InvalidInputError(f"epsilon: expected 0 or more, or no limit, got {limit!r}")
    check_delta(delta)
    lock_node(connection)
    row = {"holder": holder, "epsilon": limit, "delta": delta, "by": by, "time": _now()}
    connection.execute(insert(privacy_limits).values(row))
    detail = {"holder": holder, "epsilon": limit, "delta": delta}
    append(connection, "privacy.limit", actor=by, detail=detail)


def stated_limit(connection: Connection, holder: Holder = "patient") -> Limit | None:
    """Return the limit in force, if one was stated."""
    row = connection.execute(
        select(privacy_limits.c.epsilon, privacy_limits.c.delta)
        .where(privacy_limits.c.holder == holder)
        .order_by(privacy_limits.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else Limit(math.inf if row.epsilon is None else row.epsilon, row.delta)


def reserve(
    connection: Connection,
    cohort: Cohort,
    *,
    job: str,
    round: int,
    unit: Unit,
    step: Step,
    delta: float,
    limit: float | None = None,
    job_limit: float | None = None,
    kind: Kind = "rdp",
    actor: str = "node",
) -> Reservation:
    """Set privacy aside for one round, before it is trained; nobody else can spend until the transaction ends.

    Args:
        connection: from ``Store.write()``; commit it before training begins.
        cohort: from :func:`~.lineage.enrol`: everybody whose data the round may touch.
        job: name of the job.
        round: its number.
        unit: what is drawn, clipped and noised.
        step: how; noise 0 stands for a round without privacy, which no limit allows.
        delta: of the job; must be below 1/n, with n patients in the cohort.
        limit: most that any patient may have spent in a lifetime, for this caller; the node's own limit holds too.
        job_limit: most that any patient may spend in this job.
        kind: accountant.
        actor: who asks.

    Raises:
        BudgetExceededError: a limit would be exceeded; nothing is reserved.
        ConfigurationError: neither the caller nor the node states a limit.
        InvalidInputError: an unknown unit, a number out of range, or a delta of 1/n or more.
    """
    _check(job, round, unit)
    lock_node(connection)
    check_delta(delta, cohort.patients)
    own = stated_limit(connection)
    if own is None and limit is None:
        raise ConfigurationError(
            "no privacy limit is stated for the patients of this node: "
            "`xinglin federate budget limit --epsilon 8 --delta 1e-5`"
        )
    bounds = [(f"the caller's limit of {limit:g}", limit, delta, true())] if limit is not None else []
    if own is not None:
        check_delta(own.delta, cohort.patients)
        bounds.append((f"this node's limit of {own.epsilon:g} a patient", own.epsilon, own.delta, true()))
    if job_limit is not None:
        bounds.append(
            (f"the job's own limit of {job_limit:g}", job_limit, delta, privacy_spends.c.job == job)
        )
    for name, most, at, which in bounds:
        _within(name, most, at, kind, histories(connection, cohort, which), unit, step)
    everybody = stated_limit(connection, "hospital")
    if unit == "hospital" and everybody is not None:
        past = {(hospital_history(connection), (1, 1)): 1}
        name = f"this hospital's limit of {everybody.epsilon:g}"
        _within(name, everybody.epsilon, everybody.delta, kind, past, unit, step)
    before, after = _worst(histories(connection, cohort), unit, step, delta, kind)
    row = {
        **{"cohort": cohort.id, "job": job, "round": round, "unit": unit, "delta": delta},
        **{"sample_rate": step.sample_rate, "noise_multiplier": step.noise_multiplier, "steps": step.steps},
        **{"state": "reserved", "time": _now()},
    }
    made = connection.execute(insert(privacy_spends).values(row)).inserted_primary_key
    if made is None:
        raise ConflictError("the database gave no number for the reservation: nothing is reserved")
    detail = {
        name: row[name] for name in ("job", "round", "unit", "delta", "sample_rate", "noise_multiplier")
    }
    detail |= {
        "steps": step.steps,
        "reservation": int(made[0]),
        "patients": cohort.patients,
        "accountant": kind,
    }
    detail |= {"spent": finite(before), "total": finite(after)}
    append(connection, "privacy.reserve", actor=actor, subjects=(cohort.digest,), detail=detail)
    return Reservation(int(made[0]), cohort, job, round, unit, step, delta, before, after)


def ask(store: Store, cohort: Cohort, **asked: Any) -> Reservation:
    """Reserve in a transaction of its own; a refusal is written into the ledger too.

    Args:
        store: where.
        cohort: as :func:`reserve`, like all that follows.
        asked: the other arguments of :func:`reserve`.

    Raises:
        As :func:`reserve`.
    """
    try:
        with store.write() as connection:
            return reserve(connection, cohort, **asked)
    except BudgetExceededError as error:
        detail = {"job": asked["job"], "round": asked["round"], "unit": asked["unit"]}
        detail |= {name: finite(getattr(error, name)) for name in ("spent", "asked", "total", "limit")}
        with store.write() as connection:
            append(connection, "privacy.refuse", actor="node", subjects=(cohort.digest,), detail=detail)
        raise


def begin(connection: Connection, reservation: Reservation, *, actor: str = "node") -> None:
    """Mark that training under a reservation begins; from now on nothing gives it back.

    Raises:
        ConflictError: it was begun or released already: each training needs a reservation of its own.
    """
    _move(connection, reservation, "begun", "is begun or released already: reserve anew for another training")
    append(connection, "privacy.begin", actor=actor, detail={"reservation": reservation.id})


def release(connection: Connection, reservation: Reservation, *, reason: str, by: str) -> None:
    """Give a reservation back under which nothing was begun, so that nothing can have left the node.

    The proof is the durable mark of :func:`begin`: where it is absent no step was taken. Never done by itself, also
    not after a crash: somebody states a reason, and the ledger keeps it.

    Raises:
        ConflictError: training was begun under it: it stays spent.
        InvalidInputError: no reason.
    """
    if not reason.strip() or len(reason) > 400:
        raise InvalidInputError("reason: expected 1 to 400 characters that say why nothing was begun")
    _move(connection, reservation, "released", "is begun or released already: what was begun stays spent")
    append(
        connection,
        "privacy.release",
        actor=by,
        subjects=(reservation.cohort.digest,),
        detail={"reservation": reservation.id, "reason": reason},
    )


def spent(connection: Connection, cohort: Cohort, delta: float, kind: Kind = "rdp") -> Spent:
    """Return what the worst patient of a cohort has spent, over all data sets, rounds and jobs."""
    check_delta(delta)
    worst: tuple[float, tuple[Step, ...]] = (0.0, ())
    for steps, _ in histories(connection, cohort):
        worst = max(worst, (epsilon(steps, delta, kind), steps))
    return Spent(worst[0], delta, cohort.patients, worst[1], kind)


def histories(
    connection: Connection, cohort: Cohort, which: ColumnElement[bool] | None = None
) -> Mapping[tuple[tuple[Step, ...], tuple[int, int]], int]:
    """Return the different histories of a cohort's patients.

    Args:
        connection: a transaction.
        cohort: whose.
        which: a condition on the spends that are wanted.

    Returns:
        (steps as they count for the patient, (examples, identities) in this cohort) -> how many cells are like that.
    """
    inside, all_ = privacy_members.alias(), privacy_members.alias()
    spends = privacy_spends.c
    rows = connection.execute(
        select(
            inside.c.cell,
            *(spends.unit, spends.sample_rate, spends.noise_multiplier, all_.c.examples, all_.c.identities),
            func.sum(spends.steps).label("steps"),
        )
        .join(all_, all_.c.cell == inside.c.cell)
        .join(privacy_spends, spends.cohort == all_.c.cohort)
        .where(inside.c.cohort == cohort.id, _COUNTS, true() if which is None else which)
        .group_by(
            inside.c.cell,
            *(spends.unit, spends.sample_rate, spends.noise_multiplier, all_.c.examples, all_.c.identities),
        )
    ).all()
    by_cell: dict[int, list[Step]] = defaultdict(list)
    for row in rows:
        step = Step(row.sample_rate, row.noise_multiplier, int(row.steps))
        by_cell[row.cell].append(for_patient(step, row.unit, row.examples, row.identities))
    found: dict[tuple[tuple[Step, ...], tuple[int, int]], int] = defaultdict(int)
    members = privacy_members.c
    for row in connection.execute(
        select(members.cell, members.examples, members.identities).where(members.cohort == cohort.id)
    ):
        found[merged(by_cell.get(row.cell, ())), (row.examples, row.identities)] += 1
    return found


def hospital_history(connection: Connection) -> tuple[Step, ...]:
    """Return the steps of unit ``hospital`` over all jobs of this node."""
    spends = privacy_spends.c
    rows = connection.execute(
        select(spends.sample_rate, spends.noise_multiplier, spends.steps).where(
            spends.unit == "hospital", _COUNTS
        )
    )
    return merged(Step(row.sample_rate, row.noise_multiplier, row.steps) for row in rows)


def for_patient(step: Step, unit: Unit, examples: int, identities: int) -> Step:
    """Return a step as it counts for a patient with so many examples and identifiers in the data set."""
    return step.of_group({"example": examples, "patient": identities, "hospital": 1}[unit])


def finite(value: float) -> float | str:
    """A number for JSON, which knows no infinity."""
    return value if math.isfinite(value) else "infinite"


def _within(
    name: str,
    most: float,
    delta: float,
    kind: Kind,
    past: Mapping[tuple[tuple[Step, ...], tuple[int, int]], int],
    unit: Unit,
    step: Step,
) -> None:
    if math.isnan(most) or most < 0:
        raise InvalidInputError(f"limit: expected 0 or more, got {most!r}")
    before, after = _worst(past, unit, step, delta, kind)
    if after <= most:
        return
    alone = max(epsilon((for_patient(step, unit, *size),), delta, kind) for _, size in past)
    raise BudgetExceededError(
        f"{name} at delta {delta:g} would be exceeded: spent {before:.4g}, asked {alone:.4g}, together {after:.4g} "
        "(of the worst patient). Ask for more noise, fewer steps or other patients",
        **{"spent": before, "asked": alone, "total": after, "limit": most},
    )


def _worst(
    past: Iterable[tuple[tuple[Step, ...], tuple[int, int]]], unit: Unit, step: Step, delta: float, kind: Kind
) -> tuple[float, float]:
    """Epsilon of the worst patient before and after a step."""
    before = after = 0.0
    for steps, size in past:
        before = max(before, epsilon(steps, delta, kind))
        after = max(after, epsilon((*steps, for_patient(step, unit, *size)), delta, kind))
    return before, after


def _check(job: str, round: int, unit: str) -> None:
    if not job.strip() or len(job) > 200:
        raise InvalidInputError("job: expected a name of 1 to 200 characters")
    if isinstance(round, bool) or not isinstance(round, int) or not 0 <= round < 2**31:
        raise InvalidInputError(f"round: expected a whole number of 0 or more, got {round!r}")
    if unit not in UNITS:
        raise InvalidInputError(f"unit: expected one of {', '.join(UNITS)}, got {unit!r}")


def _move(connection: Connection, reservation: Reservation, state: str, why: str) -> None:
    spends = privacy_spends.c
    lock_node(connection)
    moved = connection.execute(
        update(privacy_spends)
        .where(spends.id == reservation.id, spends.state == "reserved")
        .values(state=state)
    ).rowcount
    if moved != 1:
        raise ConflictError(f"reservation {reservation.id} of job {reservation.job!r} {why}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
