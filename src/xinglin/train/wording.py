"""How a finding is said: lay and clinical wordings in both languages, and measured values in place of words.

Wordings come from the vocabulary: a finding's names and aliases, and its families of phrases, of which a fixed
sample is spelled out. A wording that names a disease is told apart: a note that says 胆囊结石影 for a gallstone
teaches nothing about patients.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xinglin.terms.entries import Analyte, Cutoff, Range, Term, in_band
from xinglin.terms.tsv import rows
from xinglin.terms.vocabulary import Vocabulary
from xinglin.train.names import DiseaseNames

GROUPS = {
    "symptom": "symptom",
    "sign": "sign",
    "vital": "sign",
    "lab": "test",
    "ecg": "test",
    "imaging": "test",
    "endoscopy": "test",
    "pathology": "test",
    "history": "background",
    "risk": "background",
    "medication": "background",
}
"""Kind of a finding -> where a note has it."""
PER_PHRASE = 2
"""Spellings taken of one phrase of a family."""
MOST = 48
"""Most wordings of one finding in one register."""
_LAY = re.compile(
    "[了着得老总俩咱啥拉肚嗓脸屁疼啊吃喝睡走站坐躺蹲弄搞晚夜起来去]|没|发烧|身子|浑身|觉得|不舒服|有点|一.?就"
)
_SLOT = re.compile(r"\{([^{}]*)\}")
_SUFFIX = re.compile("(影像|表现|心电图|病理|镜下|征象)$")
_OPEN_END = re.compile(r"( (of|to|about|with|a|the|for|in|at|on|and|or|is|are))$|[(（\[+,，、/]$")
_CLAUSE = re.compile(
    r"'|^(i|my|he|she|it|can|cannot|could|keeps?|feels?|feeling|was|is|are|has|had|have|not|won|"
    r"passe[sd]|passing|woke|found|got|gets|wants?|wanting|took|takes|ate)\b"
)


@dataclass(frozen=True, slots=True)
class Wordings:
    """What may be said for one finding."""

    term: Term
    group: str
    clinical: tuple[str, ...]
    """Noun-like Chinese, fit for a note and after 无 or 否认."""
    lay: tuple[str, ...]
    english: tuple[str, ...]
    """Noun-like English."""
    lay_english: tuple[str, ...]


class Wording:
    """Wordings of all findings of a vocabulary.

    Args:
        vocabulary: the findings, analytes, ranges and cut-offs.
        names: names of diseases, to tell wordings that name one.
        families: ``(finding, Chinese phrases, English phrases)``; default: those of the package.
        seed: of the sample of phrases.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        names: DiseaseNames,
        families: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None,
        seed: int = 0,
    ) -> None:
        self._vocabulary = vocabulary
        self._names = names
        self._families = read_families() if families is None else families
        self._seed = seed
        self._known: dict[str, Wordings] = {}
        self._fit: dict[tuple[str, str], Wordings | None] = {}
        self._named: dict[str, frozenset[str]] = {}
        self._values: dict[str, list[tuple[Analyte, str, Cutoff | None]]] = defaultdict(list)
        for analyte in vocabulary.analytes.values():
            for side in ("high", "low"):
                if finding := getattr(analyte, side):
                    self._values[finding].append((analyte, side, None))
            for cutoff in vocabulary.cutoffs.get(analyte.name, ()):
                if cutoff.op != "=":
                    self._values[cutoff.finding].append((analyte, cutoff.op, cutoff))

    def ancestors(self, finding: str) -> tuple[str, ...]:
        """Findings that this one implies when present."""
        return self._vocabulary.ancestors(finding)

    def of(self, finding: str) -> Wordings:
        """All wordings of a finding."""
        known = self._known.get(finding)
        if known is None:
            known = self._known[finding] = self._build(self._vocabulary.findings[finding])
        return known

    def fit(self, finding: str, disease: str) -> Wordings | None:
        """The wordings that give away neither this disease nor, but for a past history, another one.

        ``None``: none is left.
        """
        key = (finding, disease)
        if key not in self._fit:
            said = self.of(finding)
            lists = [
                tuple(word for word in words if self._tells_nothing(word, disease, said.group))
                for words in (said.clinical, said.lay, said.english, said.lay_english)
            ]
            clinical, lay, english, lay_english = lists
            fitting = None
            if (clinical or lay) and (english or lay_english):
                fitting = Wordings(
                    *(said.term, said.group, clinical or lay, lay or clinical),
                    *(english or lay_english, lay_english or english),
                )
            self._fit[key] = fitting
        return self._fit[key]

    def value(self, finding: str, age: float, sex: str, dice: random.Random, lang: str) -> str | None:
        """A measured value that shows the finding, with name and unit; ``None`` if it is no quantity's."""
        options = [
            option
            for option in self._values.get(finding, ())
            if option[2] is None
            or (in_band(age, option[2].age_min, option[2].age_max) and option[2].sex in (None, sex))
        ]
        if not options:
            return None
        analyte, side, cutoff = dice.choice(options)
        if cutoff is not None:
            value = _beyond(cutoff.limit, side[0] == ">", analyte, dice)
        else:
            limits = _range(self._vocabulary.ranges.get(analyte.name, ()), age, sex)
            limit = None if limits is None else limits.high if side == "high" else limits.low
            if limit is None:
                return None
            value = _beyond(limit, side == "high", analyte, dice)
        return _written(analyte, value, dice, lang)

    def _tells_nothing(self, wording: str, disease: str, group: str) -> bool:
        named = self._named.get(wording)
        if named is None:
            named = self._named[wording] = self._names.mentioned(wording)
        return disease not in named and (group == "background" or not named)

    def _build(self, term: Term) -> Wordings:
        dice = random.Random(f"{self._seed}/{term.name}")
        zh, en = self._families.get(term.name, ((), ()))
        spelled = [_SUFFIX.sub("", term.name) or term.name, *filter(_whole, term.aliases)]
        lay = [word for word in spelled if _LAY.search(word)]
        clinical = [spelled[0], *(word for word in spelled[1:] if not _LAY.search(word))]
        lay += [word for phrase in zh for word in spelled_out(phrase, dice)]
        english = [term.en, *filter(_whole, term.aliases_en)]
        lay_english = [*english, *(word for phrase in en for word in spelled_out(phrase, dice))]
        nouns = [word for word in english if not _CLAUSE.search(word)] or english[:1]
        return Wordings(
            term,
            GROUPS[term.kind],
            _some(clinical, dice),
            _some(lay or spelled, dice),
            _some(nouns, dice),
            _some(lay_english, dice),
        )


