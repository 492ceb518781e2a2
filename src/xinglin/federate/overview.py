"""What a person sees of the federation: hospitals, jobs round by round, metrics by site, the privacy budget left.

Reads only, and only the coordinator's own tables. The budget is what a hospital told in its last answer: the account
itself lies on its node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Row, select

from xinglin.store import Store
from xinglin.store.tables import federation_jobs, federation_nodes, federation_rounds, federation_site_metrics

JobState = Literal["running", "done", "stopped"]
SiteState = Literal["ok", "refused", "silent"]
"""``refused``: it refused, or its update was refused (``reason`` says which); ``silent``: no answer in time."""


@dataclass(frozen=True, slots=True)
class Node:
    """A hospital that may take part."""

    site: str
    public_key: str
    registered: str
    """UTC, ISO 8601, as all times here."""
    seen: str | None
    """When it last answered; ``None``: not yet."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Privacy budget of one hospital's data for one unit, as its node told last."""

    site: str
    unit: str
    """``example`` or ``patient``."""
    spent: float
    """Epsilon spent over the whole life of the data, at ``delta``."""
    allowed: float
    delta: float

    @property
    def left(self) -> float:
        """Epsilon that is left, never below 0."""
        return max(0.0, self.allowed - self.spent)


@dataclass(frozen=True, slots=True)
class SiteRound:
    """What one hospital did in one round."""

    site: str
    state: SiteState
    reason: str | None
    examples: int | None
    train: Mapping[str, float]
    """Metrics of the training, by name."""
    evaluate: Mapping[str, float]
    """Metrics of the round's common model on the hospital's own data, by name."""
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class Round:
    """One round; number 0 is the admission of the hospitals."""

    number: int
    time: str
    seconds: float
    model: str | None
    """SHA-256 of the common model after the round."""
    sites: tuple[SiteRound, ...]
    """In the order of their names."""


@dataclass(frozen=True, slots=True)
class JobHistory:
    """One job and its rounds so far."""

    id: str
    name: str
    task: str
    purpose: str
    digest: str
    mode: str
    """``simulation`` or ``federation``."""
    state: JobState
    reason: str | None
    """Why it stopped."""
    started: str
    ended: str | None
    model: str | None
    planned: int
    """Rounds that the job asks for."""
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The federation as of now."""

    nodes: tuple[Node, ...]
    jobs: tuple[JobHistory, ...]
    """Newest first."""
    budgets: tuple[Budget, ...]
    """Newest of each hospital and unit, in the order of their names."""


def overview(store: Store, *, jobs: int = 20) -> Overview:
    """Return the state of the federation with the ``jobs`` newest jobs.

    Raises:
        StoreError: the store is unreachable.
    """
    with store.read() as connection:
        nodes = connection.execute(select(federation_nodes).order_by(federation_nodes.c.site)).all()
        newest = connection.execute(
            select(federation_jobs).order_by(federation_jobs.c.started.desc()).limit(jobs)
        ).all()
        ids = [row.id for row in newest]
        rounds = connection.execute(
            select(federation_rounds)
            .where(federation_rounds.c.job.in_(ids))
            .order_by(federation_rounds.c.round)
        ).all()
        sites = connection.execute(
            select(federation_site_metrics)
            .where(federation_site_metrics.c.job.in_(ids))
            .order_by(federation_site_metrics.c.round, federation_site_metrics.c.site)
        ).all()
    by_round: dict[tuple[str, int], list[SiteRound]] = {}
    for row in sites:
        by_round.setdefault((row.job, row.round), []).append(_site_round(row))
    by_job: dict[str, list[Round]] = {name: [] for name in ids}
    for row in rounds:
        told = tuple(by_round.get((row.job, row.round), ()))
        by_job[row.job].append(Round(row.round, row.time, row.seconds, row.model, told))
    histories = tuple(_history(row, tuple(by_job[row.id])) for row in newest)
    return Overview(
        nodes=tuple(Node(row.site, row.public_key, row.registered, row.seen) for row in nodes),
        jobs=histories,
        budgets=_budgets(histories),
    )


def _site_round(row: Row[tuple[object, ...]]) -> SiteRound:
    budget = None
    if row.unit is not None:
        budget = Budget(row.site, row.unit, row.spent, row.allowed, row.delta)
    return SiteRound(row.site, row.state, row.reason, row.examples, row.train, row.evaluate, budget)


def _history(row: Row[tuple[object, ...]], rounds: tuple[Round, ...]) -> JobHistory:
    asked = row.job["job"]
    return JobHistory(
        id=row.id,
        name=row.name,
        task=asked["task"],
        purpose=asked["purpose"],
        digest=row.digest,
        mode=row.mode,
        state=row.state,
        reason=row.reason,
        started=row.started,
        ended=row.ended,
        model=row.model,
        planned=asked["rounds"],
        rounds=rounds,
    )


def _budgets(newest_first: tuple[JobHistory, ...]) -> tuple[Budget, ...]:
    found: dict[tuple[str, str], Budget] = {}
    for job in newest_first:
        for one in reversed(job.rounds):
            for site in one.sites:
                if site.budget is not None:
                    found.setdefault((site.site, site.budget.unit), site.budget)
    return tuple(found[key] for key in sorted(found))
