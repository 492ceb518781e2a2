"""Activity models are fitted: everything that is chosen, weighted or calibrated is so by cross-validation.

Two learners of different kind see the table: a kernel machine (the mean of a Gaussian process whose noise has the largest
marginal likelihood and, for numbers, of a support vector regression on the same kernel) and gradient-boosted trees
(LightGBM). Predictions made for each fold without it are stacked with weights that are not negative, and calibrate the
interval, the probabilities and the domain. Then both learners are fitted on the whole table; of more than ``ANCHORS``
molecules the kernel machine and the domain see that many, drawn alike from every task and class, the trees all.

Differs from the usual recipe (MoleculeACE, van Tilborg et al. 2022: one fingerprint, one learner) in averaging the
kernels of four fragment families and of descriptors; their best method, SVM on ECFP, has the kernel of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.measure.normalised import NormalisedInterval
from xinglin.measure.venn_abers import VennAbers
from xinglin.model.molecule.activity import ActivityModel, Kind, Panel, log_odds, signs
from xinglin.model.molecule.domain import Domain, nearness
from xinglin.model.molecule.features import Features, featurise
from xinglin.model.molecule.kernel import DescriptorScale, Similarity, Written, similarity
from xinglin.records.molecules.scaffold import scaffold_folds

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Split = Literal["scaffold", "random"]
LEAST = 30
"""Labelled molecules of a task, below which nothing is fitted."""
LEAST_OF_CLASS = 8
"""Molecules of the rarer class."""
NOISES = (0.03, 0.1, 0.3, 1.0)
"""Candidates of the noise over the signal's variance."""
ANCHORS = 8_000
"""Most molecules of a table that the kernel machine is fitted on: memory grows with them times the table, time with their
cube."""
MOST = 100_000
"""Most molecules of a table: 13 GB of kernel."""
MOST_TRIED = 2500
"""Molecules over which the noise is chosen; evenly spaced."""
LEAST_WEIGHT = 0.05
"""Share of the stack below which the trees are left out."""
_BLOCK = 1024
"""Molecules whose kernel is computed at once."""


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """How activity models are fitted."""

    folds: int = 5
    """Folds of the cross-validation."""
    split: Split = "scaffold"
    """``scaffold``: no Bemis-Murcko scaffold in two folds; ``random``: stratified by label or activity cliff."""
    coverage: float = 0.9
    """Share of new cases that the interval of a number holds."""
    trees: int = 300
    """Boosting rounds; 0: no trees, the kernel machine alone."""
    penalty: float = 5.0
    """C of the support vector regression, on labels of unit variance."""
    threads: int = 1
    """Threads of the trees."""
    seed: int = 0
    """Of folds and trees."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table to fit: molecules in standard form, each once, and a label a task."""

    name: str
    smiles: Sequence[str]
    labels: dict[str, Array]
    """Task to labels, NaN where unknown; a task with no other labels than 0 and 1 is a probability's."""
    strata: NDArray[np.int64] | None = None
    """For a random split: a group of each molecule that all folds share evenly, such as activity cliffs."""


@dataclass(frozen=True, slots=True)
class Held:
    """One task's predictions for its molecules, each made without its fold: the validation of the final model."""

    task: str
    kind: Kind
    truth: Array
    value: Array
    machine: Array
    """The kernel machine alone (of a probability: a score)."""
    trees: Array
    """The trees alone."""
    near: Array
    fold: NDArray[np.int64]


