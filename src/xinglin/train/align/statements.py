"""What can be said of a nodule, when it is true by the radiologists' ratings, and the words for it.

The ratings are those of LIDC-IDRI (Armato et al. 2011): whole numbers. Which numbers get which word follows the
``templated_report`` column of luna16-nodule-cubes; a rating between two opposites counts for neither (``minimal``
spiculation is no example of a spiculated nodule and no counterexample). The words are our own, written for this purpose,
authored and unreviewed: no radiologist wrote these sentences.

A wording is a form (*with {w}*, {w}阳性) filled with a word (*spiculation*, 毛刺). Of every statement one form in four is
kept for testing: training sees the form with other statements and the word in other forms, never the two together. A
text tower that begins with nothing cannot know words it has never seen, but must put known ones together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xinglin.errors import InvalidInputError

HELD = 4
"""One form in so many is kept for testing."""


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
    family: str
    """Which forms its words go into."""
    place: int
    """Its number, which decides which forms are kept for testing."""
    zh: tuple[str, ...]
    en: tuple[str, ...]

    def holds(self, rating: float | None) -> bool | None:
        """Whether it holds; ``None``: not rated, or between the two."""
        if rating is None:
            return None
        level = round(rating)
        return True if level in self.true else False if level in self.false else None

    def words(self, chinese: bool) -> tuple[str, ...]:
        """Return its words in a language."""
        return self.zh if chinese else self.en

    def clauses(self, chinese: bool, held: bool) -> list[str]:
        """Return its wordings in a language: those of training, or those kept for testing."""
        forms = _forms()[self.family, "zh" if chinese else "en"]
        chosen = [form for at, form in enumerate(forms) if ((at + self.place) % HELD == 0) == held]
        return [form.format(w=word) for form in chosen for word in self.words(chinese)]


@cache
def statements() -> tuple[Statement, ...]:
    """Return every statement."""
    made = []
    for place, row in enumerate(_rows("statements.tsv")):
        true, false = (frozenset(map(int, row[side].split("|"))) for side in ("true", "false"))
        words = (tuple(row[lang].split("|")) for lang in ("zh", "en"))
        made.append(Statement(row["key"], row["rating"], true, false, row["family"], place, *words))
    return tuple(made)


@cache
def _forms() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in _rows("forms.tsv"):
        if row["form"].count("{w}") != 1:
            raise InvalidInputError(f"forms.tsv: expected one {{w}} in {row['form']!r}")
        found.setdefault((row["family"], row["lang"]), []).append(row["form"])
    return found


def _rows(name: str) -> Iterator[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


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
