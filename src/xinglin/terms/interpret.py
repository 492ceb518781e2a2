"""What a measured value means: findings by the report's own range, else by ours for sex and age.

Order of trust: the report's own mark, its own range, our range. Sex or age unknown: only what holds for
every band that is still possible; if adults and children differ and nothing speaks of a child, adult bands
are used and the reading says so. No band: the value is kept and the state is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from xinglin.terms.mention import Problem
from xinglin.terms.quantity import Quantity
from xinglin.terms.vocabulary import OPERATORS, Cutoff, Range, Vocabulary, in_band
from xinglin.types import Finding, Patient, State

ADULT = 18.0
Band = TypeVar("Band", Range, Cutoff)


def findings_of(
    quantity: Quantity, patient: Patient, vocabulary: Vocabulary, *, child: bool = False
) -> tuple[list[Finding], Problem | None]:
    """Findings that one quantity makes present, absent or unknown.

    Args:
        child: the text speaks of a child without an age, so adult bands must not be assumed.

    Returns:
        The findings, each with the value; and the assumption made, if one was.
    """
    states: dict[str, State] = {}
    assumed = False
    analyte = quantity.analyte
    if analyte.high or analyte.low:
        level, assumed = _level(quantity, patient, vocabulary.ranges.get(analyte.name, ()), child)
        for name, side in ((analyte.high, "high"), (analyte.low, "low")):
            if name:
                states[name] = "unknown" if level is None else "present" if level == side else "absent"
    cutoffs = vocabulary.cutoffs.get(analyte.name, ())
    for name in dict.fromkeys(cutoff.finding for cutoff in cutoffs):
        own = [cutoff for cutoff in cutoffs if cutoff.finding == name]
        state, guessed = _graded(quantity, patient, own, child)
        if state is not None:
            assumed = assumed or guessed
            states[name] = _stronger(states.get(name), state)
    findings = [
        Finding(term.code, state, quantity.value, analyte.unit, span=quantity.span, origin=analyte.kind)
        for name, state in states.items()
        if (term := vocabulary.findings.get(name)) is not None
    ]
    return findings, _assumption(quantity) if assumed else None


def _stronger(old: State | None, new: State) -> State:
    """Present beats absent beats unknown, for one finding reached by range and by cut-off."""
    order = ("unknown", "absent", "present")
    return new if old is None or order.index(new) > order.index(old) else old


def _possible(bands: Iterable[Band], patient: Patient) -> list[Band]:
    """Bands that the patient, as far as known, may belong to; rows of the known sex before rows of any."""
    fitting = [
        band
        for band in bands
        if (band.sex is None or patient.sex is None or band.sex == patient.sex)
        and (patient.age is None or in_band(patient.age, band.age_min, band.age_max))
    ]
    if patient.sex is None:
        return [band for band in fitting if band.sex is None] or fitting
    return [band for band in fitting if band.sex == patient.sex] or fitting


def _adult(bands: list[Band]) -> list[Band]:
    return [band for band in bands if in_band(ADULT + 17, band.age_min, band.age_max)]


def _side(quantity: Quantity, low: float | None, high: float | None) -> str | None:
    """``low``, ``high``, ``normal``; ``None`` if a comparison sign leaves it open."""
    value, sign = quantity.value, quantity.comparator
    if sign == "<":
        if low is not None and value <= low:
            return "low"
        return ("normal" if low is None else None) if high is None or value <= high else None
    if sign == ">":
        if high is not None and value >= high:
            return "high"
        return ("normal" if high is None else None) if low is None or value >= low else None
    if high is not None and value > high:
        return "high"
    return "low" if low is not None and value < low else "normal"


def _level(
    quantity: Quantity, patient: Patient, ranges: tuple[Range, ...], child: bool
) -> tuple[str | None, bool]:
    """The side of the range the value lies on, and whether adult bands were assumed."""
    if quantity.flag is not None:
        return quantity.flag, False
    if quantity.low is not None or quantity.high is not None:
        return _side(quantity, quantity.low, quantity.high), False
    bands = _possible(ranges, patient)
    sides = {_side(quantity, band.low, band.high) for band in bands}
    if len(sides) <= 1:
        return (sides.pop() if sides else None), False
    if patient.age is None and not child:
        adult = {_side(quantity, band.low, band.high) for band in _adult(bands)}
        if len(adult) == 1:
            return adult.pop(), True
    return None, False


def _graded(
    quantity: Quantity, patient: Patient, cutoffs: list[Cutoff], child: bool
) -> tuple[State | None, bool]:
    """State of one graded finding; ``None`` when no cut-off is meant for such a patient."""
    bands = _possible(cutoffs, patient)
    if not bands:
        return None, False
    if patient.age is not None or all(band.age_min is None and band.age_max is None for band in bands):
        held = [_holds(quantity, band) for band in bands]
        return ("present" if True in held else "unknown" if None in held else "absent"), False
    held = [_holds(quantity, band) for band in bands]
    if len(set(held)) == 1 and held[0] is not None:
        return ("present" if held[0] else "absent"), False
    adult = _adult(bands)
    if child or not adult:
        return "unknown", False
    grown = [_holds(quantity, band) for band in adult]
    return ("present" if True in grown else "unknown" if None in grown else "absent"), True


def _holds(quantity: Quantity, cutoff: Cutoff) -> bool | None:
    """Whether the cut-off is met; ``None`` if a comparison sign leaves it open."""
    met = OPERATORS[cutoff.op](quantity.value, cutoff.limit)
    if not quantity.comparator:
        return met
    upward = cutoff.op in (">", ">=")
    if quantity.comparator == "<":  # the value is at most what is written
        return (False if not met else None) if upward else (True if met else None)
    return (True if met else None) if upward else (False if not met else None)


def _assumption(quantity: Quantity) -> Problem:
    analyte = quantity.analyte
    return Problem(
        "assumption",
        f"未述年龄,{analyte.name}按成人范围判断:请补充年龄",
        f"age not stated, {analyte.en} judged by adult ranges: state the age",
        quantity.span,
    )