def fit_panel(
    table: Table,
    options: ActivityOptions | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Panel, list[Held]]:
    """Fit the models of one table; tasks with too few labels are left out.

    Args:
        table: what to fit.
        options: how.
        report: called with each task's name when it is done.

    Raises:
        InvalidInputError: no task can be fitted.
        InputTooLargeError: more than ``MOST`` molecules.
        MissingExtraError: LightGBM or scikit-learn is not installed.
    """
    options = options or ActivityOptions()
    if len(table.smiles) > MOST:
        raise InputTooLargeError(
            f"{table.name}: expected at most {MOST:,} molecules, got {len(table.smiles):,}: give a part"
        )
    features = featurise(table.smiles)
    scale = DescriptorScale.of(features)
    anchors = anchors_of(table, options.seed)
    reference = features.take(anchors)
    alike = _alike(features, reference, scale)
    columns = features.columns()
    models, held = [], []
    for task, labels in table.labels.items():
        rows = np.flatnonzero(np.isfinite(labels))
        kind = kind_of(labels[rows])
        if not enough(labels[rows], kind):
            continue
        fold = folds_of(table, rows, labels[rows], kind, options)
        known = np.flatnonzero(np.isfinite(labels[anchors]))
        place = np.searchsorted(rows, anchors[known])
        part = Similarity(alike.fragments[np.ix_(rows, known)], alike.whole[np.ix_(rows, known)])
        model, validated = _fit_task(
            task, kind, known, place, labels[rows], part, columns[rows], fold, options
        )
        models.append(model)
        held.append(validated)
        if report:
            report(f"{table.name} {task}")
    if not models:
        raise InvalidInputError(
            f"{table.name}: expected a task with at least {LEAST} labels and {LEAST_OF_CLASS} of each class, found none"
        )
    return Panel(table.name, reference, scale, tuple(models)), held


def anchors_of(table: Table, seed: int = 0) -> NDArray[np.int64]:
    """Return the molecules that the kernel machine is fitted on, in ascending order: all, or ``ANCHORS`` of them.

    They are drawn in turn from every task, and of a class from both labels, so that a rare label is seen in full.
    """
    count = len(table.smiles)
    if count <= ANCHORS:
        return np.arange(count)
    order = np.random.default_rng(seed).permutation(count)
    turn = np.full(count, count)
    for labels in table.labels.values():
        number = kind_of(labels[np.isfinite(labels)]) == "number"
        for group in [np.isfinite(labels)] if number else [labels == 0, labels == 1]:
            members = order[group[order]]
            turn[members] = np.minimum(turn[members], np.arange(len(members)))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:ANCHORS])


def _alike(features: Features, reference: Features, scale: DescriptorScale) -> Similarity:
    """``similarity``, a block of rows at a time: what lies between takes five times the memory of the answer."""
    shape = len(features), len(reference)
    alike = Similarity(np.empty(shape, np.float32), np.empty(shape, np.float32))
    written = [Written.of(family) for family in reference.counts]
    for start in range(0, len(features), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(features)))
        part = similarity(features.take(block), reference, scale, written)
        alike.fragments[block], alike.whole[block] = part.fragments, part.whole
    return alike


def kind_of(labels: Array) -> Kind:
    """Return what a task's labels are."""
    return "probability" if np.isin(labels, (0.0, 1.0)).all() else "number"


def enough(labels: Array, kind: Kind) -> bool:
    """Return whether a task can be fitted."""
    if kind == "number":
        return len(labels) >= LEAST and float(np.std(labels)) > 0
    return len(labels) >= LEAST and min((labels == 0).sum(), (labels == 1).sum()) >= LEAST_OF_CLASS


def folds_of(
    table: Table, rows: NDArray[np.int64], labels: Array, kind: Kind, options: ActivityOptions
) -> NDArray[np.int64]:
    """Return the fold of some molecules of a table, shape (rows,), 0 .. folds - 1."""
    if options.split == "scaffold":
        return scaffold_folds([table.smiles[row] for row in rows], options.folds, seed=options.seed)
    if table.strata is not None:
        strata = table.strata[rows]
    elif kind == "probability":
        strata = labels.astype(np.int64)
    else:
        strata = np.searchsorted(np.quantile(labels, (0.25, 0.5, 0.75)), labels)
    drawn = np.random.default_rng(options.seed).permutation(len(rows))
    # Dealt in turn, stratum by stratum: every fold gets its share of each.
    order = drawn[np.argsort(strata[drawn], kind="stable")]
    fold = np.empty(len(rows), np.int64)
    fold[order] = np.arange(len(rows)) % options.folds
    return fold


