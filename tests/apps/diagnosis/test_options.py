from __future__ import annotations

import pytest

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.medicines import check_medicine
from xinglin.apps.diagnosis.options import check_option
from xinglin.errors import VocabularyError
from xinglin.graph.knowledge import Contraindication, Option, Provenance
from xinglin.types import Patient

SOURCE = Provenance("authored, unreviewed", False, None)
OPTION = Option("病", "青霉素类抗生素", "penicillins", "medication_class", "", "", SOURCE)
CLASSES = {"阿莫西林": ("青霉素类",), "华法林": ("抗凝药",)}


def row(check: str, condition: str, level: str = "avoid") -> Contraindication:
    return Contraindication("青霉素类抗生素", check, condition, level, "", SOURCE)  # type: ignore[arg-type]


def outcome(check: str, rows: list[Contraindication], patient: Patient) -> str:
    checked = check_option(OPTION, rows, patient, CLASSES)
    return next(item.outcome for item in checked.checks if item.check == check)


@pytest.mark.parametrize(
    ("check", "condition", "patient", "expected"),
    [
        ("allergy", "青霉素类", Patient(allergies=("阿莫西林",)), "avoid"),
        ("allergy", "青霉素类", Patient(allergies=()), "clear"),
        ("allergy", "青霉素类", Patient(), "unknown_patient"),
        ("drug", "抗凝药", Patient(drugs=("华法林",)), "avoid"),
        ("drug", "抗凝药", Patient(drugs=("阿莫西林",)), "clear"),
        ("age", "<18", Patient(age=17.9), "avoid"),
        ("age", "<18", Patient(age=18), "clear"),
        ("age", "<0.5", Patient(age=0.3), "avoid"),
        ("age", ">=65", Patient(), "unknown_patient"),
        ("renal", "egfr<30", Patient(egfr=29), "avoid"),
        ("renal", "egfr<30", Patient(egfr=30), "clear"),
        ("renal", "egfr<30", Patient(), "unknown_patient"),
        ("pregnancy", "pregnant", Patient(pregnant=True), "avoid"),
        ("pregnancy", "pregnant", Patient(pregnant=False), "clear"),
        ("pregnancy", "pregnant", Patient(sex="male"), "clear"),
        ("pregnancy", "pregnant", Patient(sex="female", age=30), "unknown_patient"),
        ("pregnancy", "pregnant", Patient(sex="female", age=80), "clear"),
    ],
)
def test_a_row_against_a_patient(check: str, condition: str, patient: Patient, expected: str) -> None:
    assert outcome(check, [row(check, condition)], patient) == expected


def test_a_check_without_a_row_is_not_checked_and_the_worst_wins() -> None:
    checked = check_option(OPTION, [row("age", "<18")], Patient(age=40), CLASSES)
    assert {item.check: item.outcome for item in checked.checks} == {
        "age": "clear",
        "pregnancy": "not_checked",
        "allergy": "not_checked",
        "renal": "not_checked",
        "drug": "not_checked",
    }
    both = [row("age", "<18", "caution"), row("age", "<12", "avoid")]
    assert outcome("age", both, Patient(age=5)) == "avoid"
    assert outcome("age", both, Patient(age=15)) == "caution"


def test_a_broken_condition_is_named() -> None:
    with pytest.raises(VocabularyError, match="must read like"):
        outcome("age", [row("age", "young")], Patient(age=3))


def test_every_row_of_the_graph_can_be_checked(differential: Differential) -> None:
    patients = (
        Patient(),
        Patient(age=0.05, sex="female", pregnant=False, allergies=(), drugs=(), egfr=90, lactating=False),
        Patient(
            age=30,
            sex="female",
            pregnant=True,
            allergies=("阿莫西林",),
            drugs=("华法林",),
            egfr=20,
            lactating=True,
        ),
    )
    known = {name for drug in differential.vocabulary.drugs.values() for name in (drug.name, *drug.classes)}
    options = differential.knowledge.options
    assert len(options) > 1000
    for option in options:
        for patient in patients:
            check_option(
                option,
                differential.contraindications.get(option.option, ()),
                patient,
                differential.drug_classes,
            )
    unknown = {
        item.condition
        for item in differential.knowledge.contraindications
        if item.check in ("allergy", "drug") and item.condition not in known
    }
    assert unknown == set()


def test_a_named_medicine_against_its_class(differential: Differential) -> None:
    found = check_medicine(differential, "阿莫西林胶囊", Patient(allergies=("青霉素",), age=40))
    assert any("过敏" in item for item in found.warnings)
    silent = check_medicine(differential, "某某丸", Patient())
    assert silent.warnings == ()
    assert len(silent.not_checked) == 5
