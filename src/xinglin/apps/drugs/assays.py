"""The next plate: which molecules to measure, from what a laboratory has measured so far.

A Gaussian process is fitted to the results; molecules are picked by what they may reach, predicted value plus its
uncertainty, each pick taking into account those before it (:mod:`xinglin.model.molecule.gaussian`). Kernel and boldness
were chosen on four MoleculeACE targets; what the loop saves on others is told in docs/results/assays.md.
With fewer than eight results nothing can be predicted: then the plate is drawn to differ as much as it can, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.assay_table import AssayTable, Measured
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.model.molecule.features import Features, featurise, joined
from xinglin.model.molecule.gaussian import FEWEST, Observed, Process
from xinglin.model.molecule.kernel import DescriptorScale, similarity
from xinglin.records.molecules.standard import Molecule

MOST_MEASURED = 5000
"""Measured molecules: the process takes time with their third power."""
MOST_POOL = 200_000
BLOCK = 2000
"""Candidates compared with the measured at once; so many at most are compared with each other."""
DISTANT = 0.2
"""Fragment similarity to the nearest measured molecule below which a prediction is a guess."""
ROWS = "ABCDEFGHIJKLMNOP"
Reason = Literal["promising", "uncertain", "different"]


@dataclass(frozen=True, slots=True)
class PlateOptions:
    """How a plate is filled."""

    size: int = 96
    """Wells, 1 to 1536."""
    boldness: float = 1.0
    """Predicted deviations added to the prediction: 0 measures what looks best, more learns more."""
    coverage: float = 0.9
    """Share of new measurements that the interval should hold."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One well."""

    well: str
    """``A1`` to ``H12`` of 96 wells, ``A1`` to ``P24`` of 384; else a running number."""
    molecule: Molecule
    predicted: float | None
    """On the table's scale, higher is better; None where nothing could be fitted."""
    low: float | None
    high: float | None
    reason: Reason
    nearest: Measured | None
    """The most similar measured molecule."""
    similarity: float | None
    """Of fragments to it, 0 to 1."""

    @property
    def distant(self) -> bool:
        """Whether nothing like it was measured: the prediction is a guess."""
        return self.similarity is None or self.similarity < DISTANT


@dataclass(frozen=True)
class Plate:
    """The picks in the order of picking, and how far the model that made them can be trusted."""

    picks: tuple[Pick, ...]
    fitted: bool
    error: float | None
    """Mean absolute error of measured molecules, each left out in turn."""
    correlation: float | None
    """Spearman's, of left-out predictions with measured values; near 0 the plate is little better than random."""
    pool: int
    refused: int
    """Candidates that ``allowed`` turned away."""


def next_plate(
    table: AssayTable,
    pool: Sequence[Molecule],
    options: PlateOptions | None = None,
    *,
    allowed: Callable[[str], bool] | None = None,
) -> Plate:
    """Pick the next molecules to measure.

    Args:
        table: the results so far.
        pool: candidates; those that were measured already and duplicates are left out.
        options: size of the plate, boldness, coverage.
        allowed: says of a SMILES whether it may be picked; None: all may.

    Raises:
        InvalidInputError: a size out of bounds, or no candidate.
        InputTooLargeError: more measured or more candidates than are handled.
    """
    options = options or PlateOptions()
    if not 1 <= options.size <= 1536 or options.boldness < 0 or not 0 < options.coverage < 1:
        raise InvalidInputError(
            "plate: expected 1 to 1536 wells, boldness >= 0 and a coverage between 0 and 1"
        )
    if len(table.measured) > MOST_MEASURED or len(pool) > MOST_POOL:
        raise InputTooLargeError(
            f"expected at most {MOST_MEASURED:,} measured molecules and {MOST_POOL:,} candidates, got "
            f"{len(table.measured):,} and {len(pool):,}"
        )
    known = {one.molecule.inchikey for one in table.measured}
    fresh = list({one.inchikey: one for one in pool if one.inchikey not in known}.values())
    candidates = [one for one in fresh if allowed is None or allowed(one.smiles)]
    if not candidates:
        raise InvalidInputError(
            f"no candidate: {len(pool)} given, {len(pool) - len(fresh)} measured already or twice, "
            f"{len(fresh) - len(candidates)} refused; give --pool, or rows without a value"
        )
    measured = featurise([one.molecule.smiles for one in table.measured])
    asked = joined(
        [
            featurise([one.smiles for one in candidates[at : at + BLOCK]])
            for at in range(0, len(candidates), BLOCK)
        ]
    )
    scale = DescriptorScale.of(joined([measured, asked]))
    process = _fit(table, measured, scale)
    if process is None:
        order = _different(measured, asked, options.size, scale)
        return _plate(table, candidates, order, None, measured, asked, scale, options, len(fresh))
    return _plate(
        table,
        candidates,
        _best(process, measured, asked, scale, options),
        process,
        measured,
        asked,
        scale,
        options,
        len(fresh),
    )


