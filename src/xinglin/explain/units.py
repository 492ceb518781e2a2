"""The clinical units of a note: findings, laboratory values, words; and the note without some of them.

Findings and values come as marks from whoever reads the note; what is left is cut into words. Punctuation and stop
words belong to no unit and always stay; a negation is no stop word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.words import words

Kind = Literal["finding", "value", "word"]
Span = tuple[int, int]
Mark = tuple[Span, Kind, str]
MAX_UNITS = 256
"""Above it neighbouring words are taken together, so that a note of 20,000 characters can be explained."""
BLANK = "。"
"""What a model is asked when nothing of a note is left: it must read something."""
_STRENGTHS = ("。.!?!?…\n", ";;", ",,::、")
"""Punctuation by strength: where several meet at a cut, the strongest stays."""
_MARKS = " \t\r" + "".join(_STRENGTHS)
_OPENING, _CLOSING = "(([【", "))]】"
_EDGE = _MARKS + _OPENING + _CLOSING
_MARK = f"[{re.escape(_MARKS)}]"
_OPEN, _CLOSE = f"[{re.escape(_OPENING)}]", f"[{re.escape(_CLOSING)}]"
_EMPTY = re.compile(f"{_OPEN}{_MARK}*{_CLOSE}")
_INSIDE = re.compile(f"(?<={_OPEN}){_MARK}+|{_MARK}+(?={_CLOSE})")
_RUN = re.compile(f"{_MARK}+")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is kept or deleted as one."""

    text: str
    """As it stands in the note; at its first place, where it stands at several."""
    spans: tuple[Span, ...]
    """Half-open character offsets into the note, in order."""
    kind: Kind
    name: str | None = None
    """Chinese name of the finding or analyte; ``None`` for a word."""


def segment(text: str, marks: Iterable[Mark] = (), limit: int = MAX_UNITS) -> tuple[Unit, ...]:
    """Cut a note into units, in its order; none where it holds only punctuation and stop words.

    Args:
        text: the note.
        marks: spans of findings and values with their names. Of marks that overlap the longest counts, of equal
            ones the first. A mark should include its negation (无发热), which is then explained with it. A finding
            told twice is one unit with two spans; two values of one analyte are two units.
        limit: with more units than this, neighbouring words become one unit; marks stay as they are.

    Raises:
        InvalidInputError: a mark lies outside the text.
        MissingExtraError: jieba is not installed.
    """
    chosen = _disjoint(text, marks)
    taken = [span for span, _, _ in chosen]
    edges = [(0, 0), *taken, (len(text), len(text))]
    runs = [list(words(text, before[1], after[0])) for before, after in pairwise(edges)]
    units = [
        Unit(text[start:end], ((start, end),), "word") for start, end in _merged(runs, limit - len(taken))
    ]
    findings: dict[str, list[Span]] = {}
    for span, kind, name in chosen:
        if kind == "finding":
            findings.setdefault(name, []).append(span)
        else:
            units.append(Unit(text[slice(*span)], (span,), kind, name))
    units += [Unit(text[slice(*spans[0])], tuple(spans), "finding", name) for name, spans in findings.items()]
    return tuple(sorted(units, key=lambda unit: unit.spans[0]))


def without(text: str, units: Sequence[Unit], kept: NDArray[np.bool_]) -> str:
    """Return the note with the units that are not kept deleted, and the punctuation at the cuts tidied.

    The rest of the note is untouched. If no letter or digit is left, the answer is :data:`BLANK`.

    Args:
        text: the note.
        units: its units.
        kept: shape (units,).
    """
    gone = sorted(span for unit, stays in zip(units, kept, strict=True) if not stays for span in unit.spans)
    if not gone:
        return text
    out: list[str] = []
    seam, place = "", 0
    for start, end in [*gone, (len(text), len(text))]:
        piece, place = text[place:start], end
        core = piece.strip(_EDGE)
        if not core:
            seam += piece
            continue
        first = piece.index(core)
        seam = seam + piece[:first]
        out += [_tidy(seam) if out else _tidy(seam).lstrip(_MARKS), core]
        seam = piece[first + len(core) :]
    left = "".join([*out, _tidy(seam)]) if out else ""
    return left if any(map(str.isalnum, left)) else BLANK


@lru_cache(maxsize=4096)
def _tidy(seam: str) -> str:
    """Return the punctuation of a cut: no empty brackets, and the strongest mark where several meet."""
    return _RUN.sub(_strongest, _INSIDE.sub("", _EMPTY.sub("", seam)))


def _strongest(run: re.Match[str]) -> str:
    marks = run.group()
    for kind in _STRENGTHS:
        found = next((mark for mark in marks if mark in kind), None)
        if found is not None:
            return found + (" " if found in ".,;:!?" and " " in marks else "")
    return marks[0]


def _disjoint(text: str, marks: Iterable[Mark]) -> list[Mark]:
    """The marks that count, in the order of the text."""
    free = np.ones(len(text), dtype=bool)
    listed, chosen = list(marks), []
    for (start, end), _, name in listed:
        if not 0 <= start < end <= len(text):
            raise InvalidInputError(
                f"mark {name!r}: expected a span within the {len(text)} characters of the text, got "
                f"({start}, {end}): take marks and text from the same reading"
            )
    for mark in sorted(listed, key=lambda mark: mark[0][0] - mark[0][1]):  # longest first; sorting is stable
        where = slice(*mark[0])
        if free[where].all():
            free[where] = False
            chosen.append(mark)
    return sorted(chosen, key=lambda mark: mark[0])


def _merged(runs: Sequence[Sequence[Span]], room: int) -> list[Span]:
    """At most ``room`` words, if runs are not more: neighbours with no mark between them are taken together."""
    size = 1
    longest = max(map(len, runs))
    while True:
        found = [
            (run[i][0], run[min(i + size, len(run)) - 1][1]) for run in runs for i in range(0, len(run), size)
        ]
        if len(found) <= room or size >= longest:
            return found
        size *= 2
