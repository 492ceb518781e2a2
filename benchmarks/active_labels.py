"""How many labels does it take? Chosen labels against all of them, on 4,235 questions with 18 weak labels.

toyhom_weak_disease: the patient's question with the disease's name masked; the label is the one disease named in the
question's title: **weak**, never checked by a clinician. The fold of a text is its SHA-256 modulo 5. Fold 0 is scored
and touched by nothing else; folds 1 to 4 are the pool. The mix of reasons is chosen beforehand among ``GRID``, each of
the folds 1 to 4 in turn playing the scored fold, with seeds of their own.

Learner: ridge classifier on character 1- to 3-grams with 100 latent topics of the pool beside them. Every run starts
with the same 2 % at random for all strategies of a seed and buys 2 % a round.

Stated beforehand: a strategy *reaches* the accuracy of all labels at 40 % if the 95 % interval over seeds of its
accuracy minus that of all labels lies above -0.01. (It did not; see the note of each line.)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.labels.select import K_CENTER, MARGIN, Mix
from xinglin.measure import bootstrap, compare_seeds, holm

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
SHARES = (0.02, 0.04, 0.06, 0.08, *(round(0.02 * k, 2) for k in range(5, 31)), 0.7, 0.8, 0.9)
AT = 0.40
MARGIN_OF_INFERIORITY = 0.01
SEEDS = 10
DEVELOPMENT_SEEDS = 3
GRID = {
    "doubt, novelty 1, shortlist 3": Mix(diversity=1.0, shortlist=3),
    "doubt, novelty 1/2, shortlist 5": Mix(diversity=0.5, shortlist=5),
    "doubt squared, novelty 1": Mix(uncertainty=2.0, diversity=1.0, shortlist=0),
    "doubt, novelty 1/2, coverage 1/2, shortlist 3": Mix(diversity=0.5, coverage=0.5, shortlist=3),
    "doubt, coverage 1": Mix(diversity=0.0, coverage=1.0, shortlist=5),
}
COLOURS = {"mix": "#b45309", "margin": "#1d4ed8", "k-center": "#6d28d9", "random": "#64748b"}
Array = np.ndarray[Any, Any]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text" / "toyhom_weak_disease").is_dir():
        note = "no data: set XINGLIN_DATA to the data folder"
        return [Line("active labels", "accuracy", None, "", 0, note=note)]
    from benchmarks import _active_learner as learner

    texts, names = learner.read(data, 500 if quick else None)
    fold = learner.folds(texts)
    hops = learner.graph_hops(texts)

    def task(scored: int) -> Any:
        pool = np.flatnonzero((fold != learner.TEST) & (fold != scored))
        return learner.prepare(texts, names, pool, np.flatnonzero(fold == scored), hops)

    development = range(1, 2) if quick else range(1, learner.FOLDS)
    trials = 1 if quick else DEVELOPMENT_SEEDS
    marks = _develop(map(task, development), trials)
    chosen = max(marks, key=lambda name: marks[name])
    strategies = {"random": None, "margin": MARGIN, "k-center": K_CENTER, "mix": GRID[chosen]}
    scored = task(learner.TEST)
    whole = _all(scored)
    shares = SHARES[:6] if quick else SHARES
    hits: dict[str, list[Array]] = {name: [] for name in strategies}
    for seed in range(2 if quick else SEEDS):
        for name, mix in strategies.items():
            hits[name].append(_curve(scored, mix, seed, shares))
            print(f"seed {seed} {name}", file=sys.stderr, flush=True)
    found = {name: np.stack(runs) for name, runs in hits.items()}  # (seeds, shares, cases)
    lines = _lines(found, whole, shares, chosen, marks, trials * len(development), len(scored.labels))
    if not quick:
        _plot(found, whole, shares, RESULTS / "active-labels.svg")
    return lines


def _develop(tasks: Any, seeds: int) -> dict[str, float]:
    """Mean accuracy from 20 % to 40 % of the labels, on the development folds."""
    shares = tuple(share for share in SHARES if share <= AT)
    found: dict[str, list[float]] = {name: [] for name in GRID}
    for number, task in enumerate(tasks):
        for name, mix in GRID.items():
            for seed in range(seeds):
                curve = _curve(task, mix, 1000 + 100 * number + seed, shares)
                found[name].append(float(curve[shares.index(0.2) :].mean()))
            print(f"development {number} {name}", file=sys.stderr, flush=True)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _curve(task: Any, mix: Mix | None, seed: int, shares: Sequence[float]) -> Array:
    """Hits on the scored cases after each share of the labels, shape (shares, cases)."""
    from benchmarks._active_learner import Learner, probabilities
    from xinglin.labels.select import at_random, select

    size = len(task.labels)
    learner = Learner(task, int(max(shares) * size))
    start = at_random(size, int(shares[0] * size), np.array([], int), seed=1000 * seed)
    learner.add(start.tolist())
    hits = []
    for number, share in enumerate((*shares[1:], None), 1):
        scores, scored = learner.scores()
        hits.append(scored.argmax(axis=1) == task.answers)
        if share is None:
            break
        batch, known, own = (
            int(share * size) - len(learner.chosen),
            np.array(learner.chosen),
            1000 * seed + number,
        )
        if mix is None:
            picked = at_random(size, batch, known, seed=own)
        else:
            picked = select(
                *(size, batch, known),
                probabilities=probabilities(scores),
                features=task.features,
                distances=task.distances,
                mix=mix,
                seed=own,
            )
        learner.add(picked.tolist())
    return np.array(hits)


def _all(task: Any) -> Array:
    """Hits with all labels, shape (cases,); the learner is compared with scikit-learn's."""
    from benchmarks._active_learner import Learner

    learner = Learner(task, len(task.labels))
    learner.add(list(range(len(task.labels))))
    learner.check()
    return np.asarray(learner.scores()[1].argmax(axis=1) == task.answers)


