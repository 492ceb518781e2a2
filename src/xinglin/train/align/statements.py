"""What can be said of a nodule, when it is true by the radiologists' ratings, and the words for it.

The ratings are those of LIDC-IDRI (Armato et al. 2011): whole numbers, here the median of the readers. Which numbers
get which word follows the ``templated_report`` column of luna16-nodule-cubes; a rating between two opposites counts for
neither (``minimal`` spiculation is no example of a spiculated nodule and no counterexample). The words are our own,
written for this purpose, authored and unreviewed: no radiologist wrote these sentences. Every statement has words that
training uses and words that it never sees, kept for testing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xinglin.errors import InvalidInputError

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """The words of one statement in one language: before the noun, or after it."""

    before: Words
    after: Words
    held_before: Words
    held_after: Words


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that can be said."""

    key: str
    rating: str
    """Column of ``nodules.csv`` without ``lidc_``."""
    true: frozenset[int]
    """Ratings for which it holds."""
    false: frozenset[int]
    """Ratings for which it does not; any other counts for neither."""
    zh: Surface
    en: Surface

    def holds(self, rating: float | None) -> bool | None:
        """Whether it holds; ``None``: not rated, or between the two."""
        if rating is None:
            return None
        level = round(rating)
        return True if level in self.true else False if level in self.false else None


def _read(path: Path) -> tuple[Statement, ...]:
    """Read ``statements.tsv``: two rows a statement, Chinese and English."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    made = []
    for zh, en in zip(rows[::2], rows[1::2], strict=True):
        if (zh["key"], zh["lang"], en["key"], en["lang"]) != (zh["key"], "zh", zh["key"], "en"):
            raise InvalidInputError(f"{path.name}: expected a row zh and a row en of {zh['key']!r}")
        true, false = (frozenset(map(int, zh[side].split("|"))) for side in ("true", "false"))
        made.append(Statement(zh["key"], zh["rating"], true, false, _surface(zh), _surface(en)))
    return tuple(made)


def _surface(row: Mapping[str, str]) -> Surface:
    parts = (row[name] for name in ("before", "after", "held_before", "held_after"))
    before, after, held_before, held_after = (tuple(part.split("|")) for part in parts)
    return Surface(before, after, held_before, held_after)


@cache
def statements() -> tuple[Statement, ...]:
    """Return every statement."""
    return _read(Path(__file__).with_name("statements.tsv"))


@cache
def by_key() -> dict[str, Statement]:
    """Return the statements by key."""
    return {one.key: one for one in statements()}


def ratings() -> tuple[str, ...]:
    """Return the names of the ratings that statements rest on."""
    return tuple(dict.fromkeys(one.rating for one in statements()))


CONTRASTS: tuple[tuple[str, str], ...] = (
    ("spiculated", "not spiculated"),
    ("lobulated", "not lobulated"),
    ("calcified", "not calcified"),
    ("ground glass", "solid"),
    ("part-solid", "solid"),
    ("well defined", "poorly defined"),
    ("malignant", "benign"),
)
"""Attributes asked without training on them as classes: the statement, and what it is told from."""
