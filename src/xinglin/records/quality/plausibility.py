"""Atemporal plausibility: values that can be, and facts that do not contradict each other."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case, together
from xinglin.records.quality.tally import Check, Outcome, Tallies
from xinglin.terms.codes import is_icd10
from xinglin.types import Code

ORDERS = (
    ("收缩压", operator.gt, "舒张压", ("收缩压高于舒张压", "systolic above diastolic pressure")),
    ("总胆红素", operator.ge, "直接胆红素", ("总胆红素不低于直接胆红素", "total bilirubin not below direct")),
    ("总蛋白", operator.ge, "白蛋白", ("总蛋白不低于白蛋白", "total protein not below albumin")),
    ("总胆固醇", operator.ge, "低密度脂蛋白胆固醇", ("总胆固醇不低于低密度脂蛋白", "total cholesterol not below LDL")),
    ("总胆固醇", operator.ge, "高密度脂蛋白胆固醇", ("总胆固醇不低于高密度脂蛋白", "total cholesterol not below HDL")),
    ("前列腺特异性抗原", operator.ge, "游离前列腺特异性抗原", ("总 PSA 不低于游离 PSA", "total PSA not below free PSA")),
)  # fmt: skip
"""A part is never more than its whole."""
OLDEST = 130
"""Years, as at intake."""
_FEMALE_ICD10 = (("C51", "C58"), ("D25", "D28"), ("N70", "N98"), ("O00", "O99"))
_MALE_ICD10 = (("C60", "C63"), ("D40", "D40"), ("N40", "N51"))
"""Blocks whose title in ICD-10 names the organs of one sex, or pregnancy; chosen here: authored, unreviewed."""
_FEMALE_SNOMED = frozenset({"72892002", "10383002", "714812005", "386394001"})
"""Normal pregnancy; counselling for, induction of, care after its termination (synthea_fhir_r4/code_inventory)."""


class Plausibility(Check):
    """Possible values and ages, reference limits, sums and their parts, and what a sex excludes."""

    def __init__(self, options: QualityOptions) -> None:
        self._tallies = Tallies(options.examples)
        self._most = options.examples
        self._sex: dict[str, str] = {}
        self._changes: dict[str, str] = {}

    def see(self, case: Case) -> None:
        """Take the next case."""
        name, count = case.id, self._tallies.count
        for measure in case.measures:
            analyte, value = measure.analyte, measure.canonical
            if value is not None and (analyte.plausible_min is not None or analyte.plausible_max is not None):
                low, high = analyte.plausible_min, analyte.plausible_max
                outside = (low is not None and value < low) or (high is not None and value > high)
                count("value-range", outside, name, (analyte.name, analyte.en))
        for event in case.events:
            if event.low is not None and event.high is not None:
                count("reference-range", event.low > event.high, name)
        for values in together(case).values():
            for whole, holds, part, title in ORDERS:
                if whole in values and part in values:
                    count("value-order", not holds(values[whole], values[part]), name, title)
        patient = case.row.record.patient
        if patient.age is not None:
            count("age-range", not 0 <= patient.age <= OLDEST, name)
        if patient.sex is not None:
            count("sex-conflict", _contradicts(case), name)
            subject = case.row.record.subject
            if subject is not None and self._sex.setdefault(subject, patient.sex) != patient.sex:
                self._changes.setdefault(subject, name)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        for subject in self._sex:
            self._tallies.count("sex-changes", subject in self._changes, self._changes.get(subject, ""))
        yield from self._tallies.outcomes(
            ("value-range", "reference-range", "value-order", "age-range", "sex-conflict", "sex-changes")
        )


def _contradicts(case: Case) -> bool:
    patient = case.row.record.patient
    codes = [event.code for event in case.events if event.kind in ("condition", "procedure")]
    codes += [finding.code for finding in case.row.record.findings if finding.state == "present"]
    if patient.sex == "male":
        stated = patient.pregnant or patient.lactating or patient.gestation_weeks is not None
        return bool(stated) or any(_of(code, _FEMALE_ICD10, _FEMALE_SNOMED) for code in codes)
    return any(_of(code, _MALE_ICD10, frozenset()) for code in codes)


def _of(code: Code, blocks: tuple[tuple[str, str], ...], snomed: frozenset[str]) -> bool:
    if code.system == "snomedct":
        return code.value in snomed
    if code.system.startswith("icd10-") and is_icd10(code.value):
        category = code.value.strip()[:3].upper()
        return any(first <= category <= last for first, last in blocks)
    return False