def _fit(table: AssayTable, measured: Features, scale: DescriptorScale) -> Process | None:
    """The process, or None where there is too little to fit."""
    if len(table.measured) < FEWEST:
        return None
    observed = Observed(
        np.array([one.value for one in table.measured]),
        np.array([one.side for one in table.measured], np.int8),
        np.array([one.repeats for one in table.measured], np.int64),
    )
    try:
        return Process.fit(similarity(measured, measured, scale).whole, observed)
    except InvalidInputError:
        # All values alike, or nearly all bounds: nothing to learn; the plate says that it is not fitted.
        return None


def _best(
    process: Process, measured: Features, asked: Features, scale: DescriptorScale, options: PlateOptions
) -> NDArray[np.int64]:
    merit = np.empty(len(asked))
    for at in range(0, len(asked), BLOCK):
        rows = np.arange(at, min(at + BLOCK, len(asked)))
        mean, deviation = process.predict(similarity(asked.take(rows), measured, scale).whole)
        merit[rows] = mean + options.boldness * deviation
    # Deviations only shrink while a plate is filled, so that its wells lie among the first of this order; the bound on
    # how many are compared with each other is wider than any plate.
    first = np.argsort(-merit, kind="stable")[:BLOCK]
    near = asked.take(first)
    picks = process.batch(
        similarity(near, measured, scale).whole,
        similarity(near, near, scale).whole,
        options.size,
        options.boldness,
    )
    return np.asarray(first[picks])


def _different(measured: Features, asked: Features, count: int, scale: DescriptorScale) -> NDArray[np.int64]:
    """Return candidates, each the least similar to all before it (MaxMin: Ashton et al. 2002), of evenly spaced rows."""
    some = np.unique(np.linspace(0, len(asked) - 1, min(len(asked), BLOCK)).astype(np.int64))
    near = asked.take(some)
    among = similarity(near, near, scale).fragments
    nearest = (
        similarity(near, measured, scale).fragments.max(axis=1)
        if len(measured)
        # Without any result the first is the most central one.
        else 1 - among.mean(axis=1)
    ).astype(float)
    picks: list[int] = []
    for _ in range(min(count, len(some))):
        pick = int(np.argmin(nearest))
        nearest = np.maximum(nearest, among[pick]) if picks or len(measured) else among[pick].astype(float)
        picks.append(pick)
        nearest[picks] = np.inf
    return np.asarray(some[picks])


def _plate(
    table: AssayTable,
    candidates: Sequence[Molecule],
    order: NDArray[np.int64],
    process: Process | None,
    measured: Features,
    asked: Features,
    scale: DescriptorScale,
    options: PlateOptions,
    fresh: int,
) -> Plate:
    picked = asked.take(order)
    near = similarity(picked, measured, scale) if len(measured) else None
    values = low = high = None
    if process is not None and near is not None:
        values, _ = process.predict(near.whole)
        low, high = process.interval(near.whole, options.coverage)
    # Among the best of the plate by prediction alone, or there for what it may turn out to be.
    good = (
        set(np.argsort(-values, kind="stable")[: (len(order) + 1) // 2].tolist())
        if values is not None
        else set()
    )
    picks = []
    for place, row in enumerate(order):
        nearest = int(near.fragments[place].argmax()) if near is not None else None
        picks.append(
            Pick(
                _well(place, options.size),
                candidates[row],
                None if values is None else float(values[place]),
                None if low is None else float(low[place]),
                None if high is None else float(high[place]),
                "different" if values is None else "promising" if place in good else "uncertain",
                None if nearest is None else table.measured[nearest],
                None if nearest is None or near is None else float(near.fragments[place, nearest]),
            )
        )
    error = correlation = None
    if process is not None:
        error, correlation = process.checked()
    return Plate(
        tuple(picks), process is not None, error, correlation, len(candidates), fresh - len(candidates)
    )


def _well(place: int, size: int) -> str:
    columns = {96: 12, 384: 24}.get(96 if size <= 96 else 384 if size <= 384 else 0)
    return f"{ROWS[place // columns]}{place % columns + 1}" if columns else str(place + 1)