def _fit_task(
    task: str,
    kind: Kind,
    known: NDArray[np.int64],
    place: NDArray[np.int64],
    labels: Array,
    alike: Similarity,
    columns: Any,
    fold: NDArray[np.int64],
    options: ActivityOptions,
) -> tuple[ActivityModel, Held]:
    """One task: ``known`` are its anchors among the panel's, ``place`` where they lie among its labels, and ``alike`` the
    kernel of its molecules, shape (labels, anchors)."""
    target = labels if kind == "number" else 2 * labels - 1
    at_anchors = target[place]
    kernel = alike.whole[place]
    noise = choose_noise(kernel, at_anchors)
    machine, trees, near = (np.zeros(len(labels)) for _ in range(3))
    for number in range(options.folds):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        seen = np.flatnonzero(fold[place] != number)
        dual, offset = fit_machine(kernel[np.ix_(seen, seen)], at_anchors[seen], noise, kind, options)
        machine[test] = alike.whole[np.ix_(test, seen)] @ dual + offset
        near[test] = nearness(alike.fragments[np.ix_(test, seen)])
        if options.trees:
            grown = _grow(columns[train], labels[train], kind, options)
            raw = np.asarray(grown.predict(columns[test], num_threads=options.threads))
            trees[test] = raw if kind == "number" else log_odds(raw)
    stack = _stacked(machine, trees, labels, kind)
    dual, offset = fit_machine(kernel, at_anchors, noise, kind, options)
    keep = stack[2] != 0.0
    text = str(_grow(columns, labels, kind, options).model_to_string()) if keep else ""
    domain = Domain.of(near)
    score = stack[0] + stack[1] * machine + stack[2] * trees
    fitted = ActivityModel(
        task,
        kind,
        known,
        dual,
        offset,
        text,
        stack,
        domain,
        **_calibrated(
            kind,
            labels,
            score,
            near,
            np.abs(machine - trees) if keep else np.zeros(len(labels)),
            domain,
            options,
        ),
    )
    value = score if kind == "number" else 1 / (1 + np.exp(-score))
    return fitted, Held(task, kind, labels, value, machine, trees, near, fold)


def _calibrated(
    kind: Kind,
    labels: Array,
    score: Array,
    near: Array,
    apart: Array,
    domain: Domain,
    options: ActivityOptions,
) -> dict[str, Any]:
    if kind == "number":
        interval = NormalisedInterval.fit(np.abs(labels - score), signs(near, apart), options.coverage)
        return {"interval": interval}
    inside, truth = domain.holds(near), labels.astype(np.int64)
    return {
        "inside": VennAbers.fit(score[inside], truth[inside]),
        "outside": VennAbers.fit(score[~inside], truth[~inside]) if not inside.all() else VennAbers.vacuous(),
    }


def choose_noise(kernel: Floats, target: Array) -> float:
    """Return the noise, over the signal's variance, of the largest marginal likelihood (Rasmussen and Williams 2006, 5.8).

    The signal's variance is set to its best value for each noise.
    """
    from scipy.linalg import cho_factor, cho_solve

    rows = np.linspace(0, len(target) - 1, min(len(target), MOST_TRIED)).astype(np.int64)
    some, centred = kernel[np.ix_(rows, rows)], target[rows] - target[rows].mean()
    best, chosen = -np.inf, NOISES[0]
    for noise in NOISES:
        factor = cho_factor(some + np.float32(noise) * np.eye(len(rows), dtype=np.float32), lower=True)
        variance = float(centred @ cho_solve(factor, centred.astype(np.float32))) / len(rows)
        likelihood = -0.5 * len(rows) * np.log(variance) - np.log(np.diag(factor[0])).sum()
        if likelihood > best:
            best, chosen = float(likelihood), noise
    return chosen


