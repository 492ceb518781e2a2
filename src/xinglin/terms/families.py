"""Families of spellings written as one phrase: ``{can't/cannot/unable to} {pee/urinate}``.

People say the same thing in too many ways to list each; a phrase lists the words for each place, and
stands for every combination. A phrase takes only spellings that no alias names already. English words that
carry no meaning of their own (my, has, gone) are left out, as they are in a text
(:mod:`xinglin.terms.gaps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from xinglin.terms.gaps import ENGLISH_FILLER

_SLOT = re.compile(r"\{([^{}]*)\}")


def expanded(phrase: str) -> Iterator[str]:
    """Every spelling of one phrase, each once, in the order written."""
    parts = _SLOT.split(phrase)
    choices = [part.split("/") if at % 2 else [part] for at, part in enumerate(parts)]
    seen: set[str] = set()
    for words in product(*choices):
        spelling = " ".join("".join(words).split())
        bare = ENGLISH_FILLER.sub("", spelling)
        spelling = bare if " " in bare else spelling
        if len(spelling) > 1 and spelling not in seen:
            seen.add(spelling)
            yield spelling
