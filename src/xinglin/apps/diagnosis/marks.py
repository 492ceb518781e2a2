"""Where the reader found something in a text, for the units of an explanation: findings with their denial, values.

Deleting a denied finding without its negation would leave a dangling *no* that denies the next finding, and deleting
the first of *no fever, cough* would assert the cough. So a denied finding is marked together with its negation, and
an enumeration under one negation is one mark.
"""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.apps.diagnosis.differential import Differential
from xinglin.explain.units import Mark, Span
from xinglin.terms.characters import normalise
from xinglin.terms.clauses import joined
from xinglin.terms.cues import Cue, find_cues
from xinglin.terms.mention import Mention, Reading
from xinglin.terms.reading import read
from xinglin.types import Patient

FORWARD = frozenset({Cue.DENY, Cue.NEGATE, Cue.NEGATE_NEAR, Cue.NEGATE_NEXT})
REACH = 8
"""Characters that may stand between a negation and what it denies (无明显的发热)."""
NAMED = 3
"""Findings of an enumeration that give it its name."""
READ = frozenset({"exam", "drug"})
"""Kinds of mention that say what was done, not what was found: their words are explained as words."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What to hand to :func:`xinglin.explain.segment`."""

    marks: tuple[Mark, ...]
    english: dict[str, str]
    """English of every name."""


def marks_of(differential: Differential, text: str, patient: Patient) -> Marks:
    """Return the marks of a text.

    Args:
        differential: whose vocabulary reads.
        text: as the model answers it; white space alone gives no marks.
        patient: header facts, which win over the text.

    Raises:
        InputTooLargeError: the text is too long.
    """
    normal = normalise(text)
    if not normal.strip():
        return Marks((), {})
    reading = read(text, differential.vocabulary, patient=patient)
    english: dict[str, str] = {}
    marks: list[Mark] = []
    for quantity in reading.quantities:
        english[quantity.analyte.name] = quantity.analyte.en
        marks.append((quantity.span, "value", quantity.analyte.name))
    told = [item for item in reading.mentions if item.term.kind not in READ]
    denials = _denials(normal, reading, told)
    covered = {place for span, _ in denials for place in range(*span)}
    for span, denied in denials:
        names = list({item.span: item.term.name for item in reversed(denied)}.values())[::-1]
        zh, en = _several(names, [_english(differential, name) for name in names])
        english[zh] = en
        marks.append((span, "finding", zh))
    for item in told:
        if item.span[0] not in covered:
            english[item.term.name] = _english(differential, item.term.name)
            marks.append((item.span, "finding", item.term.name))
    return Marks(tuple(marks), english)


def _denials(text: str, reading: Reading, told: list[Mention]) -> list[tuple[Span, list[Mention]]]:
    """Spans of what is denied together, each with its negation, and the mentions in it."""
    cues = find_cues(text, [item.span for item in reading.mentions])
    groups: list[tuple[Span, list[Mention]]] = []
    for item in sorted(told, key=lambda mention: mention.span):
        if item.state != "absent":
            continue
        start, end = item.span
        if groups and start < groups[-1][0][1]:  # two readings of the same words
            groups[-1] = ((groups[-1][0][0], max(end, groups[-1][0][1])), [*groups[-1][1], item])
            continue
        if groups and joined(text[groups[-1][0][1] : start], commas=True):
            groups[-1] = ((groups[-1][0][0], end), [*groups[-1][1], item])
            continue
        for cue in cues:
            gap = text[cue.end : start]  # empty where the negation reaches into the mention (no history of)
            before = cue.start < start and cue.end <= end and len(gap) <= REACH and not _ends(gap)
            if before and cue.payload & FORWARD:
                start = cue.start
            elif Cue.NEGATED in cue.payload and not text[end : cue.start].strip() and cue.start >= end:
                end = max(end, cue.end)
        groups.append(((start, end), [item]))
    return groups


def _ends(gap: str) -> bool:
    return any(mark in gap for mark in ",。;!?\n")


def _several(names: list[str], english: list[str]) -> tuple[str, str]:
    more = len(names) > NAMED
    zh, en = "、".join(names[:NAMED]), ", ".join(english[:NAMED])
    return (f"{zh}等", f"{en} and more") if more else (zh, en)


def _english(differential: Differential, name: str) -> str:
    disease = differential.knowledge.diseases.get(name)
    return disease.en if disease else differential.finding_name(name, "en")