def fit_machine(
    kernel: Floats, target: Array, noise: float, kind: Kind, options: ActivityOptions
) -> tuple[Array, float]:
    """Return the dual weights and the offset of the kernel machine.

    Of a number, the mean of the Gaussian process's and the support vector regression's, both linear in the kernel.
    """
    from scipy.linalg import cho_factor, cho_solve

    mean, deviation = float(target.mean()), float(target.std()) or 1.0
    scaled = ((target - mean) / deviation).astype(np.float32)
    factor = cho_factor(kernel + np.float32(noise) * np.eye(len(target), dtype=np.float32), lower=True)
    dual = np.asarray(cho_solve(factor, scaled), np.float64)
    if kind == "probability":
        return dual * deviation, mean
    try:
        from sklearn.svm import SVR
    except ImportError as error:
        raise MissingExtraError("fitting activity models", "drugs") from error
    machine = SVR(kernel="precomputed", C=options.penalty, epsilon=0.1).fit(kernel, scaled)
    dual *= 0.5
    dual[machine.support_] += 0.5 * machine.dual_coef_[0]
    return dual * deviation, mean + 0.5 * float(machine.intercept_[0]) * deviation


def _grow(columns: Any, labels: Array, kind: Kind, options: ActivityOptions) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("fitting activity models", "drugs") from error
    settings = {
        "objective": "regression" if kind == "number" else "binary",
        "learning_rate": 0.05,
        "num_leaves": 31 if kind == "number" else 15,
        "min_data_in_leaf": 10,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "feature_fraction": 0.3,
        "lambda_l2": 1.0,
        "max_bin": 63,
        "seed": options.seed,
        "deterministic": True,
        "num_threads": options.threads,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(columns, labels, params={"max_bin": 63, "verbosity": -1})
    return lightgbm.train(settings, data, num_boost_round=options.trees)


def _stacked(machine: Array, trees: Array, labels: Array, kind: Kind) -> tuple[float, float, float]:
    """Constant and weights of the two learners that fit the held-out labels best, none negative (Breiman 1996)."""
    if kind == "number":
        from scipy.optimize import nnls

        middle = np.array([machine.mean(), trees.mean()])
        weights, _ = nnls(np.column_stack([machine, trees]) - middle, labels - labels.mean())
        if weights[1] < LEAST_WEIGHT * weights.sum():
            weights = np.array([weights.sum(), 0.0])
        if not weights.any():
            weights = np.array([1.0, 0.0])
        return float(labels.mean() - weights @ middle), float(weights[0]), float(weights[1])
    both = _logistic(np.column_stack([machine, trees]), labels)
    spread = both[1:] * np.array([machine.std(), trees.std()])
    if spread[1] < LEAST_WEIGHT * spread.sum():
        alone = _logistic(machine[:, None], labels)
        return float(alone[0]), float(alone[1]), 0.0
    return float(both[0]), float(both[1]), float(both[2])


def _logistic(columns: Array, labels: Array) -> Array:
    """Logistic regression with weights that are not negative; the labels are smoothed as by Platt 1999."""
    from scipy.optimize import minimize
    from scipy.special import expit

    ones, zeros = labels.sum(), (labels == 0).sum()
    smooth = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    width = columns.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(labels)), columns / width])

    def loss(weights: Array) -> tuple[float, Array]:
        score = design @ weights
        value = float((np.logaddexp(0, score) - smooth * score).mean())
        return value, design.T @ (expit(score) - smooth) / len(labels)

    start = np.concatenate([[np.log((ones + 1) / (zeros + 1))], np.full(columns.shape[1], 0.5)])
    bounds = [(None, None)] + [(0.0, None)] * columns.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.concatenate([found[:1], found[1:] / width])
