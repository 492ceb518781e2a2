"""A named medicine checked against the patient by the same rows as the options."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.header import by_vocabulary
from xinglin.apps.diagnosis.options import check_option
from xinglin.graph.knowledge import Option, Provenance
from xinglin.terms.characters import normalise
from xinglin.types import Patient


@dataclass(frozen=True, slots=True)
class MedicineCheck:
    """What the rows say about one medicine for one patient."""

    name: str
    warnings: tuple[str, ...]
    not_checked: tuple[str, ...]
    """Checks without a row or without the patient's fact, in words."""


def check_medicine(
    differential: Differential, name: str, patient: Patient, lang: w.Lang = "zh"
) -> MedicineCheck:
    """Check a medicine by name.

    A stated allergy to the medicine itself or to one of its classes is always a warning. Beyond that, rows
    are those of the options whose name is the medicine or one of its classes; a check without a row reads
    *not checked*.
    """
    patient, _ = by_vocabulary(patient, differential.vocabulary)
    matches = differential.vocabulary.drug_names.longest(normalise(name))
    drug = matches[0].payload if matches else None
    groups = {name, *((drug.name, *drug.classes) if drug else ())}
    rows = [
        row
        for option, rows_ in differential.contraindications.items()
        if any(group and group in option for group in groups)
        for row in rows_
    ]
    blank = Option("", name, name, "medication_class", "", "", Provenance("", False, None))
    checked = check_option(blank, rows, patient, differential.drug_classes)
    warnings = []
    for allergen in patient.allergies or ():
        if groups & {allergen, *differential.drug_classes.get(allergen, ())}:
            warnings.append(f"{w.say(w.CHECK['allergy'], lang)}: {allergen}")
    silent = []
    for check in checked.checks:
        label = w.say(w.CHECK[check.check], lang)
        if check.outcome in ("avoid", "caution"):
            warnings.append(f"{label}: {w.say(w.OUTCOME[check.outcome], lang)} ({check.condition})")
        elif check.outcome != "clear":
            silent.append(label)
    return MedicineCheck(name, tuple(dict.fromkeys(warnings)), tuple(silent))
