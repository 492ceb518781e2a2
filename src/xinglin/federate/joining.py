"""From the updates that were kept to the next model: Flower's strategy, or clipping and noise for hospital-level privacy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from xinglin.federate.job import Job
from xinglin.federate.robust import SiteUpdate
from xinglin.federate.strategy import WEIGHT
from xinglin.federate.wire import State, to_record


def joined(
    job: Job, strategy: Any, number: int, before: State, kept: Mapping[str, SiteUpdate], expected: int
) -> dict[str, Any]:
    """Return the next model: by Flower's strategy, or clipped and noised where the unit of privacy is the hospital."""
    asked = job.privacy
    if asked is None or asked.clip is None:
        return aggregate(strategy, number, kept)
    from xinglin.federate.privacy.hospital import private_average
    from xinglin.federate.spending import hospital_noise

    return private_average(
        before,
        [one.state for one in kept.values()],
        clip=asked.clip,
        noise_multiplier=hospital_noise(job),
        expected=expected,
        seed=number,
    )


def aggregate(strategy: Any, number: int, kept: Mapping[str, SiteUpdate]) -> dict[str, Any]:
    """Hand the kept updates to Flower's arithmetic, in the order of their names."""
    from flwr.app import Message, MessageType, MetricRecord, RecordDict

    messages = [
        Message(
            RecordDict({"arrays": to_record(one.state), "metrics": MetricRecord({WEIGHT: one.examples})}),
            place,
            MessageType.TRAIN,
        )
        for place, one in enumerate(kept.values())
    ]
    return {name: array.numpy() for name, array in strategy.aggregate_train(number, messages)[0].items()}


def most_norm(job: Job) -> float | None:
    """The largest norm of an update; the noise of unit ``hospital`` rests on clipping, which refuses nobody."""
    hospital = job.privacy is not None and job.privacy.unit == "hospital"
    return math.inf if hospital else job.strategy.max_norm


def promise(job: Job, sites: int) -> dict[str, Any] | None:
    """Return what hospital-level privacy promises with so many hospitals; ``None`` where the job has none.

    Raises:
        InvalidInputError: delta is not below 1/n, with n hospitals.
    """
    asked = job.privacy
    if asked is None or asked.unit != "hospital":
        return None
    from xinglin.federate.privacy.hospital import guarantee
    from xinglin.federate.spending import hospital_noise

    noise = hospital_noise(job)
    found = guarantee(sites, 1.0, noise, job.rounds, asked.delta)
    told = {
        "epsilon": found.epsilon,
        "delta": found.delta,
        "noise_multiplier": noise,
        "note": dict(found.note),
    }
    return {**told, "sites": sites, "rounds": job.rounds}
