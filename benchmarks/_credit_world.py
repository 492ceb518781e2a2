"""Four real hospitals as sites that earn credit, and sites planted among them that should earn nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._heart import SITES, TABLE, write_hospitals
from xinglin.federate.coalitions import Metric, Retraining, first_held, joined, rows_of
from xinglin.federate.job import DataNeeds, Job
from xinglin.federate.tasks.protocol import Files
from xinglin.federate.tasks.registry import task
from xinglin.federate.tasks.table import Examples
from xinglin.ledger.credit.near import near_copies

Sites = dict[str, Examples]
PLANTS = ("copy", "copy moved by 1 %", "copy moved by 20 %", "copy moved by 50 %", "noise", "flipped labels")
"""A copy is moved by so much of each column's standard deviation: 1 % changes every digest and not the model."""


def job() -> Job:
    """Return the job that is retrained: one shared logistic regression by Newton's steps, settings as written here.

    The ridge is in the middle of the grid of ``fed_heart``, chosen before any value was looked at.
    """
    table = {key: value for key, value in TABLE.items() if key not in ("lower", "upper")}
    train = {**table, "scaling": "site", "solver": "newton", "ridge": 0.1}
    return Job(name="credit-heart", task="tabular", rounds=7, data=DataNeeds(dataset="heart"), train=train)


def hospitals(data: Path) -> Sites:
    """Return all rows of each hospital: training and test part together, since every retraining cuts anew."""
    with tempfile.TemporaryDirectory() as folder:
        folders = write_hospitals(data, Path(folder))
        read = task("tabular", job().train)
        return {
            site: joined([read.load(Files(place, "train")), read.load(Files(place, "test"))])
            for site, place in folders.items()
        }


def planted(kind: str, sites: Sites, draw: int) -> Sites:
    """Return the hospitals with a worthless one added under the name ``planted``, which registers last.

    ``copy``: all rows of Cleveland. ``copy moved by``: the same, each number moved at random. ``noise``: as many rows,
    features drawn column by column from normal distributions, answers by a coin. ``flipped labels``: half of
    Hungary's rows leave Hungary and come with every answer turned round, so that nobody else holds them.
    """
    generator = np.random.default_rng([2026, PLANTS.index(kind), draw])
    source = sites["cleveland"]
    made = dict(sites)
    if kind == "copy":
        made["planted"] = source
    elif kind.startswith("copy moved by"):
        made["planted"] = replace(source, features=moved(source.features, int(kind.split()[-2]), generator))
    elif kind == "noise":
        drawn = generator.normal(
            source.features.mean(axis=0), source.features.std(axis=0), source.features.shape
        )
        coin = generator.integers(0, 2, len(source)).astype(np.float32)
        made["planted"] = replace(source, features=drawn.astype(np.float32), targets=coin)
    else:
        own = sites["hungarian"]
        places = generator.permutation(len(own))
        half = len(own) // 2
        taken = rows_of(own, places[:half], places[:half])
        made["planted"] = replace(taken, targets=np.asarray(1.0 - taken.targets, np.float32))
        made["hungarian"] = rows_of(own, places[half:], places[half:])
    return made


def moved(rows: Any, percent: int, generator: np.random.Generator) -> Any:
    """Return rows with every number moved at random, by so much of its column's standard deviation."""
    return (rows + generator.normal(0.0, percent / 100 * rows.std(axis=0), rows.shape)).astype(np.float32)


def seen(sites: Sites, source: str, percent: int) -> float:
    """Return the share of a moved copy's rows that are seen as copies, where it registers last."""
    records = {site: examples.features for site, examples in sites.items()}
    records["planted"] = moved(records[source], percent, np.random.default_rng([2026, 9, percent]))
    return len(near_copies(records, [*sites, "planted"])["planted"]) / len(records[source])


def accused(sites: Sites, halvings: int) -> tuple[int, int]:
    """Return how many innocent sites lose a row as a copy, and how many there were."""
    generator = np.random.default_rng([2026, 10])
    records = {site: examples.features for site, examples in sites.items()}
    lost = [bool(near) for order in permutations(records) for near in near_copies(records, order).values()]
    for rows in records.values():
        for _ in range(halvings):
            one, other = np.array_split(generator.permutation(len(rows)), 2)
            lost.append(bool(near_copies({"a": rows[one], "b": rows[other]}, ["a", "b"])["b"]))
    return sum(lost), len(lost)


def split(sites: Sites) -> Sites:
    """Return eight sites: the two large hospitals cut into three each, for a game with more orders than can be tried."""
    made: Sites = {}
    for site, examples in sites.items():
        parts = 3 if site in ("cleveland", "hungarian") else 1
        places = np.random.default_rng([2026, 8, len(made)]).permutation(len(examples))
        for number, own in enumerate(np.array_split(places, parts)):
            made[f"{site}-{number + 1}" if parts > 1 else site] = rows_of(examples, own, own)
    return made


def without_copies(sites: Sites, order: Sequence[str]) -> tuple[Sites, dict[str, int]]:
    """Return the sites with each record left to its first holder, and how many each lost."""
    kept = first_held(sites, order)
    cut = {site: rows_of(examples, kept[site], kept[site]) for site, examples in sites.items()}
    return cut, {site: len(sites[site]) - len(kept[site]) for site in sites}


def retraining(sites: Mapping[str, Any], seed: int, metric: Metric = "log score") -> Retraining:
    """Return one cut; the four real hospitals are the judges, each with the rows that are its own."""
    judges = [site for site in sites if site.split("-")[0] in SITES]
    return Retraining(job(), sites, seed=seed, metric=metric, judges=judges)
