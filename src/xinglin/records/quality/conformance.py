"""Conformance: values in the form that their standard asks for, ids that hold, computed values that compute."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import CACHED, Case, fitting_unit, together
from xinglin.records.quality.tally import Check, Outcome, Tallies
from xinglin.terms.codes import SYSTEMS, is_icd10
from xinglin.terms.snomed import valid_sctid
from xinglin.terms.ucum import is_ucum
from xinglin.terms.units import normal_unit, unit_factors
from xinglin.terms.vocabulary import starter_vocabulary
from xinglin.types import Code

OTHER_SYSTEMS = frozenset({"rxnorm", "http://hl7.org/fhir/sid/cvx", "http://unitsofmeasure.org"})
"""Besides those of ``terms.codes``: what FHIR names and the readers pass on."""
_SHAPES: dict[str, Callable[[str], bool]] = {
    "snomedct": valid_sctid,
    "loinc": lambda value: valid_loinc(value),
    "hpo": lambda value: re.fullmatch(r"HP:\d{7}", value) is not None,
    "doid": lambda value: re.fullmatch(r"DOID:\d{1,7}", value) is not None,
    "rxnorm": lambda value: re.fullmatch(r"[1-9]\d{0,8}", value) is not None,
}


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that others determine."""

    target: str
    inputs: tuple[str, ...]
    formula: Callable[..., float]
    """Of the inputs in their canonical units."""
    tolerance: float = 0.05
    """Relative difference allowed, for rounding."""


COMPUTED = (
    Computed("体重指数", ("体重", "身高"), lambda kg, cm: kg / (cm / 100) ** 2),
    Computed("球蛋白", ("总蛋白", "白蛋白"), lambda total, albumin: total - albumin),
    Computed("间接胆红素", ("总胆红素", "直接胆红素"), lambda total, direct: total - direct, 0.1),
    Computed("平均红细胞体积", ("红细胞压积", "红细胞计数"), lambda share, count: 1000 * share / count),
    Computed("中性粒细胞计数", ("白细胞计数", "中性粒细胞百分比"), lambda white, percent: white * percent / 100, 0.1),
    Computed("淋巴细胞计数", ("白细胞计数", "淋巴细胞百分比"), lambda white, percent: white * percent / 100, 0.1),
)  # fmt: skip
"""Each holds by definition of its target; the tolerances are authored, unreviewed."""


class Conformance(Check):
    """Coding systems, code formats, units, dates; unique ids; computed values."""

    def __init__(self, options: QualityOptions) -> None:
        self._tallies = Tallies(options.examples)
        self._ids: set[str] = set()

    def see(self, case: Case) -> None:
        """Take the next case."""
        name, count = case.id, self._tallies.count
        count("record-id", name in self._ids, name)
        self._ids.add(name)
        for event, day in zip(case.events, case.days, strict=True):
            self._code(event.code, name)
            if event.time is not None:
                count("date-format", day is None, name)
        for finding in case.row.record.findings:
            self._code(finding.code, name)
        known = set()
        for measure in case.measures:
            known.add(id(measure.event))
            if measure.event.unit:
                item = (measure.analyte.name, measure.analyte.en)
                count(
                    "unit-of-analyte", fitting_unit(measure.analyte, measure.event.unit) is None, name, item
                )
        for event in case.events:
            if event.unit and id(event) not in known:
                count("unit-unknown", not _is_unit(event.unit), name)
        self._computed(case)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        yield from self._tallies.outcomes(
            (
                "code-system",
                "code-shape",
                "unit-of-analyte",
                "unit-unknown",
                "date-format",
                "record-id",
                "computed",
            )
        )

    def _code(self, code: Code, name: str) -> None:
        if code.system == "text":
            return
        system, value = code.system, code.value
        self._tallies.count("code-system", system not in SYSTEMS and system not in OTHER_SYSTEMS, name)
        shaped = _has_shape(system, value)
        if shaped is not None:
            self._tallies.count("code-shape", not shaped, name, _named(system))

    def _computed(self, case: Case) -> None:
        for values in together(case).values():
            for rule in COMPUTED:
                stated = values.get(rule.target)
                inputs = [values.get(name) for name in rule.inputs]
                if stated is None or any(value is None for value in inputs):
                    continue
                try:
                    expected = rule.formula(*inputs)
                except ZeroDivisionError:
                    continue
                far = abs(stated - expected) > rule.tolerance * max(abs(expected), abs(stated))
                self._tallies.count(
                    "computed", far, case.id, (rule.target, starter_vocabulary().analytes[rule.target].en)
                )


@lru_cache(CACHED)
def _has_shape(system: str, value: str) -> bool | None:
    """Whether a code has the format and check digit of its system; ``None``: nothing is known of that."""
    if system.startswith("icd10-"):
        return is_icd10(value)
    return _SHAPES[system](value) if system in _SHAPES else None


def valid_loinc(text: str) -> bool:
    """Whether a text is a LOINC code: digits, a hyphen, and the check digit of Mod 10.

    The digits at odd places from the right, joined and doubled, and those at even places: their digit sum goes up to
    the next multiple of ten by the check digit (LOINC Users' Guide, annex on the check digit).
    """
    match = re.fullmatch(r"(\d{1,7})-(\d)", text)
    if match is None:
        return False
    backwards = match.group(1)[::-1]
    doubled = str(2 * int(backwards[::2]))
    total = sum(map(int, doubled + backwards[1::2]))
    return (-total) % 10 == int(match.group(2))


def _named(system: str) -> tuple[str, str]:
    known = SYSTEMS.get(system)
    return (known.zh, known.en) if known else (system, system)


@lru_cache(CACHED)
def _is_unit(unit: str) -> bool:
    return is_ucum(unit) or unit in _printed() or normal_unit(unit) in _printed()


@cache
def _printed() -> frozenset[str]:
    """Every unit of every analyte, as printed."""
    return frozenset(
        unit for analyte in starter_vocabulary().analytes.values() for unit in unit_factors(analyte)
    )
