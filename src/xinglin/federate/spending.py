"""A hospital's privacy budget as a job draws on it: noise chosen, privacy reserved, the account told.

Privacy is reserved in a transaction of its own before a row is read for training, and marked as begun before the first
step, so that a node that dies has spent it. A job without ``[privacy]`` is reserved too, as a round without noise: a
node that states a limit refuses it, and one that states none remembers that it spent without bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.federate.job import Job
from xinglin.federate.overview import Budget
from xinglin.federate.privacy.accountant import Step, noise_for
from xinglin.federate.privacy.budget import Reservation, ask, begin, spent, stated_limit
from xinglin.federate.privacy.lineage import Patients, enrol
from xinglin.federate.tasks.protocol import Privacy, Task
from xinglin.store import Store


@dataclass(frozen=True, slots=True)
class Spending:
    """What one round may spend, set aside."""

    reservation: Reservation
    private: Privacy | None
    """How the task trains; ``None``: without noise of its own."""


def set_aside(
    store: Store, job: Job, round_number: int, task: Task, examples: Any, options: Mapping[str, Any]
) -> Spending:
    """Reserve the privacy of one round and mark it as begun.

    Raises:
        BudgetExceededError: the node's limit, or the job's own, would be exceeded; nothing is reserved.
        ConfigurationError: the job is private and the node has stated no limit, or no noise keeps to the job's epsilon.
        InvalidInputError: delta is not below 1/n.
    """
    owners = getattr(examples, "patients", None)
    patients = Patients.of(owners if owners is not None else [None] * len(examples))
    asked = job.privacy
    sampling = task.sampling(len(examples), options)
    private, limit, job_limit = None, None, None
    if asked is None:
        unit, step = "example", Step(1.0, 0.0, 1)
        delta = 1 / (2 * len(examples) + 1)
    elif asked.unit == "hospital":
        # The noise is the coordinator's; every hospital counts as drawn in every round.
        unit, delta, job_limit = asked.unit, asked.delta, asked.epsilon
        step = Step(1.0, hospital_noise(job), 1)
    else:
        unit, delta, job_limit = asked.unit, asked.delta, asked.epsilon
        most = max(patients.examples.values(), default=1) if unit == "example" else 1
        noise = asked.noise_multiplier or noise_for(
            asked.epsilon, delta, sampling.rate, sampling.steps * job.rounds, group=most
        )
        step = Step(sampling.rate, noise, sampling.steps)
        private = Privacy(noise, asked.max_grad_norm, unit)
    with store.write() as connection:
        cohort = enrol(connection, patients)
        if asked is None and stated_limit(connection) is None:
            limit = math.inf
    reservation = ask(
        store,
        cohort,
        job=f"{job.name}-{job.digest()[:12]}",
        round=round_number,
        unit=unit,
        step=step,
        delta=delta,
        limit=limit,
        job_limit=job_limit,
    )
    with store.write() as connection:
        begin(connection, reservation)
    return Spending(reservation, private)


def account(store: Store, spending: Spending, site: str) -> Budget | None:
    """Return what the data have spent so far and may spend; ``None``: nothing is limited, or nothing is bounded."""
    with store.read() as connection:
        limit = stated_limit(connection)
        if limit is None or not math.isfinite(limit.epsilon):
            return None
        so_far = spent(connection, spending.reservation.cohort, limit.delta).epsilon
    if not math.isfinite(so_far):
        return None
    return Budget(site, spending.reservation.unit, so_far, limit.epsilon, limit.delta)


def hospital_noise(job: Job) -> float:
    """Return the noise multiplier of a job whose unit is the hospital: as stated, or the least that keeps its epsilon."""
    asked = job.privacy
    if asked is None:
        raise ValueError("hospital_noise: the job has no [privacy]")
    return asked.noise_multiplier or noise_for(asked.epsilon, asked.delta, 1.0, job.rounds)
