"""Do the texts that nobody labelled, or cleaner labels, close the gap that chosen labels leave?

As ``active_labels``: 40 % of the pool's weak labels, bought where the model doubts (margin), against all of them; the
same learner, pool, folds and aim. What differs is what is made of the 40 % afterwards:

- **self-training**: the unlabelled rest gets the model's own confident labels, at a fraction of the weight
  (Yarowsky, ACL 1995; here two rounds);
- **soft self-training**: the rest gets the model's probabilities, three rounds;
- **manifold**: scores may not change along the ten nearest neighbours of the rest (Laplacian regularised least squares,
  Belkin, Niyogi and Sindhwani, JMLR 2006);
- **cleaning**: labels that the others make improbable are left out (leave-one-out of the ridge, in closed form; the idea
  of confident learning, Northcutt et al., JAIR 2021), alone and before self-training.

Their numbers are chosen on the folds 1 to 4, each once as the scored one; fold 0 is scored once, with what was chosen.
All labels are given cleaning too. The shipped text encoder is left out on purpose: it was fitted to labels mined from these
very texts, so that its features would know the labels that are said not to be bought.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from benchmarks.active_labels import AT, MARGIN_OF_INFERIORITY, ROOT
from xinglin.labels.select import MARGIN
from xinglin.measure import bootstrap, compare_seeds, holm

SEEDS = 5
DEVELOPMENT_SEEDS = 1
STEP = 0.02
Array = np.ndarray[Any, Any]
Method = Callable[[Any, Array], Array]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text" / "toyhom_weak_disease").is_dir():
        note = "no data: set XINGLIN_DATA to the data folder"
        return [Line("active rest", "accuracy", None, "", 0, note=note)]
    from benchmarks import _active_learner as learner

    texts, names = learner.read(data, 500 if quick else None)
    fold, none = learner.folds(texts), np.zeros((len(texts), 1))

    def task(scored: int) -> Any:
        pool = np.flatnonzero((fold != learner.TEST) & (fold != scored))
        return learner.prepare(texts, names, pool, np.flatnonzero(fold == scored), none)

    grid = _grid()
    marks: dict[str, list[float]] = {name: [] for methods in grid.values() for name in methods}
    for scored in range(1, 2 if quick else learner.FOLDS):
        trial = task(scored)
        for seed in range(1 if quick else DEVELOPMENT_SEEDS):
            bought = _bought(trial, 2000 + 10 * scored + seed)
            for methods in grid.values():
                for name, method in methods.items():
                    marks[name].append(float((method(trial, bought) == trial.answers).mean()))
            print(f"development fold {scored} seed {seed}", file=sys.stderr, flush=True)
    chosen = {
        kind: max(methods, key=lambda name: float(np.mean(marks[name]))) for kind, methods in grid.items()
    }
    final = task(learner.TEST)
    everything = np.arange(len(final.labels))
    whole = _plain(final, everything) == final.answers
    hits: dict[str, list[Array]] = {kind: [] for kind in grid}
    for seed in range(2 if quick else SEEDS):
        bought = _bought(final, seed)
        for kind, name in chosen.items():
            hits[kind].append(grid[kind][name](final, bought) == final.answers)
        print(f"test seed {seed}", file=sys.stderr, flush=True)
    cleaned = _best_cleaning(grid, chosen)(final, everything) == final.answers
    return _lines({kind: np.stack(rows) for kind, rows in hits.items()}, whole, cleaned, chosen, marks)


def _grid() -> dict[str, dict[str, Method]]:
    """What is tried, by kind and setting."""
    return {
        "plain": {"plain": _plain},
        "self-training": {
            f"self-training above {sure}, weight {weight}": partial(_self_trained, sure=sure, weight=weight)
            for sure in (0.5, 0.8)
            for weight in (0.25, 0.5)
        },
        "soft self-training": {
            f"soft self-training, weight {weight}": partial(_self_trained, sure=0.0, weight=weight, soft=True, rounds=3)
            for weight in (0.3,)
        },
        "manifold": {f"manifold {stiff}": partial(_manifold, stiff=stiff) for stiff in (0.01,)},
        "cleaning": {f"cleaning below {least}": partial(_cleaned, least=least) for least in (0.01, 0.02)},
        "cleaning, self-training": {
            f"cleaning below {least}, self-training above 0.5, weight 0.25": partial(
                _cleaned, least=least, then=partial(_self_trained, sure=0.5, weight=0.25)
            )
            for least in (0.01,)
        },
    }  # fmt: skip


def _best_cleaning(grid: dict[str, dict[str, Method]], chosen: dict[str, str]) -> Method:
    return grid["cleaning"][chosen["cleaning"]]


def _bought(task: Any, seed: int) -> Array:
    """Places of the labels bought by doubt, batch after batch, up to 40 %."""
    from benchmarks._active_learner import Learner, probabilities
    from xinglin.labels.select import at_random, select

    size = len(task.labels)
    grown = Learner(task, int(AT * size))
    grown.add(at_random(size, int(STEP * size), np.array([], int), seed=1000 * seed).tolist())
    for number, share in enumerate(np.arange(2 * STEP, AT + 1e-9, STEP), 1):
        batch = int(share * size + 1e-9) - len(grown.chosen)
        known = np.array(grown.chosen)
        doubt = probabilities(grown.scores()[0])
        grown.add(
            select(size, batch, known, probabilities=doubt, mix=MARGIN, seed=1000 * seed + number).tolist()
        )
    return np.array(grown.chosen)


def _targets(task: Any, labels: Array) -> Array:
    return np.asarray(2.0 * np.eye(task.classes)[labels] - 1)


def _fit(task: Any, places: Array, target: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted ridge in dual form; returns the scores of the pool and of the scored cases."""
    from scipy.linalg import solve

    from benchmarks._active_learner import RIDGE

    mean = weight @ target / weight.sum()
    system = task.kernel[np.ix_(places, places)] + np.diag(RIDGE / weight)
    dual = solve(system, target - mean, assume_a="pos")
    return task.kernel[:, places] @ dual + mean, task.scored[:, places] @ dual + mean


