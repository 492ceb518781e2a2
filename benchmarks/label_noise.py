"""Errors planted in the weak labels of toyhom_weak_disease, found by confident learning: precision at k.

4,235 questions, 18 classes, 8 % of the labels moved to another class drawn by class frequency, 5 seeds. Probabilities are
out of sample: 5-fold cross-validation of a logistic regression (stochastic gradient) on character 1- and 2-grams. The
labels are **weak** to begin with: what is found beside the planted errors may be one too, so the precision is a lower
bound. Floors: by chance; the same probabilities ranked by the label's own probability alone, without the confident
joint.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import compare_seeds

ROOT = Path(__file__).resolve().parents[1]
SHARE = 0.08
SEEDS = 5
KS = (50, 100, 200, 338)
Array = np.ndarray[Any, Any]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text" / "toyhom_weak_disease").is_dir():
        note = "no data: set XINGLIN_DATA to the data folder"
        return [Line("planted label errors", "precision", None, "", 0, note=note)]
    from benchmarks._active_learner import read
    from xinglin.labels.noise import label_noise

    texts, names = read(data, 600 if quick else None)
    classes = sorted(set(names))
    clean = np.array([classes.index(name) for name in names])
    figures: dict[str, list[tuple[float, float]]] = {}
    suspects = []
    for seed in range(2 if quick else SEEDS):
        given, moved = _planted(clean, len(classes), seed)
        probabilities = _out_of_sample(texts, given, len(classes))
        found = label_noise(given, probabilities)
        plain = np.argsort(probabilities[np.arange(len(given)), given], kind="stable")
        suspects.append(len(found.suspects))
        for k in KS:
            pair = (moved[found.suspects[:k]].mean(), moved[plain[:k]].mean())
            figures.setdefault(f"precision at {k}", []).append(pair)
        recall = moved[found.suspects].sum() / moved.sum()
        figures.setdefault("recall of all suspects", []).append(
            (recall, moved[plain[: len(found.suspects)]].sum() / moved.sum())
        )
    lines = []
    for name, pairs in figures.items():
        ours, theirs = np.array(pairs, float).T
        test, gain = compare_seeds(ours, np.zeros(len(ours))), compare_seeds(ours, theirs)
        note = f"gain {gain.gain:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]; {SHARE:.0%} by chance"
        lines.append(
            Line("planted label errors", name, test.gain, "", len(ours), test.low, test.high,
                 float(theirs.mean()), "label's own probability", note)
        )  # fmt: skip
    lines.append(
        Line("planted label errors", "suspects", float(np.mean(suspects)), "items", len(suspects),
             note=f"of {len(texts):,} items, {SHARE * len(texts):.0f} planted; interval above: over seeds")
    )  # fmt: skip
    return lines


def _planted(clean: Array, classes: int, seed: int) -> tuple[Array, Array]:
    """Labels with a share moved to another class, drawn by frequency, and which."""
    generator = np.random.default_rng(seed)
    moved = generator.random(len(clean)) < SHARE
    share = np.bincount(clean, minlength=classes) / len(clean)
    given = clean.copy()
    for i in np.flatnonzero(moved):
        other = np.where(np.arange(classes) == clean[i], 0.0, share)
        given[i] = generator.choice(classes, p=other / other.sum())
    return given, moved


def _out_of_sample(texts: list[str], given: Array, classes: int) -> Array:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import KFold

    found = np.zeros((len(texts), classes))
    for train, held in KFold(5, shuffle=True, random_state=0).split(texts):
        grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        model = SGDClassifier(loss="log_loss", alpha=3e-5, random_state=0)
        model.fit(grams.fit_transform([texts[i] for i in train]), given[train])
        found[np.ix_(held, model.classes_)] = model.predict_proba(grams.transform([texts[i] for i in held]))
    return found
