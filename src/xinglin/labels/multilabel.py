"""Votes that hold several codes each: every code is a question of its own, present or absent.

That is *binary relevance* (Tsoumakas and Katakis, IJDWM 3 (2007) 1-13): each code gets its own annotators' error rates and
its own agreement, and codes are taken as independent given an item. A vote is a cell with codes joined by spaces, as
:func:`~xinglin.labels.answer.written` spells them; ``none`` holds none.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.labels.answer import NONE
from xinglin.labels.crowd_files import Crowd
from xinglin.labels.truth import infer_truth
from xinglin.labels.votes import Array, Votes

MAX_VOTES = 100_000_000
"""Votes times codes at most."""


def codes_in(cell: str) -> frozenset[str]:
    """Return the codes of a cell."""
    return frozenset(cell.split()) - {NONE}


def by_code(crowd: Crowd) -> dict[str, Votes]:
    """Return the votes on each code that anybody gave, sorted by code: 1 where the vote holds it, else 0.

    Raises:
        InvalidInputError: no vote holds a code, or votes times codes are more than ``MAX_VOTES``.
    """
    votes = crowd.votes
    given = [codes_in(cell) for cell in crowd.classes]
    codes = sorted(frozenset[str]().union(*(given[place] for place in np.unique(votes.labels))))
    if not codes or len(codes) * len(votes) > MAX_VOTES:
        raise InvalidInputError(
            f"votes: expected at least one code, and at most {MAX_VOTES} votes times codes; got {len(codes)} codes "
            f"and {len(votes)} votes"
        )
    split = {}
    for code in codes:
        holds = np.array([code in cell for cell in given], np.int64)
        split[code] = Votes(
            votes.items, votes.annotators, holds[votes.labels], votes.n_items, votes.n_annotators, 2
        )
    return split


def infer_sets(crowd: Crowd, method: str = "dawid-skene") -> tuple[tuple[str, ...], Array]:
    """Infer, for every item and code, the probability that the item bears the code.

    Returns:
        The codes, and the probabilities, shape (items, codes); ``nan`` for an item without a vote. The set of an item is
        the codes above 1/2.

    Raises:
        UnknownNameError: no such method.
        InvalidInputError: as :func:`by_code`.
    """
    split = by_code(crowd)
    columns = []
    for votes in split.values():
        found = infer_truth(votes, method)
        columns.append(np.where(found.unvoted, np.nan, found.posterior[:, 1]))
    return tuple(split), np.stack(columns, axis=1)


def sets_of(codes: Iterable[str], probabilities: Array) -> list[frozenset[str] | None]:
    """Return the set of each item; ``None`` for an item without a vote."""
    names = tuple(codes)
    return [
        None
        if np.isnan(row).any()
        else frozenset(name for name, p in zip(names, row, strict=True) if p > 0.5)
        for row in probabilities
    ]