def read_families() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """The package's families of phrases by finding, Chinese and English."""
    import xinglin.terms.vocabulary as vocabulary

    folder = Path(vocabulary.__file__).parent / "vocabulary"
    columns = ("finding", "phrases", "phrases_en", "source", "verified", "reviewed_by")
    zh: dict[str, list[str]] = defaultdict(list)
    en: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("families*.tsv")):
        for row in rows(path, columns):
            zh[row["finding"]] += row.many("phrases")
            en[row["finding"]] += row.many("phrases_en")
    return {name: (tuple(zh[name]), tuple(en[name])) for name in {**zh, **en}}


def spelled_out(phrase: str, dice: random.Random) -> Iterator[str]:
    """A few spellings of a phrase such as ``{老/总}想睡``."""
    parts = _SLOT.split(phrase)
    for _ in range(PER_PHRASE if len(parts) > 1 else 1):
        words = [dice.choice(part.split("/")) if at % 2 else part for at, part in enumerate(parts)]
        word = re.sub(" +", " ", "".join(words)).strip()
        if _whole(word):
            yield word


def _whole(word: str) -> bool:
    """Whether a wording can stand in a sentence: brackets closed, no preposition left hanging."""
    return (
        len(word) > 1
        and not _OPEN_END.search(word)
        and word.count("(") == word.count(")")
        and word.count("（") == word.count("）")
    )


def _some(words: list[str], dice: random.Random) -> tuple[str, ...]:
    unique = list(dict.fromkeys(words))
    if len(unique) > MOST:
        unique = [unique[0], *dice.sample(unique[1:], MOST - 1)]
    return tuple(unique)


def _range(ranges: tuple[Range, ...], age: float, sex: str) -> Range | None:
    for item in ranges:
        if item.sex in (None, sex) and in_band(age, item.age_min, item.age_max):
            return item
    return None


def _beyond(limit: float, above: bool, analyte: Analyte, dice: random.Random) -> float:
    """A value past the limit, mostly not far, within what is plausible."""
    share = dice.random() ** 2
    if above:
        most = analyte.plausible_max if analyte.plausible_max is not None else limit * 3
        reach = min(most, limit * 3 if limit > 0 else most, limit + (most - limit) * 0.5)
        return limit + (reach - limit) * (0.03 + 0.97 * share)
    least = analyte.plausible_min if analyte.plausible_min is not None else 0.0
    reach = max(least, limit * 0.35, limit - (limit - least) * 0.5)
    return limit - (limit - reach) * (0.03 + 0.97 * share)


def _written(analyte: Analyte, value: float, dice: random.Random, lang: str) -> str:
    if lang == "en":
        name = dice.choice((analyte.en, *analyte.aliases_en)) if analyte.en else analyte.name
    else:
        name = dice.choice((analyte.name, analyte.name, *analyte.aliases))
    digits = 0 if abs(value) >= 60 else 1 if abs(value) >= 2 else 2
    number = f"{value:.{digits}f}"
    unit = analyte.unit if lang == "zh" or analyte.unit.isascii() else ""
    if dice.random() < 0.35:
        unit = ""
    if unit[:1].isdigit():
        unit = dice.choice(("×", "*", "x")) + unit
    between = (
        dice.choice(("", " ", "：", ":", "为")) if lang == "zh" else dice.choice((" ", " ", ": ", " of "))
    )
    if between == "" and name[-1].isdigit():
        between = " "

    return f"{name}{between}{number}{unit}"
