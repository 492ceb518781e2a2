"""``xinglin code TEXT``: every mention with its code, its state, its place, its value."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.terms.codes import coding_system
from xinglin.terms.reading import read
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Code, State


@dataclass(frozen=True, slots=True)
class CodedMention:
    """One place of a text with the code it stands for."""

    code: Code
    state: State
    span: tuple[int, int]
    text: str
    """The source text of the span."""
    who: str = "patient"
    """``patient``, ``family`` or ``other``."""
    hypothetical: bool = False
    value: float | None = None
    unit: str | None = None
    time: str | None = None


def code(
    text: str, vocabulary: Vocabulary | None = None, *, system: str | None = None
) -> tuple[CodedMention, ...]:
    """Code a text.

    Args:
        text: Chinese or English, see :func:`xinglin.terms.reading.read` for its bounds.
        system: only codes of this system, e.g. ``xinglin`` or ``xinglin-disease``; default: all.

    Returns:
        Mentions and measured findings by position; of a quantity the findings that its value makes present,
        or its analyte with state ``unknown`` when it makes none so.

    Raises:
        UnknownNameError: no such coding system.
        InvalidInputError: see :func:`~xinglin.terms.reading.read`.
    """
    if system is not None:
        coding_system(system)
    reading = read(text, vocabulary)
    coded = [
        CodedMention(
            m.term.code, m.state, m.span, reading.text[slice(*m.span)], m.who, m.hypothetical, time=m.time
        )
        for m in reading.mentions
    ]
    for quantity in reading.quantities:
        source = reading.text[slice(*quantity.span)]
        made = [
            finding
            for finding in reading.findings
            if finding.span == quantity.span and finding.origin in ("vital",
            "lab") and finding.state == "present"
            and finding.unit == quantity.analyte.unit and finding.value == quantity.value
        ]  # fmt: skip
        coded += [
            CodedMention(f.code, f.state, quantity.span, source, value=f.value, unit=f.unit) for f in made
        ] or [
            CodedMention(
                quantity.analyte.code,
                "unknown",
                quantity.span,
                source,
                value=quantity.value,
                unit=quantity.analyte.unit,
            )
        ]
    coded.sort(key=lambda m: (m.span, m.code.system, m.code.value))
    return tuple(m for m in coded if system is None or m.code.system == system)
