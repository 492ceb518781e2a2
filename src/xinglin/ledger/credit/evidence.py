"""The evidence of a payout: every coalition's value in every retraining, from which anyone can work out the points.

Evidence is JSON without patient data. Its hash (SHA-256 of the canonical JSON) stands in the ledger, and on the chain
where there is one; :func:`assess` is a pure function of it, so an objection can be checked by whoever holds the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xinglin.errors import InvalidInputError
from xinglin.ledger.credit.exact import leave_one_out, shapley
from xinglin.ledger.credit.rule import RULE, Interval, basis_points, counted, over_runs
from xinglin.ledger.credit.sampled import Plan, sample
from xinglin.ledger.credit.values import Coalition, Value, checked_sites, coalition_from, with_free_disposal
from xinglin.store.keys import canonical_json, digest

FORMAT = "xinglin-credit-evidence-1"
Name = Annotated[str, Field(min_length=1, max_length=100)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Measured = Annotated[tuple[list[Name], float], Field(strict=False)]
"""A coalition and its value; JSON has no tuples."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Run(_Strict):
    seed: int = Field(ge=0)
    values: list[Measured] = Field(min_length=1, max_length=100_000)


class _Orders(_Strict):
    seed: int
    tolerance: float
    error: float
    least: int
    most: int


class _Evidence(_Strict):
    format: Literal["xinglin-credit-evidence-1"]
    rule: Literal["xinglin-credit-1"]
    metric: str = Field(min_length=1, max_length=200)
    sites: list[Name] = Field(min_length=1, max_length=10_000)
    data: dict[str, Hash]
    copies: dict[str, Annotated[int, Field(ge=0)]]
    ratio: float = Field(ge=0)
    runs: list[_Run] = Field(min_length=2, max_length=10_000)
    orders: _Orders | None
    model: Hash
    job: Hash | None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one site's data added."""

    site: str
    shapley: Interval
    alone_missing: Interval
    """What all lose without it: leave-one-out."""
    copies: int
    """Records left out because an earlier site holds them, or held what they were made from."""
    points: int
    """Basis points of the payout."""


@dataclass(frozen=True, slots=True)
class Payout:
    """Who gets what for a model, and the hash of why: what a contract needs as plain values."""

    model: str
    """SHA-256 of the checkpoint that is rewarded."""
    points: dict[str, int]
    """Site -> basis points, 10,000 in all."""
    evidence: str
    """SHA-256 of the evidence."""


def evidence(
    sites: Sequence[str],
    runs: Mapping[int, Mapping[Coalition, float]],
    *,
    metric: str,
    model: str,
    data: Mapping[str, str],
    ratio: float,
    copies: Mapping[str, int] | None = None,
    orders: Plan | None = None,
    job: str | None = None,
) -> dict[str, Any]:
    """Return the evidence as JSON values, checked.

    Args:
        sites: names.
        runs: seed of each retraining -> the values that it measured.
        metric: what was measured, larger is better, and on which rows.
        model: SHA-256 of the checkpoint that was trained by all.
        data: site -> SHA-256 of its data's manifest.
        ratio: held-out rows over training rows of one retraining.
        copies: site -> records left out as copies; ``None``: none were.
        orders: how orders were drawn; ``None``: the values are exact.
        job: SHA-256 of the federated job.

    Raises:
        InvalidInputError: as :func:`assess`.
    """
    names = checked_sites(sites)
    made = {
        "format": FORMAT,
        "rule": RULE,
        "metric": metric,
        "sites": list(names),
        "data": dict(data),
        "copies": dict(copies or dict.fromkeys(names, 0)),
        "ratio": ratio,
        "runs": [
            {"seed": seed, "values": [[list(key), value] for key, value in sorted(_spelled(values))]}
            for seed, values in sorted(runs.items())
        ],
        "orders": None if orders is None else asdict(orders),
        "model": model,
        "job": job,
    }
    _read(made)
    return made


def evidence_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the evidence's canonical JSON."""
    return digest(canonical_json(content))


def assess(content: Any) -> tuple[list[Contribution], Payout]:
    """Work out contributions and points from evidence alone.

    Raises:
        InvalidInputError: not evidence, or it lacks a coalition's value.
        ConflictError: no site counts: there is nothing to pay.
    """
    found, contributions = contributions_of(content)
    points = basis_points(counted({one.site: one.shapley for one in contributions}))
    paid = [
        Contribution(one.site, one.shapley, one.alone_missing, one.copies, points[one.site])
        for one in contributions
    ]
    return paid, Payout(found.model, points, evidence_hash(content))


def contributions_of(content: Any) -> tuple[_Evidence, list[Contribution]]:
    """Return the contributions, no points given yet; for evidence in which perhaps nobody counts.

    Raises:
        InvalidInputError: as :func:`assess`.
    """
    read = _read(content)
    values: dict[str, list[float]] = {site: [] for site in read.sites}
    missing: dict[str, list[float]] = {site: [] for site in read.sites}
    for run in read.runs:
        value = with_free_disposal(_looked_up(run))
        each = (
            shapley(read.sites, value)
            if read.orders is None
            else sample(read.sites, value, Plan(**read.orders.model_dump())).values
        )
        without = leave_one_out(read.sites, value)
        for site in read.sites:
            values[site].append(each[site])
            missing[site].append(without[site])
    return read, [
        Contribution(
            site,
            over_runs(values[site], read.ratio),
            over_runs(missing[site], read.ratio),
            read.copies[site],
            0,
        )
        for site in read.sites
    ]


def _spelled(values: Mapping[Coalition, float]) -> list[tuple[tuple[str, ...], float]]:
    return [(tuple(sorted(coalition)), value) for coalition, value in values.items()]


def _looked_up(run: _Run) -> Value:
    table: dict[Coalition, float] = {}
    for names, measured in run.values:
        coalition = coalition_from(names)
        if coalition in table:
            raise InvalidInputError(f"evidence, run {run.seed}: a coalition stands there twice")
        table[coalition] = measured

    def value(coalition: Coalition) -> float:
        if coalition not in table:
            shown = ", ".join(sorted(coalition)) or "no site"
            raise InvalidInputError(f"evidence, run {run.seed}: the value of {{{shown}}} is missing")
        return table[coalition]

    return value


def _read(content: Any) -> _Evidence:
    try:
        read = _Evidence.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "evidence"
        raise InvalidInputError(f"evidence: {place}: {first['msg']}") from None
    names = list(checked_sites(read.sites))
    if read.sites != names or sorted(read.data) != names or sorted(read.copies) != names:
        raise InvalidInputError("evidence: sites, data and copies must name the same sites, sorted by name")
    if len({run.seed for run in read.runs}) < len(read.runs):
        raise InvalidInputError("evidence: two retrainings bear the same seed")
    return read
