"""The next plate: which molecules to measure, from what a laboratory has measured so far.

A Gaussian process is fitted to the results; molecules are picked by what they may reach, predicted value plus its
uncertainty, each pick taking into account those before it (:mod:`xinglin.model.molecule.gaussian`). Kernel and boldness
were chosen on four MoleculeACE targets; what the loop saves on others is told in docs/results/assays.md.
With fewer than eight results nothing can be predicted: then the plate is drawn to differ as much as it can, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.assay_table import AssayTable, Measured
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.model.molecule.features import Features, featurise, joined
from xinglin.model.molecule.gaussian import FEWEST, Observed, Process
from xinglin.model.molecule.kernel import DescriptorScale, Similarity, similarity
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
    parts = [candidates[at : at + BLOCK] for at in range(0, len(candidates), BLOCK)]
    seen = _Seen.of(
        featurise([one.molecule.smiles for one in table.measured]),
        joined([featurise([one.smiles for one in part]) for part in parts]),
    )
    process = _fit(table, seen)
    order = _different(seen, options.size) if process is None else _best(process, seen, options)
    error, correlation = (None, None) if process is None else process.checked()
    return Plate(
        tuple(_picks(table, [candidates[row] for row in order], order, seen, process, options)),
        process is not None,
        error,
        correlation,
        len(candidates),
        len(fresh) - len(candidates),
    )


@dataclass(frozen=True)
class _Seen:
    """The molecules as the kernel sees them."""

    measured: Features
    asked: Features
    scale: DescriptorScale

    @classmethod
    def of(cls, measured: Features, asked: Features) -> _Seen:
        return cls(measured, asked, DescriptorScale.of(joined([measured, asked])))

    def among_measured(self) -> Similarity:
        return similarity(self.measured, self.measured, self.scale)

    def to_measured(self, rows: NDArray[np.int64]) -> Similarity:
        return similarity(self.asked.take(rows), self.measured, self.scale)

    def among(self, rows: NDArray[np.int64]) -> Similarity:
        some = self.asked.take(rows)
        return similarity(some, some, self.scale)


def _fit(table: AssayTable, seen: _Seen) -> Process | None:
    """The process, or None where there is too little to fit."""
    if len(table.measured) < FEWEST:
        return None
    observed = Observed(
        np.array([one.value for one in table.measured]),
        np.array([one.side for one in table.measured], np.int8),
        np.array([one.repeats for one in table.measured], np.int64),
    )
    try:
        return Process.fit(seen.among_measured().whole, observed)
    except InvalidInputError:
        # All values alike, or nearly all bounds: nothing to learn; the plate says that it is not fitted.
        return None


def _best(process: Process, seen: _Seen, options: PlateOptions) -> NDArray[np.int64]:
    merit = np.empty(len(seen.asked))
    for at in range(0, len(seen.asked), BLOCK):
        rows = np.arange(at, min(at + BLOCK, len(seen.asked)))
        mean, deviation = process.predict(seen.to_measured(rows).whole)
        merit[rows] = mean + options.boldness * deviation
    # Deviations only shrink while a plate is filled, so that its wells lie among the first of this order; the bound on
    # how many are compared with each other is wider than any plate.
    first = np.argsort(-merit, kind="stable")[:BLOCK]
    picks = process.batch(
        seen.to_measured(first).whole, seen.among(first).whole, options.size, options.boldness
    )
    return np.asarray(first[picks])


def _different(seen: _Seen, count: int) -> NDArray[np.int64]:
    """Return candidates, each the least similar to all before it (MaxMin: Ashton et al. 2002), of evenly spaced rows."""
    size = len(seen.asked)
    some = np.unique(np.linspace(0, size - 1, min(size, BLOCK)).astype(np.int64))
    among = seen.among(some).fragments
    if len(seen.measured):
        nearest = seen.to_measured(some).fragments.max(axis=1).astype(float)
        picks: list[int] = []
    else:
        # Without any result the first is the most central one.
        picks = [int(np.argmax(among.mean(axis=1)))]
        nearest = among[picks[0]].astype(float)
        nearest[picks] = np.inf
    while len(picks) < min(count, len(some)):
        pick = int(np.argmin(nearest))
        picks.append(pick)
        nearest = np.maximum(nearest, among[pick])
        nearest[picks] = np.inf
    return np.asarray(some[picks])


def _picks(
    table: AssayTable,
    molecules: Sequence[Molecule],
    order: NDArray[np.int64],
    seen: _Seen,
    process: Process | None,
    options: PlateOptions,
) -> Iterator[Pick]:
    near = seen.to_measured(order) if len(seen.measured) else None
    values: list[float | None] = [None] * len(order)
    low, high = list(values), list(values)
    good: set[int] = set()
    if process is not None and near is not None:
        mean, _ = process.predict(near.whole)
        bounds = process.interval(near.whole, options.coverage)
        values, low, high = mean.tolist(), bounds[0].tolist(), bounds[1].tolist()
        # Among the best of the plate by prediction alone, or there for what it may turn out to be.
        good = set(np.argsort(-mean, kind="stable")[: (len(order) + 1) // 2].tolist())
    for place, molecule in enumerate(molecules):
        nearest = None if near is None else int(near.fragments[place].argmax())
        yield Pick(
            _well(place, options.size),
            molecule,
            values[place],
            low[place],
            high[place],
            "different" if process is None else "promising" if place in good else "uncertain",
            None if nearest is None else table.measured[nearest],
            None if nearest is None or near is None else float(near.fragments[place, nearest]),
        )


def _well(place: int, size: int) -> str:
    columns = {96: 12, 384: 24}.get(96 if size <= 96 else 384 if size <= 384 else 0)
    return f"{ROWS[place // columns]}{place % columns + 1}" if columns else str(place + 1)
