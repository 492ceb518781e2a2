"""What a coalition of hospitals is worth: the job is trained anew on their rows alone, and measured on rows held out.

For the task ``tabular`` (``tasks/tabular.py``), where all rows can be read in one place: a simulation, or a neutral party
that everybody trusts with them. Between hospitals that keep their rows each coalition is a job of its own, and its figures
come in as values (``ledger.credit``).

Whose held-out rows are measured on decides what is of value: a hospital that flips its labels would shine on rows of its
own. So the judges are named, and should be hospitals (or a curated set) whose labels somebody has certified.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.federate.in_process import federate
from xinglin.federate.job import Job
from xinglin.federate.tasks.protocol import Array, State
from xinglin.federate.tasks.registry import task as find_task
from xinglin.federate.tasks.table import Examples, moments
from xinglin.ledger.credit.duplicates import first_holders
from xinglin.ledger.credit.near import near_copies

Metric = Literal["log score", "accuracy"]
"""``log score``: minus the mean log loss, a proper score (nats a row); ``accuracy`` at one half. Larger is better."""
HELD_OUT = 1 / 3


class Retraining:
    """One way to cut every hospital's rows into training and held-out rows, and the value of each coalition under it."""

    def __init__(
        self,
        job: Job,
        hospitals: Mapping[str, Examples],
        *,
        seed: int,
        metric: Metric = "log score",
        judges: Collection[str] | None = None,
        held_out: float = HELD_OUT,
    ) -> None:
        """Cut the rows.

        Args:
            job: of the task ``tabular``, one shared model, no privacy: what is asked for is the data's worth, not the
                noise's.
            hospitals: site -> all its rows; none where all were copies.
            seed: of the cut, and of the job's own draws.
            metric: what is measured.
            judges: whose held-out rows are measured on; ``None``: everybody's.
            held_out: share of each hospital's rows, of either answer, that nobody trains on.

        Raises:
            InvalidInputError: a job that does not fit, a share beyond 0 to 1, or no row to measure on.
            UnknownNameError: a judge that is no hospital, or an unknown metric.
        """
        _check(job, metric)
        if not 0.0 < held_out < 1.0:
            raise InvalidInputError(f"held_out: expected a share between 0 and 1, got {held_out}")
        asked = set(hospitals if judges is None else judges)
        if strange := sorted(asked - set(hospitals)):
            raise UnknownNameError(f"judges: {strange[0]!r} is none of {', '.join(sorted(hospitals))}")
        self._job = job.model_copy(update={"seed": seed, "min_sites": 1})
        self._task = find_task(job.task, job.train)
        self._metric: Metric = metric
        self._known: dict[frozenset[str], float] = {}
        self.train: dict[str, Examples] = {}
        self.test: dict[str, Examples] = {}
        for site, examples in sorted(hospitals.items()):
            learnt, held = _cut(examples.targets, held_out, seed, site)
            if len(learnt):
                self.train[site] = rows_of(examples, learnt, learnt)
                if site in asked and len(held):
                    self.test[site] = rows_of(examples, held, learnt)
        if not self.test:
            raise InvalidInputError("judges: they have no held-out rows to measure on")

    @property
    def ratio(self) -> float:
        """Held-out rows over training rows, over the judges."""
        return sum(map(len, self.test.values())) / sum(len(self.train[site]) for site in self.test)

    def value(self, coalition: frozenset[str]) -> float:
        """Return what the coalition's model is worth on the held-out rows; without rows it is the untrained model.

        Raises:
            TrainingError: it cannot be trained.
            InvalidInputError: the untrained model cannot answer (``scaling = "federated"``).
        """
        own = coalition.intersection(self.train)  # who brought only copies changes nothing
        if own not in self._known:
            rows = {site: self.train[site] for site in sorted(own)}
            initial = self._task.initial(self._job.seed)
            state = next(iter(federate(self._job, self._task, rows).values())) if rows else initial
            self._known[own] = self._measured(state)
        return self._known[own]

    def _measured(self, state: State) -> float:
        name = "loss" if self._metric == "log score" else "accuracy"
        found = [(len(rows), self._task.evaluate(state, rows)[name]) for rows in self.test.values()]
        mean = sum(n * figure for n, figure in found) / sum(n for n, _ in found)
        return -mean if self._metric == "log score" else mean


def row_digests(examples: Examples) -> list[str]:
    """Return a digest of each row as the job reads it: features and answer. Stays in the process that may read the rows;
    what leaves a hospital is keyed (``ledger.credit.duplicates``)."""
    return [
        hashlib.sha256(row.tobytes() + answer.tobytes()).hexdigest()
        for row, answer in zip(examples.features, examples.targets, strict=True)
    ]


def first_held(hospitals: Mapping[str, Examples], order: Sequence[str]) -> dict[str, list[int]]:
    """Return, for each site, the places of its rows that count: neither equal to an earlier site's row, nor an altered copy
    of one (``ledger.credit.near``).

    Args:
        hospitals: site -> its rows.
        order: the sites, first registered first.

    Raises:
        InvalidInputError: the order does not name every site once, or a value is infinite.
    """
    kept = first_holders({site: row_digests(rows) for site, rows in hospitals.items()}, order)
    near = near_copies({site: rows.features for site, rows in hospitals.items()}, order)
    return {site: sorted(set(kept[site]).difference(near[site])) for site in hospitals}


def rows_of(examples: Examples, places: Sequence[int] | Array, base: Sequence[int] | Array) -> Examples:
    """Return some rows, standardised by the moments of the ``base`` rows."""
    centre, spread = moments(examples.features[np.asarray(base, int)])
    chosen = np.asarray(places, int)
    owners = None if examples.patients is None else tuple(examples.patients[place] for place in chosen)
    return replace(
        examples,
        features=examples.features[chosen],
        targets=examples.targets[chosen],
        patients=owners,
        centre=centre,
        spread=spread,
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Return the rows of several parts of one hospital, one after the other."""
    first = parts[0]
    owners: Any = None
    if all(part.patients is not None for part in parts):
        owners = tuple(owner for part in parts for owner in part.patients or ())
    return replace(
        first,
        features=np.concatenate([part.features for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        patients=owners,
        dropped=sum(part.dropped for part in parts),
        outside=sum(part.outside for part in parts),
    )


def _check(job: Job, metric: str) -> None:
    if metric not in get_args(Metric):
        raise UnknownNameError(f"metric: expected {' or '.join(get_args(Metric))}, got {metric!r}")
    if job.task != "tabular" or job.strategy.local_keys or job.privacy is not None:
        raise InvalidInputError(
            "coalitions are retrained for the task tabular with one shared model (no local_keys) and without [privacy]; "
            "measure others elsewhere and give their values"
        )


def _cut(targets: Array, held_out: float, seed: int, site: str) -> tuple[Array, Array]:
    """Return the places of training and held-out rows, drawn within each answer; the same whoever else is there."""
    generator = np.random.default_rng([seed, zlib.crc32(site.encode())])
    learnt, held = [], []
    for answer in np.unique(targets):
        places = generator.permutation(np.flatnonzero(targets == answer))
        count = round(held_out * len(places))
        held.append(places[:count])
        learnt.append(places[count:])
    none = np.zeros(0, int)
    return (np.sort(np.concatenate(learnt)), np.sort(np.concatenate(held))) if learnt else (none, none)
