"""Membership inference: how well can somebody who has the model tell whose records it was trained on?

Loss threshold (Yeom et al. 2018, arXiv:1709.01604) and the likelihood-ratio attack LiRA (Carlini et al. 2022,
arXiv:2112.03570), offline: for each record the loss of the model under attack is set against its losses under shadow
models that never saw it, as a normal distribution. A score is higher for a record that rather was a member. An attack
that fails proves nothing; one that succeeds proves leakage. What it may reach at most is bounded by the guarantee: with
(epsilon, 0) the balanced accuracy is at most e^eps / (1 + e^eps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from xinglin.errors import InvalidInputError

Array = np.ndarray[Any, np.dtype[np.float64]]
_LEAST_SD = 1e-3
"""Of the scaled confidence under shadow models: below it one shadow's luck would decide."""


@dataclass(frozen=True, slots=True)
class Attack:
    """How an attack did."""

    auc: float
    """Chance that a member scores above a non-member, ties half: .5 is guessing."""
    low: float
    """95 % interval, by DeLong's variance."""
    high: float
    members: int
    others: int


def loss_scores(losses: Any) -> Array:
    """Return the score of each record for the loss attack: the smaller the loss, the rather a member.

    Raises:
        InvalidInputError: losses that are not finite numbers.
    """
    return -_vector(losses, "losses")


def likelihood_scores(confidence: Any, shadows: Any) -> Array:
    """Return the score of each record for the offline likelihood-ratio attack.

    Args:
        confidence: shape (records,): probability of the true answer under the model that is attacked.
        shadows: shape (models, records): the same under models trained without the record; NaN where a shadow model
            did see it. Each record needs two or more.

    Raises:
        InvalidInputError: probabilities out of range, or too few shadow models.
    """
    own = _logit(_vector(confidence, "confidence"))
    given = np.asarray(shadows, float)
    if given.ndim != 2 or given.shape[1] != len(own):
        raise InvalidInputError(f"shadows: expected shape (models, {len(own)}), got {given.shape}")
    seen = np.isnan(given)
    if ((~seen).sum(0) < 2).any():
        raise InvalidInputError("shadows: expected two or more models without each record")
    scaled = np.where(seen, np.nan, _logit(np.where(seen, 0.5, given)))
    centre = np.nanmean(scaled, axis=0)
    # One spread for all: few shadow models do not give one by record (Carlini et al., section VI.C).
    spread = max(float(np.sqrt(np.nanvar(scaled, axis=0, ddof=1).mean())), _LEAST_SD)
    return np.asarray(norm.logcdf((own - centre) / spread), float)


def attack(scores: Any, member: Any) -> Attack:
    """Return how well scores tell members from others.

    Args:
        scores: shape (records,).
        member: shape (records,), true for those that were trained on; two or more of each kind.

    Raises:
        InvalidInputError: scores that are not finite, or fewer than two of a kind.
    """
    values = _vector(scores, "scores")
    inside = np.asarray(member, bool)
    if inside.shape != values.shape:
        raise InvalidInputError(f"member: expected shape {values.shape}, got {inside.shape}")
    yes, no = values[inside], values[~inside]
    if min(len(yes), len(no)) < 2:
        raise InvalidInputError(f"expected two or more members and others, got {len(yes)} and {len(no)}")
    # DeLong, DeLong and Clarke-Pearson 1988 by mid-ranks (Sun and Xu 2014)
    ranks = rankdata(np.concatenate([yes, no]))
    of_yes = (ranks[: len(yes)] - rankdata(yes)) / len(no)
    of_no = 1 - (ranks[len(yes) :] - rankdata(no)) / len(yes)
    auc = float(of_yes.mean())
    sd = float(np.sqrt(of_yes.var(ddof=1) / len(yes) + of_no.var(ddof=1) / len(no)))
    reach = float(norm.ppf(0.975)) * sd
    return Attack(auc, max(0.0, auc - reach), min(1.0, auc + reach), len(yes), len(no))


def _logit(probability: Array) -> Array:
    if (probability < 0).any() or (probability > 1).any():
        raise InvalidInputError("confidence: expected probabilities of 0 to 1")
    kept = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(kept) - np.log1p(-kept), float)


def _vector(values: Any, name: str) -> Array:
    found = np.asarray(values, float)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise InvalidInputError(f"{name}: expected a vector of finite numbers, got shape {found.shape}")
    return found
