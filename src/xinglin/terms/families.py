"""Families of spellings written as one phrase: ``{can't/cannot/unable to} {pee/urinate}``.

People say the same thing in too many ways to list each; a phrase lists the words for each place and stands
for every combination. Nothing is expanded: a phrase becomes one regular expression, compiled when its first
two characters are first met, and tried only where they stand. English words that carry no meaning of their
own (my, has, gone) may be left out of a place, as they are in a text (:mod:`xinglin.terms.gaps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Generic, TypeVar

from xinglin.terms.words import ENGLISH_FILLER

P = TypeVar("P")

_FEW = 5
"""Parts of a phrase with two places."""
_SLOT = re.compile(r"\{([^{}]*)\}")


class Family(Generic[P]):
    """One phrase and what it stands for."""

    def __init__(self, phrase: str, payload: P) -> None:
        self.payload = payload
        parts = _SLOT.split(phrase)
        self._parts = [
            _with_bare(part.split("/"), many=len(parts) > _FEW, alone=len(parts) < _FEW) if at % 2 else [part]
            for at, part in enumerate(parts)
        ]

    @property
    def heads(self) -> set[str]:
        """The first two characters of every spelling."""
        begun = {""}
        heads: set[str] = set()
        for words in self._parts:
            begun = {(head + word).lstrip()[:2] for head in begun for word in words}
            heads |= {head for head in begun if len(head) == 2}
            begun = {head for head in begun if len(head) < 2}
            if not begun:
                break
        return heads

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The phrase as a regular expression; of two words that fit a place the longer is tried first."""
        places = [
            "(?:" + "|".join(map(_spaced, sorted(words, key=len, reverse=True))) + ")"
            for words in self._parts
        ]
        return re.compile(" *" + "".join(places))


def _with_bare(words: list[str], *, many: bool, alone: bool) -> list[str]:
    """The words of a place, and what is left of them without fillers.

    A place of nothing but fillers may stay empty if enough other places say what is meant; where there is
    one place only, two words have to be left of it.
    """
    bare = [ENGLISH_FILLER.sub("", word + " ").strip() if word.isascii() else word for word in words]
    if alone:
        bare = [word for word in bare if " " in word]
    if not (many and not any(bare)):
        bare = [word for word in bare if word]
    return list(dict.fromkeys([*words, *bare]))


def _spaced(words: str) -> str:
    return re.escape(words).replace(r"\ ", " *")


def by_head(phrases: Iterable[tuple[str, P]]) -> dict[str, tuple[Family[P], ...]]:
    """Families by the two characters they can begin with."""
    table: dict[str, list[Family[P]]] = {}
    for phrase, payload in phrases:
        family = Family(phrase, payload)
        for head in family.heads:
            table.setdefault(head, []).append(family)
    return {head: tuple(families) for head, families in table.items()}
