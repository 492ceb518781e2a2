"""From a job and the hospitals' folders to the evidence of a payout: copies left out, coalitions retrained, values kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from xinglin.errors import ConflictError, InvalidInputError
from xinglin.federate.coalitions import HELD_OUT, Metric, Retraining, first_held, joined, rows_of
from xinglin.federate.job import Job
from xinglin.federate.tasks.protocol import Files
from xinglin.federate.tasks.tabular import Tabular
from xinglin.ledger.credit.evidence import evidence
from xinglin.ledger.credit.exact import MOST, leave_one_out, shapley
from xinglin.ledger.credit.sampled import Plan, sample
from xinglin.ledger.credit.values import Coalition, Recorded
from xinglin.records.manifest import manifest_digest, read_manifest
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables import federation_nodes

PARTS = ("train", "test")


def measure(
    job: Job,
    folders: Mapping[str, Path],
    *,
    model: str,
    order: Sequence[str],
    runs: int,
    seed: int = 0,
    metric: Metric = "log score",
    judges: Collection[str] | None = None,
    orders: Plan | None = None,
    state: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Retrain the job over coalitions of hospitals, and return the evidence.

    Args:
        job: of the task ``tabular``; see ``coalitions.Retraining``.
        folders: site -> folder with ``train`` and perhaps ``test`` (joined and cut anew), and ``manifest.json``.
        model: SHA-256 of the checkpoint that is to be rewarded.
        order: the sites, first registered first: whose a record is that several hold.
        runs: retrainings, each with a seed and a cut of its own; two or more.
        seed: of the first; the others follow.
        metric: what a coalition's value is.
        judges: whose held-out rows are measured on.
        orders: for more than ten sites: how orders are drawn.
        state: folder in which the values are kept, so that an interrupted run goes on.
        progress: called with retrainings done and all.

    Raises:
        InvalidInputError: another task; fewer than two runs; more than ten sites without ``orders``, or fewer with; as
            ``Retraining``.
        ConflictError: the values kept in ``state`` are of other settings.
        MissingDataError: no table, or no manifest.
    """
    if runs < 2:
        raise InvalidInputError(f"runs: expected two or more, got {runs}: one retraining has no interval")
    if (orders is None) != (len(folders) <= MOST):
        raise InvalidInputError(
            f"orders are drawn for more than {MOST} sites, and only for these; there are {len(folders)}"
        )
    if job.task != "tabular":
        raise InvalidInputError(
            f"credit is measured here for the task tabular, not {job.task}: give values instead"
        )
    read = Tabular(job.train)
    whole = {
        site: joined([read.load(Files(folder, part)) for part in PARTS if _has(folder, part)])
        for site, folder in folders.items()
    }
    manifests = {
        site: manifest_digest(read_manifest(folder / "manifest.json")) for site, folder in folders.items()
    }
    kept = first_held(whole, order)
    hospitals = {site: rows_of(rows, kept[site], kept[site]) for site, rows in whole.items()}
    settings = {
        **{"job": job.digest(), "data": manifests, "metric": metric, "held_out": HELD_OUT},
        **{"judges": sorted(judges) if judges is not None else None, "order": list(order)},
        # Whose record is whose: another rule on copies is another measurement.
        "rows": {site: digest(canonical_json(places)) for site, places in kept.items()},
    }
    measured: dict[int, Mapping[Coalition, float]] = {}
    ratios = []
    for number in range(runs):
        one = seed + number
        cut = Retraining(job, hospitals, seed=one, metric=metric, judges=judges)
        path = None if state is None else state / f"values-{one}.jsonl"
        value = Recorded(cut.value, path, settings | {"seed": one})
        if orders is None:
            shapley(folders, value)
        else:
            sample(folders, value, orders)
        leave_one_out(folders, value)
        measured[one] = value.values
        ratios.append(cut.ratio)
        if progress is not None:
            progress(number + 1, runs)
    judged = ", ".join(sorted(judges)) if judges is not None else "all sites"
    return evidence(
        list(folders),
        measured,
        metric=f"{metric} on held-out rows of {judged}",
        model=model,
        data=manifests,
        ratio=max(ratios),
        copies={site: len(whole[site]) - len(kept[site]) for site in folders},
        orders=orders,
        job=job.digest(),
    )


def registered_order(connection: Connection, sites: Collection[str]) -> list[str]:
    """Return the sites by the time of their registration with the coordinator.

    Raises:
        ConflictError: one is not registered; its order must be stated.
    """
    rows = connection.execute(
        select(federation_nodes.c.site).order_by(federation_nodes.c.registered, federation_nodes.c.site)
    )
    known = [row.site for row in rows if row.site in sites]
    if missing := sorted(set(sites) - set(known)):
        raise ConflictError(
            f"{', '.join(missing)}: not registered with this coordinator, so whose a shared record is cannot be told: "
            "state the order of the sites"
        )
    return known


def _has(folder: Path, part: str) -> bool:
    # A folder without any training part is an error that the task names; a test part may be missing.
    return part == "train" or any(folder.glob(f"{part}.*"))
