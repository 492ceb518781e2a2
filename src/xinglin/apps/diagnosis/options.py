"""Management options checked against the patient: a check without a row reads *not checked*."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from xinglin.errors import VocabularyError
from xinglin.graph.knowledge import Contraindication, Option
from xinglin.types import Patient

CHECKS = ("age", "pregnancy", "allergy", "renal", "drug")
Outcome = Literal["avoid", "caution", "clear", "unknown_patient", "not_checked"]
"""``clear``: rows exist, none applies. ``unknown_patient``: rows exist, the patient's fact is not stated."""
_COMPARISON = re.compile(r"(egfr)?\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check of one option."""

    check: str
    outcome: Outcome
    condition: str
    note: str
    source: str


_NOT_CHECKED = {name: Check(name, "not_checked", "", "", "") for name in CHECKS}
NOTHING_CHECKED = tuple(_NOT_CHECKED.values())


@dataclass(frozen=True, slots=True)
class CheckedOption:
    """An option with the result of each of the five checks."""

    option: Option
    checks: tuple[Check, ...]

    @property
    def worst(self) -> Outcome:
        """The most restrictive outcome."""
        order: tuple[Outcome, ...] = ("avoid", "caution", "unknown_patient", "not_checked", "clear")
        return min((check.outcome for check in self.checks), key=order.index)


def check_option(
    option: Option,
    rows: Iterable[Contraindication],
    patient: Patient,
    drug_classes: Mapping[str, tuple[str, ...]],
) -> CheckedOption:
    """Check one option against one patient.

    Args:
        option: from the graph.
        rows: contraindications of that option.
        patient: header of the case.
        drug_classes: stated drug or allergen -> its classes.
    """
    by_check: dict[str, list[Contraindication]] = {}
    for row in rows:
        by_check.setdefault(row.check, []).append(row)
    if not by_check:
        return CheckedOption(option, NOTHING_CHECKED)
    checks = []
    for name in CHECKS:
        relevant = by_check.get(name, [])
        if not relevant:
            checks.append(_NOT_CHECKED[name])
            continue
        verdicts = [(_applies(row, patient, drug_classes), row) for row in relevant]
        applying = [row for verdict, row in verdicts if verdict]
        if applying:
            row = min(applying, key=lambda item: item.level != "avoid")
            checks.append(Check(name, row.level, row.condition, row.note, row.provenance.source))
        elif any(verdict is None for verdict, _ in verdicts):
            row = relevant[0]
            checks.append(Check(name, "unknown_patient", row.condition, row.note, row.provenance.source))
        else:
            checks.append(Check(name, "clear", "", "", relevant[0].provenance.source))
    return CheckedOption(option, tuple(checks))


def _applies(
    row: Contraindication, patient: Patient, drug_classes: Mapping[str, tuple[str, ...]]
) -> bool | None:
    """Whether a row applies; ``None`` when the patient's fact is not stated."""
    if row.check == "age":
        return _compare(row, patient.age)
    if row.check == "renal":
        return _compare(row, patient.egfr)
    if row.check == "pregnancy":
        if row.condition.startswith("lactat"):
            return patient.lactating
        if patient.sex == "male":
            return False
        if patient.pregnant is None and patient.age is not None and not 10 <= patient.age <= 55:
            return False
        return patient.pregnant
    stated = patient.allergies if row.check == "allergy" else patient.drugs
    if stated is None:
        return None
    groups = {name for item in stated for name in (item, *drug_classes.get(item, ()))}
    if row.condition in groups:
        return True
    # A name that the vocabulary does not know may belong to any class.
    return False if all(item in drug_classes for item in stated) else None


def _compare(row: Contraindication, value: float | None) -> bool | None:
    match = _COMPARISON.fullmatch(row.condition.strip().lower())
    if match is None:
        raise VocabularyError(
            f"{row.option}: {row.check} condition must read like <18 or egfr<30, got {row.condition!r}"
        )
    if value is None:
        return None
    number = float(match.group(3))
    return {">=": value >= number, "<=": value <= number, ">": value > number, "<": value < number}[
        match.group(2)
    ]