def _lines(
    found: Mapping[str, Array],
    whole: Array,
    shares: Sequence[float],
    chosen: str,
    marks: Mapping[str, float],
    trials: int,
    size: int,
) -> list[Line]:
    everything = float(whole.mean())
    at = shares.index(AT) if AT in shares else len(shares) - 1
    seeds, cases = len(found["mix"]), len(whole)
    lines = [
        Line(f"mix {name}", "development: mean accuracy 20-40 %", mark, "", trials,
             note="chosen for the test" if name == chosen else "")
        for name, mark in marks.items()
    ]  # fmt: skip
    figure = bootstrap(lambda index: float(whole[index].mean()), cases)
    lines.append(
        Line("all labels", "accuracy", figure.value, "", cases, figure.low, figure.high,
             note=f"{size:,} weak labels; interval over cases")
    )  # fmt: skip
    for name, hits in found.items():
        accuracy = hits.mean(axis=2)
        for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
            if share in shares:
                test = _interval(accuracy[:, shares.index(share)])
                lines.append(
                    Line(f"{name}, {share:.0%} of the labels", "accuracy", test.gain, "", seeds, test.low, test.high,
                         everything, "all labels")
                )  # fmt: skip
    for name, hits in found.items():
        gap = hits[:, at].mean(axis=1) - everything
        test = _interval(gap)
        paired = hits[:, at].mean(axis=0) - whole
        over = bootstrap(lambda index, d=paired: float(d[index].mean()), cases)
        verdict = "REACHED" if test.low > -MARGIN_OF_INFERIORITY else "NOT reached"
        lines.append(
            Line(f"{name} at {shares[at]:.0%} - all labels", "accuracy", test.gain, "", seeds, test.low, test.high,
                 note=f"{verdict} (margin {MARGIN_OF_INFERIORITY}); over cases [{over.low:+.4f}, {over.high:+.4f}]")
        )  # fmt: skip
    for figure_name, value in (
        (f"accuracy at {shares[at]:.0%}", lambda hits: hits[:, at].mean(axis=1)),
        (f"mean accuracy up to {shares[at]:.0%}", lambda hits: hits[:, : at + 1].mean(axis=(1, 2))),
    ):
        tests = {
            name: compare_seeds(value(found["mix"]), value(hits))
            for name, hits in found.items()
            if name != "mix"
        }
        adjusted = holm(np.array([test.p for test in tests.values()]))
        for (name, test), p in zip(tests.items(), adjusted, strict=True):
            lines.append(
                Line(f"mix - {name}", figure_name, test.gain, "", seeds, test.low, test.high,
                     note=f"paired over seeds; p = {test.p:.3g}, Holm {p:.3g}, sign flips {test.flip_p:.3g}")
            )  # fmt: skip
    for name in ("mix", "margin"):
        lines.append(_saved(name, found, shares, at))
    return lines + _needed(found, everything, shares)


