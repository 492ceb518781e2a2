"""Entries of a structured record -> findings, measured values and named diseases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xinglin.terms.characters import normalise
from xinglin.terms.codes import XINGLIN, XINGLIN_DISEASE
from xinglin.terms.interpret import findings_of
from xinglin.terms.quantity import Quantity
from xinglin.terms.units import to_canonical
from xinglin.terms.vocabulary import Analyte, Vocabulary
from xinglin.types import Code, Event, Finding, Patient, State

UCUM = {
    "mm[Hg]": "mmHg",
    "Cel": "℃",
    "[degF]": "℉",
    "/min": "次/分",
    "{beats}/min": "次/分",
    "{breaths}/min": "次/分",
}
"""UCUM codes that a written unit spells otherwise."""


@dataclass(frozen=True, slots=True)
class Structured:
    """What the entries of a record say."""

    findings: tuple[Finding, ...]
    values: dict[str, float]
    """Newest value by analyte name, canonical unit."""
    suspected: dict[str, State]
    """Diseases by id."""
    problems: tuple[str, ...]


def read_events(events: Iterable[Event], patient: Patient, vocabulary: Vocabulary) -> Structured:
    """Read a record's entries, oldest first, so that the newest value of each quantity wins.

    A value with an unknown unit, or outside what is physically possible, is a problem and is not used.
    """
    findings: dict[Code, Finding] = {}
    values: dict[str, float] = {}
    suspected: dict[str, State] = {}
    problems: list[str] = []
    by_loinc = {analyte.loinc: analyte for analyte in vocabulary.analytes.values() if analyte.loinc}
    for event in sorted(events, key=lambda item: item.time or ""):
        if event.kind == "observation" and isinstance(event.value, float | int):
            quantity, problem = _quantity(event, vocabulary, by_loinc)
            if problem:
                problems.append(problem)
            if quantity is None:
                continue
            values[quantity.analyte.name] = quantity.value
            for found in findings_of(quantity, patient, vocabulary)[0]:
                findings[found.code] = found
        elif event.kind in ("finding", "condition", "observation"):
            words = (
                event.code.display if event.kind != "observation" else f"{event.code.display}{event.value}"
            )
            state: State = "present"
            if event.kind == "finding" and event.status in ("present", "absent", "unknown"):
                state = event.status  # type: ignore[assignment]
            terms = vocabulary.spelled(words)
            if event.kind == "finding" and not terms:
                problems.append(f"{words}: 未识别的征象 unknown finding")
            for term in terms:
                if term.code.system == XINGLIN:
                    findings[term.code] = Finding(term.code, state, time=event.time, origin="record")
                elif term.code.system == XINGLIN_DISEASE:
                    suspected[term.code.value] = "present"
    return Structured(tuple(findings.values()), values, suspected, tuple(problems))


def _quantity(
    event: Event, vocabulary: Vocabulary, by_loinc: dict[str, Analyte]
) -> tuple[Quantity | None, str | None]:
    analyte = by_loinc.get(event.code.value) if event.code.system == "loinc" else None
    if analyte is None:
        analyte = vocabulary.analyte_names.get(normalise(event.code.display))
    if analyte is None:
        return None, None
    unit = UCUM.get(event.unit or "", event.unit) or analyte.unit
    value = to_canonical(analyte, float(event.value), unit) if event.value is not None else None
    if value is None:
        return None, f"{analyte.name}: 未知单位 unknown unit {unit!r}; 可用 expected {analyte.unit}"
    low, high = analyte.plausible_min, analyte.plausible_max
    if (low is not None and value < low) or (high is not None and value > high):
        return None, f"{analyte.name}: {value:g} {analyte.unit} 不合理,未采用 implausible, not used"
    limits = [
        None if limit is None else to_canonical(analyte, limit, unit) for limit in (event.low, event.high)
    ]
    return Quantity(analyte, value, (0, 0), low=limits[0], high=limits[1]), None
