"""Whether an explanation says what the model does.

* comprehensiveness and sufficiency (DeYoung et al. 2020, ERASER): the fall of the target's probability when the
  strongest 1, 5, 10, 20, 50 % of the units are deleted, or alone are kept; the mean over the shares, as their
  scorer averages. At least one unit is taken.
* deletion and insertion (Petsiuk et al. 2018, RISE): the normalised area under the probability while units are
  deleted, or put back into the empty note, the strongest first.
* the same four for random orders in the same run: the floor.
* stability: rank correlation of the explanation between seeds; of sampled values their split-half reliability.
* randomised weights (Adebayo et al. 2018): rank correlation with the explanation of the same architecture whose
  weights say nothing; it must fall.

What these figures cannot say: a deleted unit leaves a note the model never saw, so a low figure may be the fault
of the model off its road rather than of the explanation (Hooker et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Masks, ends, probability
from xinglin.explain.ranks import rank_correlation

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
"""Shares of the units that are erased; ERASER's own."""
STEPS = 10
"""Most steps of a deletion curve; with more units several go at once."""
ORDERS = 10
"""Random orders of the floor."""
MIN_STABILITY = 0.7
"""Below it two runs share less than half of the variance of their ranks (0.7 squared = 0.49): they tell two stories."""
MAX_RANDOMISED = 0.7
"""Above it an explanation shares half of its ranks with that of a model which knows nothing: it shows the text, not
the model. The limit is that of two seeds of one model."""
MIN_RANKED = 5
"""With fewer units a rank correlation of 0.7 is nothing unusual by chance: the randomised check is not judged."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The same four figures for random orders of the units (mean): the floor that a reader compares with."""

    comprehensiveness: float
    sufficiency: float
    deletion: float
    insertion: float


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How far one explanation may be trusted; probabilities are the target's."""

    comprehensiveness: float
    """Fall of the probability when the strongest units are taken away (mean over shares); higher is better."""
    sufficiency: float
    """Fall of the probability when only the strongest units stay (mean over shares); lower is better."""
    deletion: float
    """Area under the probability while the strongest units go first; lower is better."""
    insertion: float
    """Area under the probability while the strongest units come first; higher is better."""
    chance: Chance
    stability: float
    """Mean rank correlation of the explanation between seeds, or the split-half reliability of sampled values; 1 for a
    method that draws nothing."""
    randomised: float | None
    """Rank correlation with the explanation of the model with randomised weights; ``None``: not possible."""
    failed: tuple[str, ...]
    """Names of the checks that failed: figures no better than their floor, ``stability``, ``randomised``."""


def measure_faithfulness(
    game: Explainable,
    attribution: Attribution,
    *,
    again: Sequence[Attribution] = (),
    randomised: Attribution | None = None,
    orders: int = ORDERS,
    seed: int = 0,
) -> Faithfulness:
    """Measure one explanation against the model it explains.

    Args:
        game: the game that was explained; what it answered already is not asked again.
        attribution: the explanation.
        again: the same method with other seeds; empty for a method that draws nothing or that brings its own
            reliability.
        randomised: the same method on the model with randomised weights
            (:func:`xinglin.explain.randomised_classifier`); ``None`` where weights cannot be randomised.
        orders: random orders of the floor.
        seed: of the random orders.

    Raises:
        InvalidInputError: an explanation of other units, or no random order.
    """
    parts = len(game)
    if orders < 1:
        raise InvalidInputError(f"orders: expected at least 1, got {orders}")
    for other in (attribution, *again, *([] if randomised is None else [randomised])):
        if len(other.values) != parts:
            raise InvalidInputError(
                f"attribution: expected {parts} units, got {len(other.values)}: explain the same note again"
            )
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(parts) for _ in range(orders)]
    game.expect((1 + orders) * len(_masks(attribution.order)))
    ours = four_figures(game, attribution.order)
    floor = np.mean([four_figures(game, order) for order in drawn], axis=0)
    stability = 1.0 if attribution.reliability is None else attribution.reliability
    if again:
        stability = float(np.mean([rank_correlation(attribution.values, o.values) for o in again]))
    sanity = None if randomised is None else rank_correlation(attribution.values, randomised.values)
    failed = [
        name
        for name, value, chance, sign in zip(
            FIGURES, ours, floor.tolist(), (1.0, -1.0, -1.0, 1.0), strict=True
        )
        if sign * (value - chance) < -1e-9
    ]
    if stability < MIN_STABILITY:
        failed.append("stability")
    if sanity is not None and parts >= MIN_RANKED and sanity > MAX_RANDOMISED:
        failed.append("randomised")
    return Faithfulness(
        *ours, chance=Chance(*floor.tolist()), stability=stability, randomised=sanity, failed=tuple(failed)
    )


FIGURES = ("comprehensiveness", "sufficiency", "deletion", "insertion")


def four_figures(game: Explainable, order: NDArray[np.intp]) -> tuple[float, float, float, float]:
    """Return comprehensiveness, sufficiency, deletion and insertion of one order, the strongest part first."""
    masks = _masks(order)
    found = probability(game.value(masks))
    erased, alone, deleted = np.split(found[2:], [len(SHARES), 2 * len(SHARES)])
    full = float(found[1])
    deletion, insertion = np.split(deleted, 2)
    return (
        full - float(erased.mean()),
        full - float(alone.mean()),
        _area(np.array([full, *deletion, found[0]]), len(order)),
        _area(np.array([found[0], *insertion, full]), len(order)),
    )


def _masks(order: NDArray[np.intp]) -> Masks:
    """Nothing and everything; without and with only the strongest shares; the inner steps of both curves."""
    parts = len(order)
    rank = np.empty(parts, int)
    rank[order] = np.arange(parts)
    taken = np.ceil(np.array(SHARES) * parts).astype(int)
    strongest = [rank < count for count in (*taken, *_steps(parts)[1:-1])]
    shares, curve = strongest[: len(SHARES)], strongest[len(SHARES) :]
    rows = [*(~row for row in shares), *shares, *(~row for row in curve), *curve]
    return np.vstack([ends(parts), np.array(rows).reshape(-1, parts)])


def _steps(parts: int) -> NDArray[np.int64]:
    """How many parts are gone at each point of a curve, both ends included."""
    return np.unique(np.linspace(0, parts, min(STEPS, parts) + 1).round().astype(np.int64))


def _area(curve: Floats, parts: int) -> float:
    """Area under a curve over the share of the parts that are gone, by trapezoids."""
    return float(np.trapezoid(curve, _steps(parts) / parts))
