"""What the model goes by over a data set: the numbers are those of the single cases, and what is left out is said."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain import explain
from xinglin.apps.diagnosis.explain_cases import explain_cases
from xinglin.apps.diagnosis.remember import remember_cohort
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.explain.cohort import Cohort, as_json
from xinglin.explain.cohort_page import cohort_page
from xinglin.ledger import entries, verify
from xinglin.store import Store
from xinglin.types import Patient, Record

NOTES = ("胸痛,大汗", "胸痛,气促", "患者女性,70岁,胸痛,咳嗽", "咳嗽,发热", "发热,咳嗽,咳痰")
RECORDS = [
    *(
        Record(f"r{i}", text=note, patient=Patient(sex="male", age=30.0 + 20 * i))
        for i, note in enumerate(NOTES)
    ),
    Record("empty"),
    Record("long", text="胸痛" * 20_000),
]


@pytest.fixture(scope="module")
def cohort(differential: Differential) -> Cohort:
    return explain_cases(differential, RECORDS, source="<b>five</b>.jsonl", digest="ab" * 32, checked=7)


def test_its_points_are_those_of_the_cases(differential: Differential, cohort: Cohort) -> None:
    assert cohort.overview.cases == 5
    alone = []
    for note, record in zip(NOTES, RECORDS, strict=False):
        found = explain(differential, note, patient=record.patient, method="permutation").attribution
        assert found is not None
        alone += [v for unit, v in zip(found.units, found.values, strict=True) if unit.name == "胸痛"]
    assert len(alone) == 3
    np.testing.assert_allclose(cohort.overview.points["胸痛"], alone, atol=1e-12)
    assert cohort.method == "permutation"


def test_what_is_left_out_is_counted_by_reason(cohort: Cohort) -> None:
    assert cohort.left_out == {"nothing to explain": 1, "too long": 1}
    assert sum(cohort.class_cases.values()) == 5


def test_subgroups_are_of_header_and_note(cohort: Cohort) -> None:
    groups = {(group.grouping, group.value): group.cases for group in cohort.overview.subgroups}
    # The header wins over the note: all are male, aged 30, 50, 70, 90 and 110.
    assert groups == {
        ("性别", "男"): 5,
        ("年龄段", "65岁以上"): 3,
        ("年龄段", "18-44岁"): 1,
        ("年龄段", "45-64岁"): 1,
    }
    assert cohort.stated == {"性别": 5, "年龄段": 5}


def test_the_checks_are_of_the_drawn_cases(cohort: Cohort) -> None:
    assert cohort.trust is not None
    by_name = {check.name: check for check in cohort.trust.checks}
    assert cohort.trust.passed.n == 5
    gain, value, chance = (by_name["deletion"].gain, by_name["deletion"].value, by_name["deletion"].chance)
    assert gain is not None
    assert chance is not None
    assert gain.value == pytest.approx(chance - value.value)
    assert by_name["deletion"].failed == (gain.value < 0)


def test_one_disease_in_every_case(differential: Differential) -> None:
    found = explain_cases(differential, RECORDS[:3], source="x", target="肺栓塞", checked=0)
    assert found.target == ("肺栓塞", "pulmonary embolism")
    assert found.class_cases == {"肺栓塞": 3}
    assert found.trust is None
    with pytest.raises(UnknownNameError):
        explain_cases(differential, RECORDS[:3], source="x", target="没有这个病")


def test_nothing_to_explain_is_refused(differential: Differential) -> None:
    with pytest.raises(InvalidInputError, match="none of 1"):
        explain_cases(differential, [Record("empty")], source="x")
    with pytest.raises(InvalidInputError, match="expected auto, exact"):
        explain_cases(differential, RECORDS, source="x", method="magic")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="--engine model"):
        explain_cases(differential, RECORDS, source="x", method="gradients")


def test_progress_can_stop_it(differential: Differential) -> None:
    class StopError(Exception):
        pass

    seen = []

    def report(done: int, of: int) -> None:
        seen.append((done, of))
        if done == 2:
            raise StopError

    with pytest.raises(StopError):
        explain_cases(differential, RECORDS, source="x", checked=0, report=report)
    assert seen == [(1, 7), (2, 7)]


@pytest.mark.parametrize("lang", ["zh", "en", "both"])
def test_the_page(cohort: Cohort, lang: str) -> None:
    pytest.importorskip("matplotlib")
    html = cohort_page(cohort, lang)  # type: ignore[arg-type]
    assert html.startswith("<!DOCTYPE html>")
    assert "<b>five</b>" not in html
    assert "&lt;b&gt;five" in html
    assert "<script" not in html
    words = {"zh": ("胸痛", "未经注册", "性别"), "en": ("chest pain", "Not registered", "65 years and over")}
    shown = words["zh"] + words["en"] if lang == "both" else words[lang]
    for word in shown:
        assert word in html, word
    if lang == "en":
        assert "男" not in html


def test_it_is_plain_data_and_leaves_digests_in_the_ledger(store: Store, cohort: Cohort) -> None:
    told = json.dumps(as_json(cohort), ensure_ascii=False, allow_nan=False)
    assert json.loads(told)["overview"]["cases"] == 5
    remember_cohort(store, cohort, actor="t")
    with store.read() as connection:
        (entry,) = list(entries(connection))
        assert verify(connection) == 1
    assert entry.action == "explain.data"
    assert cohort.digest not in json.dumps([entry.subjects, entry.detail])