def _saved(name: str, found: Mapping[str, Array], shares: Sequence[float], at: int) -> Line:
    """The share of labels that the mean random curve needs for what a strategy reaches at 40 %."""
    curve = np.maximum.accumulate(found["random"].mean(axis=(0, 2)))
    needed = np.interp(found[name][:, at].mean(axis=1), curve, shares)
    test = _interval(needed)
    return Line(
        f"random, for the accuracy of {name} at {shares[at]:.0%}",
        "share of the labels",
        test.gain,
        "",
        len(needed),
        test.low,
        test.high,
        note=f"{name} saves {1 - shares[at] / test.gain:.0%} of the labels of a random choice",
    )


def _needed(found: Mapping[str, Array], everything: float, shares: Sequence[float]) -> list[Line]:
    """The share from which the mean curve over seeds stays within the margin of all labels."""
    lines = []
    for name, hits in found.items():
        for slack in (MARGIN_OF_INFERIORITY, 0.0):
            short = np.flatnonzero(hits.mean(axis=(0, 2)) < everything - slack)
            first = 0 if not len(short) else int(short[-1]) + 1
            reached = shares[first] if first < len(shares) else 1.0
            note = "" if first < len(shares) else f"not before {shares[-1]:.0%}"
            within = f"{slack:g} of all labels" if slack else "all labels"
            lines.append(
                Line(f"{name}, mean curve stays at {within}", "share of the labels", reached, "", len(hits), note=note)
            )  # fmt: skip
    return lines


def _interval(values: Array) -> Any:
    """Mean over seeds with Student's interval: the comparison with nothing."""
    return compare_seeds(values, np.zeros(len(values)))


def _plot(found: Mapping[str, Array], whole: Array, shares: Sequence[float], path: Path) -> None:
    """Draw accuracy against the share of labels, with the interval over seeds."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "active-labels", "svg.fonttype": "path"}):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(100 * whole.mean(), color="#0f172a", linewidth=1)
        axes.axhspan(
            100 * (whole.mean() - MARGIN_OF_INFERIORITY), 100 * whole.mean(), color="#0f172a", alpha=0.08
        )
        axes.axvline(100 * AT, color="#94a3b8", linewidth=1, linestyle=":")
        percent = [100 * share for share in shares]
        for name, colour in COLOURS.items():
            tests = [_interval(100 * found[name][:, k].mean(axis=1)) for k in range(len(shares))]
            axes.plot(percent, [test.gain for test in tests], color=colour, linewidth=1.6, label=name)
            axes.fill_between(
                percent,
                [test.low for test in tests],
                [test.high for test in tests],
                color=colour,
                alpha=0.15,
                lw=0,
            )
        axes.text(2, 100 * whole.mean() + 0.3, "all labels", fontsize=8, color="#0f172a")
        axes.set_xlabel("labels bought, % of the pool (weak labels)")
        axes.set_ylabel("accuracy on the scored fold, %; band: 95 % over seeds")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
