"""Figures of an examination: accuracies with intervals, floors of the same items, places of letters, clean items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin import measure as m
from xinglin.measure import Figure
from xinglin.records.contamination import Overlap
from xinglin.records.exams import LETTERS, ExamItem

Hits = NDArray[np.bool_]
DRAWS = 10_000
"""Simulated guessers behind the range of chance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model answered to one item."""

    letters: str | None
    """``None``: nothing that can be scored, which counts as wrong."""
    how: str
    """Rule or reason, e.g. ``letters behind a cue``, ``refusal``, ``too long``, ``tie``."""


def hits(items: Sequence[ExamItem], outcomes: Sequence[Outcome]) -> Hits:
    """Return which answers are exactly the right letters."""
    return np.array([one.letters == item.answer for item, one in zip(items, outcomes, strict=True)], bool)


def share(held: Sequence[bool] | Hits) -> Figure | None:
    """Return a share with its Wilson interval; ``None`` of nothing."""
    return m.proportion(int(np.sum(held)), len(held)) if len(held) else None


def guessing(items: Sequence[ExamItem], seed: int) -> Figure:
    """Return the accuracy of guessing one option, and the range that 95 % of guessers fall into.

    Its value is exact; the range is no interval of an estimate but what chance does on so many items.
    """
    chances = np.array([1 / len(item.options) if len(item.answer) == 1 else 0.0 for item in items])
    generator = np.random.default_rng(seed)
    total = np.zeros(DRAWS)
    for chance, count in Counter(chances.tolist()).items():
        total += generator.binomial(count, chance, DRAWS)
    low, high = np.percentile(total / len(items), [2.5, 97.5])
    return Figure(float(chances.mean()), float(low), float(high), len(items))


def majority(train: Sequence[ExamItem]) -> str:
    """Return the letters that are right most often in the train part; the first in order among equals."""
    counted = Counter(item.answer for item in train)
    return min(counted, key=lambda letters: (-counted[letters], letters))


def floors(items: Sequence[ExamItem], train: Sequence[ExamItem], seed: int) -> dict[str, Figure]:
    """Return what needs no model: guessing, the commonest answer of the train part, the longest option."""
    found = {"random": guessing(items, seed)}
    if train:
        commonest = majority(train)
        found["majority"] = m.proportion(sum(item.answer == commonest for item in items), len(items))
    longest = [LETTERS[max(range(len(item.options)), key=lambda at: len(item.options[at]))] for item in items]
    held = sum(item.answer == letter for item, letter in zip(items, longest, strict=True))
    return found | {"longest": m.proportion(held, len(items))}


def by_subject(items: Sequence[ExamItem], held: Hits) -> dict[str, Figure]:
    """Return the accuracy of each subject, the largest first."""
    groups: dict[str, list[bool]] = {}
    for item, hit in zip(items, held, strict=True):
        if item.subject is not None:
            groups.setdefault(item.subject, []).append(bool(hit))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return {name: m.proportion(sum(found), len(found)) for name, found in ordered}


@dataclass(frozen=True, slots=True)
class Places:
    """Does a model prefer places? Zheng et al., ICLR 2024 (arXiv 2309.03882): the spread of recalls over letters."""

    answered: dict[str, int]
    """How often each letter was answered."""
    recall: dict[str, Figure]
    """Accuracy over the items whose right letter it is."""
    spread: float
    """Standard deviation of the recalls (RStd), 0 for a model without preference."""


def places(items: Sequence[ExamItem], outcomes: Sequence[Outcome]) -> Places | None:
    """Return how answers lie over letters, of the items with one right option; ``None`` where there is none."""
    single = [(item, one) for item, one in zip(items, outcomes, strict=True) if len(item.answer) == 1]
    if not single:
        return None
    answered = Counter(one.letters for _, one in single if one.letters)
    recall = {}
    for letter in sorted({item.answer for item, _ in single}):
        of = [one.letters == letter for item, one in single if item.answer == letter]
        recall[letter] = m.proportion(sum(of), len(of))
    spread = float(np.std([figure.value for figure in recall.values()]))
    return Places(dict(sorted(answered.items())), recall, spread)


@dataclass(frozen=True, slots=True)
class Rotations:
    """Every item asked once for each place of its first option."""

    accuracy: Figure
    """Mean over rotations of an item, then over items; bootstrap over items."""
    consistent: Figure
    """Share of items whose answer is the same option text in every rotation."""
    lowest: float
    """Accuracy of the worst rotation, of the items that have it."""
    highest: float


def rotations(items: Sequence[ExamItem], asked: Sequence[Sequence[Outcome]], seed: int) -> Rotations:
    """Return how answers hold when options move.

    Args:
        items: as written.
        asked: of each item, its outcomes under ``item.rotated(0)``, ``rotated(1)``, ...
        seed: of the bootstrap.
    """
    held = [
        [one.letters == item.rotated(by).answer for by, one in enumerate(row)]
        for item, row in zip(items, asked, strict=True)
    ]
    means = np.array([np.mean(row) for row in held])
    same = []
    for item, row in zip(items, asked, strict=True):
        texts = {
            None if one.letters is None else tuple(sorted((LETTERS.index(x) - by) % len(item.options) for x in one.letters))
            for by, one in enumerate(row)
        }  # fmt: skip
        same.append(len(texts) == 1 and None not in texts)
    by_rotation = [np.mean([row[by] for row in held if by < len(row)]) for by in range(max(map(len, held)))]
    return Rotations(
        m.bootstrap(lambda index: float(means[index].mean()), len(means), seed=seed),
        m.proportion(sum(same), len(same)),
        float(min(by_rotation)),
        float(max(by_rotation)),
    )


def by_overlap(held: Hits, overlaps: Sequence[Overlap]) -> Mapping[str, Figure | None]:
    """Return the accuracy of clean, dirty and unchecked items; ``None`` where there are none."""
    kinds = {"clean": False, "dirty": True, "unchecked": None}
    return {
        name: share([bool(hit) for hit, one in zip(held, overlaps, strict=True) if one.dirty is kind])
        for name, kind in kinds.items()
    }
