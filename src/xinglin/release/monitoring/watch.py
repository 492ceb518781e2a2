"""One look at a model in use: drift of what it is asked and answers, its calibration and its errors where the truth came.

What is beyond a limit, and not by chance, is an alarm: evidence of kind ``monitoring`` that closes the gate until a later
look finds it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from xinglin.errors import InvalidInputError
from xinglin.measure.calibration import debiased_ece
from xinglin.measure.intervals import bootstrap
from xinglin.measure.seeds import holm
from xinglin.release.monitoring.drift import stability
from xinglin.store.tables import cases
from xinglin.store.tables_release import model_traffic

FEATURES = ("age", "sex", "length", "findings", "set", "score", "triage", "abstained")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a look becomes an alarm."""

    psi: float = 0.25
    """Stability index of a feature; the customary limit."""
    alpha: float = 0.01
    """Chance of a false alarm by drift in one look, over all features together (Holm)."""
    ece: float = 0.10
    """Calibration error; the lower end of its interval must exceed it."""
    error: float = 0.50
    """Share of confirmed cases whose disease was not ranked first; the lower end of its confidence sequence."""
    least: int = 30
    """Cases below which calibration and errors are not judged."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look found of one thing."""

    name: str
    value: float
    limit: float
    n: int
    breached: bool
    note: str
    """How it was judged, in plain words."""

    def as_evidence(self, since: str) -> dict[str, Any]:
        """Return the content of ``monitoring`` evidence."""
        return {key: value for key, value in asdict(self).items() if key != "note"} | {"since": since}


def counted(connection: Connection, model: str, first: str, last: str) -> dict[str, dict[str, int]]:
    """Return counts by feature and bin of the answers of some days.

    Args:
        connection: a transaction.
        model: as ``apps.diagnosis.wording.model_line`` writes it.
        first: day, ``2026-01-31``.
        last: day, included.
    """
    total = func.sum(model_traffic.c.count)
    query = (
        select(model_traffic.c.feature, model_traffic.c.bin, total)
        .where(model_traffic.c.model == model, model_traffic.c.day >= first, model_traffic.c.day <= last)
        .group_by(model_traffic.c.feature, model_traffic.c.bin)
    )
    found: dict[str, dict[str, int]] = {}
    rows: Sequence[Any] = connection.execute(query).all()
    for feature, bin_, count in rows:
        found.setdefault(feature, {})[bin_] = int(count)
    return found


def models_in_use(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Return (model, first day, last day, answers) of all that has been counted."""
    columns = (model_traffic.c.model, func.min(model_traffic.c.day), func.max(model_traffic.c.day))
    query = (
        select(*columns, func.sum(model_traffic.c.count))
        .where(model_traffic.c.feature == FEATURES[0])
        .group_by(model_traffic.c.model)
        .order_by(model_traffic.c.model)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    return [(model, first, last, int(count)) for model, first, last, count in rows]


def look(
    connection: Connection,
    model: str,
    *,
    reference: tuple[str, str],
    current: tuple[str, str],
    limits: Limits = Limits(),
) -> list[Reading]:
    """Compare the answers of some days with those of a reference, and judge the cases confirmed since.

    Args:
        connection: a transaction.
        model: as it names itself in its answers.
        reference: first and last day of the time for which the model was found good.
        current: first and last day to look at.
        limits: when it is an alarm.

    Raises:
        InvalidInputError: no answers were counted in one of the spans.
    """
    before, after = (counted(connection, model, *span) for span in (reference, current))
    for span, found in ((reference, before), (current, after)):
        if not found:
            raise InvalidInputError(
                f"monitoring: no answers of {model!r} were counted from {span[0]} to {span[1]}"
            )
    drifts = {
        name: stability(before[name], after[name]) for name in FEATURES if name in before and name in after
    }
    corrected = dict(
        zip(drifts, map(float, holm(np.array([drift.p for drift in drifts.values()]))), strict=True)
    )
    readings = [
        Reading(
            f"psi {name}",
            drift.value,
            limits.psi,
            drift.n,
            drift.value > limits.psi and corrected[name] < limits.alpha,
            f"p {corrected[name]:.2g} (Holm), reference n {drift.reference}",
        )
        for name, drift in drifts.items()
    ]
    return [*readings, *_confirmed(connection, model, current, limits)]


def _confirmed(connection: Connection, model: str, span: tuple[str, str], limits: Limits) -> list[Reading]:
    query = select(cases.c.answer, cases.c.confirmed_system, cases.c.confirmed_code).where(
        cases.c.model == model,
        cases.c.confirmed_code.is_not(None),
        func.substr(cases.c.confirmed_time, 1, 10) >= span[0],
        func.substr(cases.c.confirmed_time, 1, 10) <= span[1],
    )
    hits, stated, right = [], [], []
    rows: Sequence[Any] = connection.execute(query.order_by(cases.c.confirmed_time, cases.c.id)).all()
    for answer, system, code in rows:
        top = answer["candidates"][0] if answer["candidates"] else None
        hit = top is not None and (top["code"]["system"], top["code"]["value"]) == (system, code)
        hits.append(hit)
        if top is not None and top["probability"] is not None:
            stated.append(float(top["probability"]))
            right.append(hit)
    return [_error(hits, limits), *_calibration(np.array(stated), np.array(right, bool), limits)]


def _error(hits: Sequence[bool], limits: Limits) -> Reading:
    n, wrong = len(hits), sum(not hit for hit in hits)
    if n < limits.least:
        return Reading(
            "error", wrong / n if n else 0.0, limits.error, n, False, f"not judged below {limits.least} cases"
        )
    low = error_lower(hits, limits.alpha)
    note = f"lower bound {low:.3f}, valid at every look"
    return Reading("error", wrong / n, limits.error, n, low > limits.error, note)


def error_lower(hits: Sequence[bool], alpha: float) -> float:
    """Return a lower bound of the error rate that holds at all looks at once.

    Beta-binomial mixture with a uniform prior: by Ville's inequality the rate lies below the smallest rate whose
    likelihood ratio against the mixture exceeds alpha with chance at most alpha (Robbins 1970; Howard et al., Annals of
    Statistics 2021). A bound of fixed n would fail when one looks every day.
    """
    from scipy.optimize import brentq
    from scipy.special import betaln

    n, wrong = len(hits), sum(not hit for hit in hits)
    if n == 0 or wrong == 0:
        return 0.0
    mixture = float(betaln(wrong + 1, n - wrong + 1))

    def excess(rate: float) -> float:
        return float(mixture - wrong * np.log(rate) - (n - wrong) * np.log1p(-rate) + np.log(alpha))

    peak = wrong / n
    low = 1e-9
    top = peak if peak < 1 else 1 - 1e-9
    return float(brentq(excess, low, top)) if excess(low) > 0 > excess(top) else 0.0


def _calibration(stated: NDArray[np.float64], right: NDArray[np.bool_], limits: Limits) -> list[Reading]:
    n = len(stated)
    if n < limits.least:
        return [
            Reading("ece", 0.0, limits.ece, n, False, f"not judged below {limits.least} calibrated cases")
        ]
    figure = bootstrap(lambda index: debiased_ece(stated[index], right[index]), n, repetitions=300)
    note = f"95 % interval {figure.low:.3f} to {figure.high:.3f}"
    return [Reading("ece", figure.value, limits.ece, n, figure.low > limits.ece, note)]
