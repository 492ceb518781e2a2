"""Suspected label errors by confident learning, from out-of-sample probabilities."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.labels.votes import Array, Ints

ROUNDING = 1e-3
"""How far a row of probabilities may sum from 1."""


@dataclass(frozen=True, slots=True)
class ClassNoise:
    """What the joint says of one class."""

    label: int
    items: int
    """Items that carry this label."""
    suspects: int
    """Suspected among them."""
    wrong: float | None
    """Estimated share of the items of this label that belong to another class; ``None`` without an item."""
    missed: float | None
    """Estimated share of the items that belong to this class and carry another label; ``None`` if there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Suspected label errors, ranked, and how the given labels stand to the estimated true ones."""

    suspects: Ints
    """Indices of suspected items, most suspect first."""
    quality: Array
    """How well each label fits, shape (items,), in [0, 1]; a suspect of quality 0.1 precedes one of 0.2."""
    suggested: Ints
    """Most probable class of each item by the probabilities given, shape (items,); a hint, never a correction."""
    confident: Ints
    """The confident joint, shape (classes, classes): items by given label (row) and the class they confidently belong
    to (column), calibrated to the number of items of each label (Northcutt et al., section 3.1)."""
    joint: Array
    """Estimated joint distribution of given label (row) and true class (column), shape (classes, classes), sum 1."""
    classes: tuple[ClassNoise, ...]


def label_noise(labels: Ints, probabilities: Array) -> Noise:
    """Find labels that are probably wrong by confident learning (Northcutt, Jiang and Chuang, JAIR 70 (2021) 1373).

    cleanlab does the counting and filtering (``prune_by_noise_rate``, ranked by the normalised margin); the joint by
    class is ours. The probabilities must be out of sample, that is, of a model that has not seen the item's label
    (cross-validation): a model that has learnt the errors by heart finds none.

    Args:
        labels: given class of each item, shape (items,).
        probabilities: probability of each class, shape (items, classes).

    Raises:
        MissingExtraError: cleanlab is not installed.
        InvalidInputError: shapes do not fit, a label or a probability is out of range, or fewer than two classes have
            an item.
    """
    labels, probabilities = _checked(labels, probabilities)
    try:
        from cleanlab.count import compute_confident_joint
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        raise MissingExtraError("label noise", "labels") from None
    confident = np.asarray(compute_confident_joint(labels, probabilities))
    joint = confident / confident.sum()
    quality = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    with warnings.catch_warnings():
        # It tells of classes without any item, which `classes` shows.
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        ranked = find_label_issues(
            labels,
            probabilities,
            confident_joint=confident,
            return_indices_ranked_by="normalized_margin",
            n_jobs=1,
        )
    suspects = np.asarray(ranked, np.int64)
    found = np.bincount(labels[suspects], minlength=len(joint))
    given = np.bincount(labels, minlength=len(joint))
    classes = tuple(
        ClassNoise(k, int(given[k]), int(found[k]), _other(joint[k], k), _other(joint[:, k], k))
        for k in range(len(joint))
    )
    return Noise(suspects, quality, probabilities.argmax(axis=1), confident, joint, classes)


def _other(row: Array, label: int) -> float | None:
    total = float(row.sum())
    return 1 - float(row[label]) / total if total > 0 else None


def _checked(labels: Ints, probabilities: Array) -> tuple[Ints, Array]:
    given, rows = np.asarray(labels), np.asarray(probabilities, float)
    if rows.ndim != 2 or given.shape != rows.shape[:1] or not np.issubdtype(given.dtype, np.integer):
        raise InvalidInputError(
            f"label noise: expected integer labels (items,) and probabilities (items, classes), got {given.dtype} of "
            f"shape {given.shape} and shape {rows.shape}"
        )
    if not (
        np.isfinite(rows).all() and (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=ROUNDING)
    ):
        raise InvalidInputError("label noise: expected rows of probabilities that are >= 0 and sum to 1")
    if len(given) and not (given.min() >= 0 and given.max() < rows.shape[1]):
        raise InvalidInputError(
            f"label noise: expected labels in 0..{rows.shape[1] - 1}, got {given.min()}..{given.max()}"
        )
    if len(np.unique(given)) < 2:
        raise InvalidInputError("label noise: expected items of at least two classes")
    return given.astype(np.int64), rows