def _left_out(task: Any, places: Array, target: Array) -> Array:
    """Scores of each labelled item by the fit to all others (closed form for ridge)."""
    from benchmarks._active_learner import RIDGE

    inverse = np.linalg.inv(task.kernel[np.ix_(places, places)] + RIDGE * np.eye(len(places)))
    dual = inverse @ (target - target.mean(axis=0))
    return np.asarray(target - dual / np.diag(inverse)[:, None])


def _plain(task: Any, bought: Array) -> Array:
    scores = _fit(task, bought, _targets(task, task.labels[bought]), np.ones(len(bought)))[1]
    return np.asarray(scores.argmax(axis=1))


def _self_trained(
    task: Any, bought: Array, *, sure: float, weight: float, soft: bool = False, rounds: int = 2
) -> Array:
    from benchmarks._active_learner import probabilities

    rest = np.setdiff1d(np.arange(len(task.kernel)), bought)
    own = _targets(task, task.labels[bought])
    pool, scored = _fit(task, bought, own, np.ones(len(bought)))
    for _ in range(rounds):
        belief = probabilities(pool[rest])
        kept = belief.max(axis=1) > sure
        theirs = 2 * belief - 1 if soft else _targets(task, belief.argmax(axis=1))
        weights = np.concatenate((np.ones(len(bought)), np.full(int(kept.sum()), weight)))
        target = np.concatenate((own, theirs[kept]))
        pool, scored = _fit(task, np.concatenate((bought, rest[kept])), target, weights)
    return np.asarray(scored.argmax(axis=1))


def _manifold(task: Any, bought: Array, *, stiff: float, neighbours: int = 10) -> Array:
    from scipy.linalg import solve

    from benchmarks._active_learner import RIDGE

    size = len(task.kernel)
    near = task.features @ task.features.T
    np.fill_diagonal(near, -1.0)
    closest = np.argpartition(-near, neighbours, axis=1)[:, :neighbours]
    graph = np.zeros((size, size))
    rows = np.arange(size)[:, None]
    graph[rows, closest] = np.maximum(near[rows, closest], 0)
    graph = np.maximum(graph, graph.T)
    degree = graph.sum(axis=1) + 1e-9
    laplacian = np.eye(size) - graph / np.sqrt(degree[:, None] * degree)
    own = np.zeros(size)
    own[bought] = 1.0
    target = _targets(task, task.labels)
    mean = target[bought].mean(axis=0)
    system = own[:, None] * task.kernel + stiff * (laplacian @ task.kernel) + RIDGE * np.eye(size)
    dual = solve(system, own[:, None] * (target - mean))
    return np.asarray((task.scored @ dual + mean).argmax(axis=1))


def _cleaned(task: Any, bought: Array, *, least: float, then: Method = _plain) -> Array:
    from benchmarks._active_learner import probabilities

    labels = task.labels[bought]
    belief = probabilities(_left_out(task, bought, _targets(task, labels)))
    return then(task, bought[belief[np.arange(len(bought)), labels] >= least])


def _lines(
    hits: dict[str, Array],
    whole: Array,
    cleaned: Array,
    chosen: dict[str, str],
    marks: dict[str, list[float]],
) -> list[Line]:
    everything, cases = float(whole.mean()), len(whole)
    lines = [
        Line(name, f"development: accuracy at {AT:.0%}", float(np.mean(values)), "", len(values),
             note="chosen for the test" if name in chosen.values() else "")
        for name, values in marks.items()
    ]  # fmt: skip
    for name, found in (("all labels", whole), ("all labels, cleaned alike", cleaned)):
        figure = bootstrap(lambda index, found=found: float(found[index].mean()), cases)
        lines.append(Line(name, "accuracy", figure.value, "", cases, figure.low, figure.high))
    accuracy = {kind: found.mean(axis=1) for kind, found in hits.items()}
    for kind, values in accuracy.items():
        gap = compare_seeds(values - everything, np.zeros(len(values)))
        met = "REACHED" if gap.low > -MARGIN_OF_INFERIORITY else "NOT reached"
        lines.append(
            Line(f"{kind}, {AT:.0%} - all labels", "accuracy", gap.gain, "", len(values), gap.low, gap.high,
                 note=f"accuracy {values.mean():.3f}; {met} (margin {MARGIN_OF_INFERIORITY})")
        )  # fmt: skip
    tests = {
        kind: compare_seeds(values, accuracy["plain"]) for kind, values in accuracy.items() if kind != "plain"
    }
    for (kind, test), p in zip(tests.items(), holm(np.array([t.p for t in tests.values()])), strict=True):
        lines.append(
            Line(f"{kind} - plain", f"accuracy at {AT:.0%}", test.gain, "", len(accuracy[kind]), test.low, test.high,
                 note=f"paired over seeds; p = {test.p:.3g}, Holm {p:.3g}")
        )  # fmt: skip
    return lines
