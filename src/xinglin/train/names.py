"""The names of the graph's diseases in running text: found, counted, or masked.

A training text must not contain the name of its own label, or the model learns to read labels instead of
patients. Names are matched by the package's matcher over normalised text: Chinese ones as substrings, Latin
ones on word boundaries, with the English plural added.

*Identifying* a disease by its mention is stricter than *masking* it: a spelling that is also a finding (脱水),
or that means many things (过敏), or a Latin abbreviation of three letters says too little to be a label, but is
still removed where the disease is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from xinglin.graph.knowledge import Disease, Knowledge
from xinglin.terms.characters import normalise
from xinglin.terms.matcher import Match, Matcher, resolve
from xinglin.terms.vocabulary import Term

MASK = "某病"
MASK_EN = "this condition"
VAGUE = frozenset(
    [
        "过敏",
        "体检",
        "着凉",
        "妊娠",
        "怀孕",
        "分娩",
        "顺产",
        "临产",
        "早产",
        "急产",
        "流产",
        "保胎",
        "早孕",
        "体虚",
        "强直",
        "传单",
        "受凉",
        "外伤",
        "感染",
        "化脑",
        "电击",
        "醉酒",
        "酗酒",
        "烂裆",
        "肥胖",
        "超重",
        "骨刺",
        "长痘",
        "近视",
        "远视",
        "散光",
        "老花",
        "尿床",
        "口臭",
        "疲劳",
        "焦虑",
        "抑郁",
        "缺钙",
        "化脓",
        "溶血",
        "中毒",
        "晕车",
        "晕船",
        "晕机",
        "裂伤",
        "割伤",
        "积食",
        "食积",
        "上火",
    ]
)
"""Chinese spellings that name a disease of the graph but, met in a text, seldom mean that diagnosis."""
MIN_LATIN = 4
"""Fewest letters of a Latin spelling that identifies a disease."""
_BRACKETED = re.compile(r"[(（][^()（）]*[)）]")


def spellings(disease: Disease) -> tuple[str, ...]:
    """Every normalised spelling of a disease: names and aliases, with and without what stands in brackets."""
    found: dict[str, None] = {}
    for name in (disease.name, disease.en, *disease.aliases, *disease.aliases_en):
        for spelling in (name, _BRACKETED.sub("", name)):
            plain = normalise(spelling).strip()
            if plain:
                found[plain] = None
                if plain.isascii() and plain[-1].isalpha() and len(plain) >= MIN_LATIN:
                    found[plain + "s"] = None
                    found[plain + "es"] = None
    return tuple(found)


class DiseaseNames:
    """Matchers over the names of a graph's diseases.

    Args:
        knowledge: the graph.
        findings: its vocabulary, whose spellings do not identify a disease.
    """

    def __init__(self, knowledge: Knowledge, findings: Iterable[Term]) -> None:
        said = {
            normalise(spelling)
            for term in findings
            if term.kind not in ("history", "risk")
            for spelling in (term.name, term.en, *term.aliases, *term.aliases_en)
        }
        every: dict[str, tuple[str, ...]] = {}
        telling: dict[str, tuple[str, ...]] = {}
        self.own: dict[str, tuple[str, ...]] = {}
        for disease in knowledge.diseases.values():
            self.own[disease.name] = spellings(disease)
            main = {normalise(disease.name), normalise(disease.en)}
            for spelling in self.own[disease.name]:
                every[spelling] = (*every.get(spelling, ()), disease.name)
                short = len(spelling) < (MIN_LATIN if spelling.isascii() else 2)
                vague = spelling in VAGUE or (spelling in said and spelling not in main)
                if not short and not vague:
                    telling[spelling] = (*telling.get(spelling, ()), disease.name)
        self._every = Matcher(every.items())
        self._telling = Matcher(telling.items())

    def leaks(self, text: str, disease: str) -> bool:
        """Whether a text holds any spelling of the disease, abbreviations and nested ones included."""
        plain = normalise(text)
        return any(spelling in plain and _stands(plain, spelling) for spelling in self.own[disease])

    def mentioned(self, text: str) -> frozenset[str]:
        """Diseases with any spelling anywhere in the text, nested ones included."""
        return frozenset(name for match in self._every.all_matches(normalise(text)) for name in match.payload)

    def named(self, text: str) -> tuple[str, ...]:
        """Diseases that the text names, by first mention: the longest of nested spellings counts.

        Of a spelling that several diseases share none is taken.
        """
        matches = resolve(self._telling.all_matches(normalise(text)), text)
        return tuple(dict.fromkeys(match.payload[0] for match in matches if len(match.payload) == 1))

    def exactly(self, name: str) -> str | None:
        """The one disease that is spelled exactly so, vague spellings included."""
        plain = normalise(name).strip()
        owners = self._every.get(plain) or self._every.get(normalise(_BRACKETED.sub("", name)).strip())
        return owners[0] if owners and len(set(owners)) == 1 else None

    def masked(self, text: str, disease: str, mask: str) -> str:
        """The text with every spelling of the disease replaced; asking again finds none."""
        for _ in range(4):  # what a removal joins may spell the name anew
            matches = [m for m in self._every.all_matches(normalise(text)) if disease in m.payload]
            if not matches:
                return text
            text = _replaced(text, matches, mask)
        return text


def _stands(text: str, spelling: str) -> bool:
    """Whether one occurrence of a spelling is no part of a longer Latin word, as the matcher has it."""
    first, last = _is_word(spelling[0]), _is_word(spelling[-1])
    start = text.find(spelling)
    while start >= 0:
        end = start + len(spelling)
        inside = (first and start > 0 and _is_word(text[start - 1])) or (
            last and end < len(text) and _is_word(text[end])
        )
        if not inside:
            return True
        start = text.find(spelling, start + 1)
    return False


def _is_word(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or "\u00df" <= char <= "\u024f"


def _replaced(text: str, matches: list[Match[tuple[str, ...]]], mask: str) -> str:
    spans: list[tuple[int, int]] = []
    for match in sorted(matches, key=lambda m: m.start):
        if spans and match.start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], match.end))
        else:
            spans.append((match.start, match.end))
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], mask]
        at = end
    return "".join([*pieces, text[at:]])


@cache
def starter_names() -> DiseaseNames:
    """Names of the starter graph, built on first use."""
    from xinglin.graph.load import starter
    from xinglin.terms.vocabulary import read_findings

    return DiseaseNames(starter(), read_findings().values())
