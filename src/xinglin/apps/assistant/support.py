"""Whether a source states a sentence: a rule that anyone can check, not a judgement.

A source supports a sentence if every disease, finding, examination and medicine that the sentence names is named by the
source in the same state (present or denied), every number of the sentence stands in the source, the sentence holds no
more words of denial than those sentences of the source that say the same, and at least
``OVERLAP`` of the sentence's index terms (character bigrams, Latin words) occur in it. Names are compared by concept, so an
alias counts. ``OVERLAP`` was chosen on the tuning half of ``python -m benchmarks assistant`` and is reported on the other.
The rule cannot see who does what to whom: two names in swapped roles pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from xinglin.apps.assistant.bm25 import grams
from xinglin.apps.assistant.documents import sentences
from xinglin.apps.assistant.evidence import Source
from xinglin.errors import InvalidInputError
from xinglin.terms.characters import normalise
from xinglin.terms.reading import MAX_CHARACTERS, read
from xinglin.terms.vocabulary import Vocabulary

OVERLAP = 0.6
SAME = 0.3
"""Least share of a sentence's index terms in a sentence of the source whose denials are counted against its own."""
_CITATION = re.compile(r"\[\d{1,3}\]")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_DENIAL = re.compile(
    r"不(?!适|同|良|足|全|齐|安|规则|稳|宁|振|断|明|详|畅|通)|没|无(?!力|论)|未|非(?!常|甾|典)|否|禁|勿|\b(?:not|no|never|without|cannot)\b|n't"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence is supported, and by what."""

    sources: tuple[int, ...]
    """Places (from 0) of the supporting sources, best first; empty: none supports it."""
    overlap: float
    """Greatest share of its index terms in one source."""
    missing: tuple[str, ...]
    """What the best source lacks: names, numbers, ``overlap``, ``denial``."""


class SupportRule:
    """The rule over one vocabulary; safe to share between threads."""

    def __init__(self, vocabulary: Vocabulary, overlap: float = OVERLAP) -> None:
        self.vocabulary, self.overlap = vocabulary, overlap
        self._named = lru_cache(maxsize=4096)(self._read)

    def check(self, sentence: str, sources: Sequence[Source]) -> Verdict:
        """Return the verdict on one sentence; its own citation marks are not read."""
        plain = _CITATION.sub("", sentence)
        wanted = set(grams(plain))
        if not wanted:
            return Verdict((), 0.0, ("overlap",))
        named, numbers = self._named(plain), set(_DIGITS.findall(plain))
        denials = len(_DENIAL.findall(normalise(plain)))
        found: list[tuple[float, int]] = []
        best: tuple[int, float, tuple[str, ...]] = (1 << 30, 0.0, ("overlap",))
        for place, source in enumerate(sources):
            whole = f"{source.title}。{source.text}"
            share = len(wanted & set(grams(whole))) / len(wanted)
            missing = sorted(name for name, _ in named - self._named(whole))
            missing += sorted(numbers - set(_DIGITS.findall(whole)))
            if share < self.overlap:
                missing.append("overlap")
            elif denials > _denials(whole, wanted):
                missing.append("denial")
            if not missing:
                found.append((-share, place))
            best = min(best, (len(missing), -share, tuple(missing)), key=lambda item: item[:2])
        return Verdict(
            tuple(place for _, place in sorted(found)), -best[1] + 0.0, best[2] if not found else ()
        )

    def _read(self, text: str) -> frozenset[tuple[str, str]]:
        """Names of a text with their states."""
        text = text[:MAX_CHARACTERS]
        named = self.vocabulary.drug_names.longest(normalise(text))
        drugs = {(match.payload.name, "named") for match in named}
        try:
            reading = read(text, self.vocabulary)
        except InvalidInputError:  # nothing but signs
            return frozenset(drugs)
        return frozenset({(mention.term.name, mention.state) for mention in reading.mentions} | drugs)


def _denials(source: str, wanted: set[str]) -> int:
    """Words of denial in those sentences of a source that say what a sentence says."""
    total = 0
    for start, end in sentences(source):
        words = source[start:end]
        if len(wanted & set(grams(words))) >= SAME * len(wanted):
            total += len(_DENIAL.findall(normalise(words)))
    return total
