"""The echo: how much a text's own characters sound like what is known of each disease.

The vocabulary reads what it knows; a patient's other words (胳膊抬不起来, 眼前发黑) and a report's other
lines are lost to it. The echo compares all pairs of neighbouring characters with those of the names of the
disease and of its findings, with their colloquial spellings, by BM25 (Robertson and Zaragoza 2009). It is
no evidence that one can show as a finding; what the vocabulary did read, present or denied, is left out, so
that nothing counts twice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.pack import FREQUENCY
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.vocabulary import Vocabulary

WEIGHT = 0.4
"""Log posterior per unit of BM25; chosen on the odd half of ai-hospital, flat from .25 to .5."""
SATURATION, LENGTH = 1.2, 0.5
"""BM25's k1 and b."""
NAME = 3.0
"""A disease's own name counts as often as this many of its findings."""
_BREAK = re.compile(r"[^\u3400-\u9fff\uf900-\ufaff]+")
Saying = tuple[str, str, float]
"""(disease, phrase, weight)"""


@dataclass(frozen=True)
class Echo:
    """Weights of character pairs by disease; immutable, shared between threads."""

    size: int
    """Number of diseases."""
    places: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]
    """Pair -> diseases and weights."""

    @staticmethod
    def build(diseases: Sequence[str], sayings: Iterable[Saying]) -> Echo:
        """Index what is said of each disease.

        Args:
            diseases: names in the order of the pack.
            sayings: phrases with weights; of several phrases for one finding give each.
        """
        place = {name: i for i, name in enumerate(diseases)}
        counts: list[Counter[str]] = [Counter() for _ in diseases]
        for disease, phrase, weight in sayings:
            at = place.get(disease)
            if at is not None:
                for pair in pairs(phrase):
                    counts[at][pair] += weight  # type: ignore[assignment]
        lengths = np.array([float(sum(count.values())) for count in counts])
        usual = float(lengths.mean()) if len(lengths) else 1.0
        seen = Counter(pair for count in counts for pair in count)
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, count in enumerate(counts):
            room = SATURATION * (1 - LENGTH + LENGTH * lengths[i] / max(usual, 1e-9))
            for pair, many in count.items():
                rarity = np.log(1 + len(diseases) / (seen[pair] + 0.5))
                found[pair].append((i, float(many * (SATURATION + 1) / (many + room) * rarity)))
        return Echo(
            len(diseases),
            {
                pair: (np.array([i for i, _ in rows], np.int64), np.array([w for _, w in rows]))
                for pair, rows in found.items()
            },
        )

    def shift(self, text: str, without: Iterable[tuple[int, int]] = ()) -> NDArray[np.float64]:
        """Return what a text adds to every disease's log posterior.

        Args:
            text: the patient's words and reports.
            without: spans to be left out, such as findings that were read.
        """
        kept = list(text)
        for start, end in without:
            kept[start:end] = " " * (min(end, len(kept)) - start)
        total = np.zeros(self.size)
        for pair in sorted(pairs("".join(kept))):
            row = self.places.get(pair)
            if row is not None:
                total[row[0]] += row[1]
        return np.asarray(WEIGHT * total)


def pairs(text: str) -> Collection[str]:
    """Return the distinct pairs of neighbouring Chinese characters."""
    return dict.fromkeys(part[i : i + 2] for part in _BREAK.split(text) for i in range(len(part) - 1)).keys()


def graph_sayings(knowledge: Knowledge, vocabulary: Vocabulary) -> Iterable[Saying]:
    """Yield what the starter graph says of each disease, in all spellings the vocabulary has.

    Pairs that several spellings of one finding share count once.
    """
    for disease in knowledge.diseases.values():
        for spelling in (disease.name, *disease.aliases):
            yield disease.name, spelling, NAME
    for row in knowledge.relations:
        if row.relation == "has_finding" and row.qualifier != "excluded":
            term = vocabulary.findings[row.target]
            weight = 0.5 + FREQUENCY[row.qualifier or "occasional"]
            distinct: dict[str, None] = {}
            for spelling in (term.name, *term.aliases):
                distinct.update(dict.fromkeys(pairs(spelling)))
            for pair in distinct:
                yield row.disease, pair, weight
