"""What an aligned model can do: attributes it was only told of in words, retrieval both ways, where a sentence points.

All with the words that training never saw, on scans that it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.measure.intervals import Figure, bootstrap
from xinglin.measure.localisation import auroc_figure
from xinglin.model.align.runtime import LungWords
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.train.align.batches import around
from xinglin.train.align.cubes import Cubes
from xinglin.train.align.reports import queries, report
from xinglin.train.align.statements import CONTRASTS, by_key

Floats = NDArray[np.float32]
VIEWS = 4
"""Flips of a window whose fits are averaged."""
DEPTHS = (1, 10)
"""Ranks within which a retrieval counts."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute asked in words."""

    key: str
    contrast: str
    labels: NDArray[np.int64]
    """1 where the ratings say that it holds, 0 where they say that it does not; nodules between are left out."""
    scores: NDArray[np.float64]
    kept: NDArray[np.int64]
    """Which of the cubes these are."""

    def figure(self, seed: int = 0) -> Figure:
        """Return the area under the ROC curve with its interval over nodules."""
        return auroc_figure(self.labels, self.scores, seed=seed)


def windows_of(cubes: Cubes) -> NDArray[np.uint8]:
    """Return the window around each nodule."""
    return np.stack([around(cubes, index)[0] for index in range(len(cubes))])


def fits(
    words: LungWords, windows: NDArray[np.uint8], texts: Sequence[str], batch: int = 16
) -> NDArray[np.float64]:
    """Return how well stored windows fit texts, (windows, texts), averaged over flips."""
    sentences = words.sentences(texts)
    rows = []
    for start in range(0, len(windows), batch):
        images = scaled(hounsfield(windows[start : start + batch]))
        total = np.zeros((len(images), len(texts)))
        for view in range(VIEWS):
            axes = tuple(axis + 1 for axis in range(3) if view >> axis & 1)
            total += words.fit(words.places(np.ascontiguousarray(np.flip(images, axes))), sentences)
        rows.append(total / VIEWS)
    return np.concatenate(rows)


def attributes(words: LungWords, cubes: Cubes, *, held: bool = True) -> list[Attribute]:
    """Ask every attribute in words: the mean fit of its queries minus that of its contrast's queries."""
    asked = sorted({key for pair in CONTRASTS for key in pair})
    texts = {key: queries(by_key()[key], held=held) for key in asked}
    flat = [text for key in asked for text in texts[key]]
    told = fits(words, windows_of(cubes), flat)
    means, at = {}, 0
    for key in asked:
        means[key] = told[:, at : at + len(texts[key])].mean(1)
        at += len(texts[key])
    found = []
    for key, contrast in CONTRASTS:
        statement = by_key()[key]
        answers = [statement.holds(nodule.ratings.get(statement.rating)) for nodule in cubes.nodules]
        kept = np.array([i for i, answer in enumerate(answers) if answer is not None], dtype=np.int64)
        labels = np.array([int(bool(answers[i])) for i in kept], dtype=np.int64)
        found.append(Attribute(key, contrast, labels, (means[key] - means[contrast])[kept], kept))
    return found


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Reports and windows, each looked for with the other."""

    fit: NDArray[np.float64]
    """(windows, reports); report i was written for window i."""
    same: NDArray[np.bool_]
    """(windows, reports): the report makes the same claims as the window's own, so it is as right."""

    def hits(self, depth: int, *, reports: bool, alike: bool) -> NDArray[np.float64]:
        """Return for each query whether the right one is among the first ``depth``; ties count as half.

        Args:
            depth: ranks that count.
            reports: look for reports with windows; else for windows with reports.
            alike: a report with the same claims is as right as the own one.
        """
        table, right = (self.fit, self.same) if reports else (self.fit.T, self.same.T)
        wanted = right if alike else np.eye(len(table), dtype=bool)
        best = np.where(wanted, table, -np.inf).max(1, keepdims=True)
        before = (~wanted & (table > best)).sum(1) + 0.5 * (~wanted & (table == best)).sum(1)
        found: NDArray[np.float64] = (before < depth).astype(float)
        return found

    def chance(self, depth: int, *, reports: bool, alike: bool) -> float:
        """Return how often a random order has the right one among the first ``depth``."""
        right = (self.same if reports else self.same.T) if alike else np.eye(len(self.fit), dtype=bool)
        n = len(self.fit)
        many = right.sum(1)
        misses = np.ones(len(many))
        for drawn in range(depth):
            misses *= np.clip((n - many - drawn) / (n - drawn), 0, 1)
        return float((1 - misses).mean())

    def figure(self, depth: int, *, reports: bool, alike: bool, seed: int = 0) -> Figure:
        """Return the share of hits with its interval over queries."""
        found = self.hits(depth, reports=reports, alike=alike)
        return bootstrap(lambda index: float(found[index].mean()), len(found), seed=seed)


def retrieval(words: LungWords, cubes: Cubes, *, seed: int = 0) -> Retrieval:
    """Write a whole report of every nodule in unseen words, and look both ways."""
    generator = np.random.default_rng(seed)
    texts = [report(nodule, generator, held=True, whole=True) for nodule in cubes.nodules]
    claims = [(frozenset(text.claims), text.diameter) for text in texts]
    same = np.array([[one == other for other in claims] for one in claims])
    return Retrieval(fits(words, windows_of(cubes), [text.words for text in texts]), same)
