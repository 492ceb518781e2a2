"""When do two disease names mean the same? The rule by which free diagnoses are scored.

A candidate hits a gold diagnosis if

1. they are the same name or synonyms in a graph (starter, or the alias lists of an imported one), or
2. both have an ICD-10 code and the gold's lies at or under the candidate's (three characters or more), or
3. the shorter name is contained in the longer one and is itself a disease of a graph, never a class word
   (炎, 癌, 骨折, ...): 急性胆囊炎 meets 胆囊炎.

The rule never sees a text and is the same for every system that is scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from xinglin.errors import InvalidInputError
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.codes import is_descendant
from xinglin.types import Triple

CLASS_WORDS = frozenset(
    [
        "炎症",
        "肿瘤",
        "恶性肿瘤",
        "良性肿瘤",
        "癌",
        "癌症",
        "囊肿",
        "息肉",
        "结石",
        "骨折",
        "出血",
        "感染",
        "溃疡",
        "积液",
        "结节",
        "休克",
        "贫血",
        "水肿",
        "畸形",
        "综合征",
        "外伤",
        "损伤",
        "疼痛",
        "中毒",
        "过敏",
        "脓肿",
        "血肿",
        "狭窄",
        "梗阻",
        "衰竭",
        "炎",
        "病",
        "瘤",
        "疝",
        "疹",
        "热",
        "痛",
        "先天性疾病",
        "遗传病",
        "妊娠",
        "早产",
    ]
)
_NOISE = re.compile(r"[\s()（）\[\]【】<>《》“”\"'·.,,。、;；:：?？!！*+-]|伴|并发?|待查|待排|可能|考虑|术后")
_SIDE = re.compile(r"^(左侧|右侧|双侧|左|右|双|两侧)+|^(中老年|老年|小儿|急性|慢性)?$")
_PARTS = re.compile(r"[;；、,,。\n/+]|伴|并(?!发症)|合并")
MIN_CONTAINED = 3


def normal(name: str) -> str:
    """Return a name without punctuation, brackets and side words."""
    plain = re.sub(r"[（(][^（()）]*[)）]", "", name)
    return _SIDE.sub("", _NOISE.sub("", plain)).lower()


@dataclass(frozen=True)
class Synonyms:
    """Names known to graphs: groups of synonyms, and ICD-10 codes."""

    group: dict[str, int] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def build(knowledge: Knowledge, imported: Iterable[Triple] = ()) -> Synonyms:
        """Collect the starter graph's names and codes and the ``alias`` triples of imported graphs."""
        group: dict[str, int] = {}
        code: dict[str, str] = {}
        for number, disease in enumerate(knowledge.diseases.values()):
            for spelling in (disease.name, disease.en, *disease.aliases, *disease.aliases_en):
                group.setdefault(normal(spelling), number)
                code.setdefault(normal(spelling), disease.icd10)
        for triple in imported:
            head = normal(triple.head.display)
            number = group.setdefault(head, len(group) + len(knowledge.diseases))
            if triple.relation == "alias":
                group.setdefault(normal(triple.tail.display), number)
        group.pop("", None)
        return Synonyms(group, code)

    def hit(self, candidate: str, gold: str) -> bool:
        """Whether a candidate hits a gold diagnosis (which may hold several, joined by 伴 or commas)."""
        ours = normal(candidate)
        return any(self._same(ours, part) for part in gold_parts(gold))

    def _same(self, ours: str, gold: str) -> bool:
        if not ours or not gold:
            return False
        if ours == gold:
            return True
        group = self.group.get(ours)
        if group is not None and group == self.group.get(gold):
            return True
        code, gold_code = self.code.get(ours), self.code.get(gold)
        if code and gold_code and _under(gold_code, code):
            return True
        shorter, longer = sorted((ours, gold), key=len)
        return (
            len(shorter) >= MIN_CONTAINED
            and shorter in self.group
            and shorter not in CLASS_WORDS
            and shorter in longer
        )


@lru_cache(maxsize=8192)
def gold_parts(gold: str) -> tuple[str, ...]:
    """Return the normal forms of a gold diagnosis as a whole and of its parts."""
    parts = [normal(gold), *(normal(part) for part in _PARTS.split(gold))]
    return tuple(dict.fromkeys(part for part in parts if part))


def _under(code: str, ancestor: str) -> bool:
    try:
        return is_descendant(code, ancestor)
    except InvalidInputError:
        return False
