"""Votes in files: a row a vote, as crowd-sourcing platforms and published data sets write them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.labels.rows import ANNOTATOR, ITEM, LABEL, Column, cells, column
from xinglin.labels.votes import Ints, Votes

MAX_VOTES = 50_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Votes with the names behind their indices, and the known truth of some items."""

    votes: Votes
    items: tuple[str, ...]
    annotators: tuple[str, ...]
    classes: tuple[str, ...]
    """Sorted: by number where every class is one, else by character; for ordinal classes check that it is their
    order."""
    gold: Ints
    """Known class of each item, shape (items,); -1 where none is known."""
    missing: int
    """Rows whose label is empty: a vote asked for and not given."""


def read_votes(
    path: Path,
    gold: Path | None = None,
    *,
    item: str | None = None,
    annotator: str | None = None,
    label: str | None = None,
) -> Crowd:
    """Read votes, and the true classes if there is a file of them.

    ``.tsv`` and ``.csv`` have a header; ``.jsonl`` an object a line; each may be gzipped (``.gz``). UTF-8. Columns are
    found under the names in ``ITEM``, ``ANNOTATOR`` and ``LABEL``. The file of true classes has the columns of item
    and label; of it, items without any vote are kept, so that what is missing shows.

    Args:
        path: the votes.
        gold: the true classes.
        item: name of the column of the item, where it is another one.
        annotator: likewise.
        label: likewise.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: a line over ``MAX_LINE`` characters, or more than ``MAX_VOTES`` votes.
        InvalidInputError: a column is missing, a row is short or has no item or annotator, an item has two true
            classes, or the file is damaged or of an unknown kind. Says where, and does not echo the content.
    """
    items: dict[str, int] = {}
    annotators: dict[str, int] = {}
    classes: dict[str, int] = {}
    columns = (array("q"), array("q"), array("q"))
    missing = 0
    wanted = (column(item, ITEM), column(annotator, ANNOTATOR), column(label, LABEL))
    for place, (who, by, what) in cells(path, wanted):
        if not who or not by:
            raise InvalidInputError(f"{place}: the item or the annotator is empty")
        if not what:
            items.setdefault(who, len(items))
            missing += 1
            continue
        for indices, known, name in zip(columns, (items, annotators, classes), (who, by, what), strict=True):
            indices.append(known.setdefault(name, len(known)))
        if len(columns[0]) > MAX_VOTES:
            raise InputTooLargeError(f"{path.name}: more than {MAX_VOTES} votes; split the file")
    answers = _gold(gold, (wanted[0], wanted[2])) if gold else {}
    for name, given in answers.items():
        items.setdefault(name, len(items))
        classes.setdefault(given, len(classes))
    ordered = _ordered(classes)
    place_of = np.empty(max(len(classes), 1), np.int64)
    for position, name in enumerate(ordered):
        place_of[classes[name]] = position
    truth = np.full(len(items), -1)
    for name, given in answers.items():
        truth[items[name]] = place_of[classes[given]]
    rows = [np.frombuffer(column, np.int64) if column else np.empty(0, np.int64) for column in columns]
    votes = Votes(rows[0], rows[1], place_of[rows[2]], len(items), len(annotators), len(classes))
    return Crowd(votes, tuple(items), tuple(annotators), ordered, truth, missing)


def _gold(path: Path, wanted: tuple[Column, Column]) -> dict[str, str]:
    """Return the true class of each item."""
    known: dict[str, str] = {}
    for place, (name, given) in cells(path, wanted):
        if not name:
            raise InvalidInputError(f"{place}: the item is empty")
        if given and known.setdefault(name, given) != given:
            raise InvalidInputError(f"{place}: this item already has another true class")
    return known


def _ordered(classes: dict[str, int]) -> tuple[str, ...]:
    try:
        return tuple(sorted(classes, key=lambda name: (float(name), name)))
    except ValueError:
        return tuple(sorted(classes))
