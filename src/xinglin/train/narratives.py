"""Narratives rendered from the graph: a drawn patient told in one of many registers, labelled with the disease.

They are rendered text, counted apart from real text and never part of a test set. None holds the name, an alias or
an abbreviation of its own disease; findings named after a disease are left out but for past histories.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from xinglin.errors import InvalidInputError, TrainingError
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.vocabulary import Vocabulary
from xinglin.train.chinese_told import ChineseTold, punctuated
from xinglin.train.english_told import EnglishTold, tidy
from xinglin.train.names import DiseaseNames, starter_names
from xinglin.train.patients import Case, Patients, usable
from xinglin.train.wording import Wording

SOURCE = "rendered from the graph"
ENGLISH_SHARE = 0.15
TRIES = 24
"""Cases drawn for one narrative before its disease is given up."""


@dataclass(frozen=True, slots=True)
class Narrative:
    """One rendered text with its label."""

    text: str
    disease: str
    """Chinese name in the graph."""
    lang: str
    register: str
    source: str = SOURCE


@dataclass(frozen=True, slots=True)
class Register:
    """A way of telling: how often, how much, and how."""

    name: str
    lang: str
    weight: float
    findings: tuple[int, ...]
    """Most findings told, drawn from these."""
    tests: tuple[int, ...]
    """Most examination results told, drawn from these."""
    whose: str
    """Of whom: ``any``, ``adult`` or ``child``."""
    tell: Callable[[Case, random.Random], str]


class Narrator:
    """Renders narratives of a graph.

    Args:
        knowledge: the graph.
        vocabulary: the vocabulary of its findings.
        names: of its diseases; default: built here.
    """

    def __init__(
        self, knowledge: Knowledge, vocabulary: Vocabulary, names: DiseaseNames | None = None
    ) -> None:
        self.names = names or DiseaseNames(knowledge, vocabulary.findings.values())
        wording = Wording(vocabulary, self.names)
        self.patients = Patients(knowledge, wording)
        zh = ChineseTold(wording, _shown_by(knowledge, "zh"))
        en = EnglishTold(wording, _shown_by(knowledge, "en"))
        few, some, many = (1, 1, 2, 2, 3), (1, 2, 2, 3, 3, 4, 5), (2, 3, 4, 5, 6, 7, 8)
        none, rarely, often = (0,), (0, 0, 0, 1), (0, 1, 1, 2, 3)
        self.registers = (
            Register("patient", "zh", 30, some, rarely, "adult", zh.patient),
            Register("parent", "zh", 30, some, rarely, "child", zh.parent),
            Register("relative", "zh", 7, some, rarely, "adult", zh.relative),
            Register("short", "zh", 12, few, none, "any", zh.short),
            Register("telegram", "zh", 16, some, (0, 1, 1, 2), "any", zh.telegram),
            Register("stem", "zh", 14, many, often, "any", zh.stem),
            Register("note", "zh", 14, many, often, "any", zh.note),
            Register("admission", "zh", 10, many, often, "any", zh.admission),
            Register("patient", "en", 10, some, rarely, "adult", en.patient),
            Register("parent", "en", 6, some, rarely, "any", en.parent),
            Register("telegram", "en", 7, some, (0, 1, 1, 2), "any", en.telegram),
            Register("vignette", "en", 7, many, often, "any", en.vignette),
            Register("note", "en", 5, many, often, "any", en.note),
        )
        self.skipped: dict[str, int] = {}
        """Disease -> narratives given up because every draw named it or had nothing to tell."""

    def narratives(self, count: int, seed: int, lang: str | None = None) -> Iterator[Narrative]:
        """Yield ``count`` narratives, the same for the same seed.

        Args:
            lang: ``zh`` or ``en`` only; ``None``: about 15 % English.

        Raises:
            InvalidInputError: an unknown language or a negative count.
        """
        if lang not in (None, "zh", "en") or count < 0:
            raise InvalidInputError(
                f"expected a count of at least 0 and lang zh, en or None; got {count}, {lang!r}: correct it"
            )
        dice = random.Random(seed)
        given, missed = 0, 0
        while given < count:
            found = self.narrative(self.patients.disease(dice), dice, lang)
            if found is not None:
                given, missed = given + 1, 0
                yield found
            elif (missed := missed + 1) > 1000:
                raise TrainingError(
                    "expected findings to tell; a thousand draws in a row had none: check the graph's relations"
                )

    def narrative(self, disease: str, dice: random.Random, lang: str | None = None) -> Narrative | None:
        """Render one narrative of a disease; ``None`` if nothing can be told without naming it."""
        if usable(self.patients.profile(disease)):
            for _ in range(TRIES):
                spoken = lang or ("en" if dice.random() < ENGLISH_SHARE else "zh")
                options = [register for register in self.registers if register.lang == spoken]
                register = dice.choices(options, [register.weight for register in options])[0]
                case = self.patients.case(
                    disease, dice, most=dice.choice(register.findings), tests=dice.choice(register.tests)
                )
                if register.whose != "any" and (register.whose == "child") != case.child:
                    continue
                if not case.findings and not case.tests:
                    continue
                told = register.tell(case, dice)
                text = punctuated(told, dice) if spoken == "zh" else tidy(told)
                if not self.names.leaks(text, disease):
                    return Narrative(text, disease, spoken, register.name)
        self.skipped[disease] = self.skipped.get(disease, 0) + 1
        return None


def _shown_by(knowledge: Knowledge, lang: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for exam in knowledge.exams.values():
        names = (exam.name, *exam.aliases[:2]) if lang == "zh" else (exam.en, *exam.aliases_en[:2])
        for finding in exam.reveals:
            found.setdefault(finding, []).extend(names)
    return {finding: tuple(names[:9]) for finding, names in found.items()}


@cache
def starter_narrator() -> Narrator:
    """The narrator of the starter graph, built on first use."""
    from xinglin.graph.load import starter
    from xinglin.terms.vocabulary import starter_vocabulary

    return Narrator(starter(), starter_vocabulary(), starter_names())


def narratives(count: int, seed: int, *, lang: str | None = None) -> Iterator[Narrative]:
    """Yield ``count`` narratives of the starter graph's diseases, the same for the same seed.

    Args:
        lang: ``zh`` or ``en`` only; ``None``: about 15 % English.
    """
    yield from starter_narrator().narratives(count, seed, lang)
