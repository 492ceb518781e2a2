"""The coordinator's memory of jobs: each act in one transaction with its ledger entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from xinglin.errors import ConflictError, InvalidInputError, UnknownNameError
from xinglin.federate.job import Job
from xinglin.federate.overview import Budget, JobState, SiteState
from xinglin.ledger.chain import append
from xinglin.store import Store
from xinglin.store.tables import federation_jobs, federation_nodes, federation_rounds, federation_site_metrics


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking one hospital in one round."""

    state: SiteState
    reason: str | None = None
    examples: int | None = None
    train: Mapping[str, float] = field(default_factory=dict)
    evaluate: Mapping[str, float] = field(default_factory=dict)
    budget: Budget | None = None


def register_node(store: Store, site: str, public_key: str, node: str | None, *, actor: str) -> None:
    """Enter a hospital with its public key.

    Raises:
        InvalidInputError: no name, or one that is no plain word.
        ConflictError: the name is taken by another key.
    """
    if not site.replace("-", "").replace("_", "").replace(".", "").isalnum() or len(site) > 100:
        raise InvalidInputError(
            f"site: expected letters, digits, - _ . and at most 100 of them; got {site[:100]!r}"
        )
    with store.write() as connection:
        nodes = federation_nodes.c
        found = connection.execute(select(nodes.public_key).where(nodes.site == site)).scalar()
        if found is not None and found != public_key:
            raise ConflictError(
                f"{site} is registered with another key: choose another name, or remove it first"
            )
        if found is None:
            row = {"site": site, "public_key": public_key, "node": node, "registered": now()}
            connection.execute(insert(federation_nodes), row)
            append(connection, "federation.register", actor=actor, detail={"site": site, "node": node})


def open_job(store: Store, job: Job, number: str, mode: str, *, actor: str) -> None:
    """Enter a job that begins."""
    row = {
        **{"id": number, "name": job.name, "digest": job.digest(), "job": job.as_json(), "mode": mode},
        **{"state": "running", "started": now()},
    }
    with store.write() as connection:
        connection.execute(insert(federation_jobs), row)
        detail = {"id": number, "name": job.name, "task": job.task, "purpose": job.purpose, "mode": mode}
        append(connection, "federation.start", actor=actor, subjects=(job.digest(),), detail=detail)


def record_round(
    store: Store,
    number: str,
    round_number: int,
    answers: Mapping[str, Answer],
    *,
    seconds: float,
    model: str | None,
    actor: str,
) -> None:
    """Enter a finished round: who did what, the model's digest after it."""
    rows = [
        {
            **{"job": number, "round": round_number, "site": site, "state": answer.state},
            **{"reason": answer.reason, "examples": answer.examples},
            **{"train": dict(answer.train), "evaluate": dict(answer.evaluate)},
            **{
                key: None if answer.budget is None else getattr(answer.budget, key)
                for key in ("unit", "spent", "allowed", "delta")
            },
        }
        for site, answer in sorted(answers.items())
    ]
    heard = [site for site, answer in answers.items() if answer.state != "silent"]
    at = now()
    with store.write() as connection:
        row = {"job": number, "round": round_number, "time": at, "seconds": seconds, "model": model}
        connection.execute(insert(federation_rounds), row)
        if rows:
            connection.execute(insert(federation_site_metrics), rows)
        nodes = federation_nodes.c
        connection.execute(update(federation_nodes).where(nodes.site.in_(heard)).values(seen=at))
        states = {site: answer.state for site, answer in sorted(answers.items())}
        append(
            connection,
            "federation.round",
            actor=actor,
            subjects=() if model is None else (model,),
            detail={"id": number, "round": round_number, "sites": states},
        )


def end_job(
    store: Store, number: str, state: JobState, *, reason: str | None, model: str | None, actor: str
) -> None:
    """Enter how a job ended; one that has ended already keeps its first end."""
    jobs = federation_jobs.c
    with store.write() as connection:
        done = connection.execute(
            update(federation_jobs)
            .where(jobs.id == number, jobs.state == "running")
            .values(state=state, reason=reason, model=model, ended=now())
        )
        if done.rowcount:
            append(
                connection,
                "federation.end",
                actor=actor,
                subjects=() if model is None else (model,),
                detail={"id": number, "state": state, "reason": reason},
            )


def job_state(store: Store, number: str) -> tuple[JobState, str | None]:
    """Return the state of a job and why it stopped.

    Raises:
        UnknownNameError: no such job.
    """
    jobs = federation_jobs.c
    with store.read() as connection:
        row = connection.execute(select(jobs.state, jobs.reason).where(jobs.id == number)).first()
    if row is None:
        raise UnknownNameError(f"there is no job {number!r}: see `xinglin federate status`")
    return row.state, row.reason


def registered(store: Store) -> dict[str, str]:
    """Return Flower's node number -> site of the hospitals that are registered."""
    nodes = federation_nodes.c
    with store.read() as connection:
        return {
            row.node: row.site
            for row in connection.execute(select(nodes.node, nodes.site).where(nodes.node.is_not(None)))
        }


def now() -> str:
    """Return the time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
