"""Every rule finds what is planted, and is silent on what is right; real sets; nothing of a record is told."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.records.fhir import record_from_bundle
from xinglin.records.quality import QualityOptions, QualityReport, Row, assess, page
from xinglin.records.quality.conformance import valid_loinc
from xinglin.records.quality.row import Unreadable, day_of
from xinglin.records.quality.rules import RULES
from xinglin.types import Code, Event, Finding, Patient, Record

TODAY = date(2026, 1, 1)
QUICK = QualityOptions(today=TODAY, near_duplicates=False, read_texts=0)


def named(name: str, value: float, unit: str | None, time: str | None = "2020-05-01", **more: Any) -> Event:
    return Event(Code("text", name, name), value, unit, time, **more)


def coded(system: str, value: str, kind: str = "condition", time: str | None = "2020-05-01") -> Event:
    return Event(Code(system, value, value), time=time, kind=kind)


def good(number: int) -> Record:
    """A record that breaks no rule."""
    sex = "female" if number % 2 else "male"
    events = (
        named("体重", 70.0, "kg"),
        named("身高", 175.0, "cm"),
        named("体重指数", 22.857, "kg/m2", low=18.5, high=23.9),
        named("收缩压", 120.0 + number % 20, "mm[Hg]"),
        named("舒张压", 80.0, "mmHg"),
        Event(Code("loinc", "2339-0", "Glucose"), 100.0, "mg/dL", "2020-05-01T08:00:00Z"),
        Event(Code("loinc", "19926-5", "FEV1/FVC"), 80.0, "%", "2020-05"),
        coded("icd10-who", "I10"),
        coded("snomedct", "59621000", time="2015"),
    )
    return Record(
        f"r{number}", f"s{number}", f"第{number}位患者因胸痛{number}天就诊,编号{number * 7919}。",
        Patient(age=50 + number % 20, sex=sex), events,
        (Finding(Code("xinglin", "chest-pain", "胸痛"), "present", time="P3D"),),
    )  # fmt: skip


def rows(*planted: Record, n: int = 60) -> list[Row]:
    return [Row(good(number)) for number in range(n)] + [Row(record) for record in planted]


def broken(report: QualityReport, rule: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Item -> (count, examples) of what broke a rule."""
    return {o.item[0]: (o.failed, o.examples) for o in report.outcomes if o.rule.id == rule and o.failed}


def test_a_good_set_fails_nothing() -> None:
    report = assess(rows(), name="good", options=replace(QUICK, near_duplicates=True, near_threshold=0.95))
    assert [outcome.rule.id for outcome in report.outcomes if outcome.status == "fail"] == []
    checked = {outcome.rule.id for outcome in report.outcomes if outcome.checked}
    assert len(checked) >= 20
    assert report.counts["records"] == 60
    assert report.counts["values"] == 7 * 60


Change = Callable[[Record], Record]


def plus(*events: Event) -> Change:
    return lambda record: replace(record, events=(*record.events, *events))


def patient(**values: Any) -> Change:
    return lambda record: replace(record, patient=replace(record.patient, **values))


PLANTED: list[tuple[str, Change, str]] = [
    ("empty-record", lambda record: Record(record.id, record.subject, " "), ""),
    ("missing-unit", plus(named("心率", 80, None)), ""),
    ("missing-time", plus(coded("icd10-who", "J18", time=None)), "诊断"),
    ("code-system", plus(coded("my-codes", "1")), ""),
    ("code-shape", plus(coded("icd10-who", "1I0")), "世界卫生组织 ICD-10"),
    ("code-shape", plus(coded("snomedct", "59621001")), "SNOMED CT"),
    ("code-shape", plus(coded("loinc", "2339-1")), "LOINC"),
    ("code-shape", plus(coded("hpo", "HP:12")), "人类表型本体"),
    ("unit-of-analyte", plus(named("血钾", 4.0, "mg/dL")), "血钾"),
    ("unit-unknown", plus(Event(Code("text", "某项", "某项"), 4.0, "blobs/moon", "2020-05-01")), ""),
    ("date-format", plus(coded("icd10-who", "J18", time="2020/05/01")), ""),
    ("date-format", plus(coded("icd10-who", "J18", time="2020-02-30")), ""),
    ("computed", plus(named("体重", 70, "kg", "2021-01-01"), named("身高", 1.75, "m", "2021-01-01"),
                      named("体重指数", 35, "kg/m2", "2021-01-01")), "体重指数"),
    ("computed", plus(named("总蛋白", 70, "g/L"), named("白蛋白", 40, "g/L"), named("球蛋白", 60, "g/L")), "球蛋白"),
    ("repeated-event", plus(named("体重", 70.0, "kg")), ""),
    ("value-range", plus(named("血钾", 40.0, "mmol/L")), "血钾"),
    ("value-range", plus(named("血糖值", 100000.0, "mg/dL")), "血糖值"),
    ("value-range", plus(named("体温", 98.6, "℃")), "体温"),
    ("reference-range", plus(named("血钾", 4.0, "mmol/L", low=5.5, high=3.5)), ""),
    ("age-range", patient(age=200.0), ""),
    ("sex-conflict", patient(sex="male", pregnant=True), ""),
    ("sex-conflict", lambda r: plus(coded("icd10-who", "O80.0"))(patient(sex="male")(r)), ""),
    ("sex-conflict", lambda r: plus(coded("icd10-cm", "C61"))(patient(sex="female")(r)), ""),
    ("sex-conflict", lambda r: plus(coded("snomedct", "72892002"))(patient(sex="male")(r)), ""),
    ("value-order", plus(named("收缩压", 70, "mmHg", "2021-01-01"), named("舒张压", 90, "mmHg", "2021-01-01")),
     "收缩压高于舒张压"),
    ("future", plus(coded("icd10-who", "J18", time="2031-05-01")), ""),
    ("before-birth", plus(coded("icd10-who", "J18", time="1899-12-31")), ""),
    ("before-birth", lambda r: plus(coded("icd10-who", "J18", time="2010-05-01"))(patient(age=3.0)(r)), ""),
    ("after-death", plus(coded("loinc", "69453-9", "observation", "2018-01-01"), coded("icd10-who", "J18")), ""),
    ("duration", lambda r: replace(patient(age=3.0)(replace(r, events=())), findings=(
        Finding(Code("xinglin", "cough", "咳嗽"), "present", time="P10Y"),)), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "change", "item"), PLANTED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_planted_defect_is_found_where_it_lies(rule: str, change: Change, item: str) -> None:
    report = assess(rows(change(replace(good(60), id="planted"))), name="x", options=QUICK)
    found = broken(report, rule)
    assert item in found, found
    assert "planted" in found[item][1]
    clean = broken(assess(rows(), name="x", options=QUICK), rule)
    assert item not in clean


def test_every_rule_is_planted_somewhere_here() -> None:
    elsewhere = {
        *(
            "missing-field",
            "uncoded",
            "unread-text",
            "unreadable",
            "record-id",
            "subject-crosses",
            "part-missing",
        ),
        *(
            "copied-record",
            "near-duplicate",
            "text-crosses",
            "sex-changes",
            "drift",
            "text-drift",
            "small-group",
        ),
        *("shortcut", "age-and-dates"),
    }
    assert {rule for rule, _, _ in PLANTED} | elsewhere == set(RULES)


def test_ids_subjects_and_parts() -> None:
    twice = replace(good(5), text="另一条完全不同的文字记录")
    listed = [Row(good(number), part="train" if number % 2 else "test") for number in range(40)]
    listed += [Row(twice, part="train" if 5 % 2 == 0 else "test"), Row(replace(good(99), id="lost"))]
    report = assess([*listed, Unreadable("a.jsonl line 7")], name="x", options=QUICK)
    assert broken(report, "record-id") == {"": (1, ("r5",))}
    assert broken(report, "subject-crosses") == {"": (1, ("r5",))}
    assert broken(report, "part-missing") == {"": (1, ("lost",))}
    assert broken(report, "unreadable") == {"": (1, ("a.jsonl line 7",))}
    # Without a split nothing is said of one.
    none = assess(rows(), name="x", options=QUICK)
    assert {
        o.rule.id for o in none.outcomes if o.rule.id in ("part-missing", "subject-crosses") and o.checked
    } == set()


def test_copies_and_near_duplicates_across_parts() -> None:
    base = "患者三天前无明显诱因出现胸痛,呈压榨样,向左肩放射,伴大汗,休息后不缓解,既往高血压病史十年。"
    copied = replace(good(3), id="copy", subject="other")
    near = [Record(f"n{i}", f"n{i}", base + f"第{i}次。") for i in range(2)]
    listed = [Row(good(number), part="train") for number in range(40)]
    listed += [Row(copied, part="train"), Row(near[0], part="train"), Row(near[1], part="test")]
    report = assess(listed, name="x", options=replace(QUICK, near_duplicates=True))
    assert broken(report, "copied-record") == {"": (1, ("copy",))}
    assert "copy" in broken(report, "near-duplicate")[""][1]
    assert "n1" in broken(report, "near-duplicate")[""][1]
    assert broken(report, "text-crosses") == {"": (2, ("n0", "n1"))}


def test_one_subject_over_several_records() -> None:
    first = Record(
        "a", "s", "x", Patient(age=40.0, sex="male"), (coded("icd10-who", "J18", time="2010-01-01"),)
    )
    again = replace(first, id="b", patient=Patient(age=50.0, sex="male"))
    later = replace(again, events=(coded("icd10-who", "J18", time="2020-01-01"),))
    right = assess([Row(first), Row(later)], name="x", options=QUICK)
    assert broken(right, "age-and-dates") == broken(right, "sex-changes") == {}
    wrong = assess(
        [Row(first), Row(replace(again, patient=Patient(age=50.0, sex="female")))], name="x", options=QUICK
    )
    assert broken(wrong, "age-and-dates") == {"": (1, ("b",))}
    assert broken(wrong, "sex-changes") == {"": (1, ("b",))}


def test_missing_fields_codes_and_texts() -> None:
    bare = [Record(f"b{i}", None, "你好" if i % 2 else "胸痛3天,大汗,心电图ST段抬高") for i in range(40)]
    events = (named("某项", 1.0, "g"), coded("icd10-who", "J18"))
    listed = [Row(record) for record in bare] + [Row(Record("c", "c", "头晕", Patient(age=5), events))]
    report = assess(listed, name="x", options=replace(QUICK, read_texts=100))
    missing = {o.item[1]: (o.failed, o.checked) for o in report.outcomes if o.rule.id == "missing-field"}
    assert missing["subject"] == (40, 41)
    assert missing["age"] == (40, 41)
    assert missing["text"] == (0, 41)
    assert "site" not in missing
    assert broken(report, "uncoded")["检查检验"][0] == 1
    (unread,) = [o for o in report.outcomes if o.rule.id == "unread-text"]
    assert (unread.failed, unread.checked) == (20, 41)


def heart(data: Path) -> Iterator[Row]:
    """The four hospitals of the UCI heart disease sets."""
    columns = (("trestbps", "收缩压", "mmHg"), ("chol", "总胆固醇", "mg/dL"), ("thalach", "心率", "/min"))
    for path in sorted((data / "text" / "fed-heart-disease").glob("*.csv")):
        with path.open(encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines)):
                events = tuple(named(name, float(row[c]), unit) for c, name, unit in columns if row[c] != "?")
                sex = "male" if float(row["sex"]) == 1 else "female"
                record = Record(
                    f"{path.stem}-{number}", None, "", Patient(age=float(row["age"]), sex=sex), events
                )
                yield Row(record, path.stem, "yes" if row["num"] != "0" else "no")


def test_four_hospitals_drift_as_is_known_of_them(data: Path) -> None:
    """Switzerland wrote 0 for every cholesterol; VA treated men; prevalence runs from 36 % to 93 %."""
    report = assess(heart(data), name="heart", options=QUICK)
    assert broken(report, "value-range")["总胆固醇"][0] == 172
    found = {(drift.field[1], drift.site) for drift in report.drifts if drift.found}
    assert {
        ("total cholesterol", "switzerland"),
        ("sex", "va"),
        ("label", "switzerland"),
        ("label", "hungarian"),
    } <= found
    site = next(item for item in report.dependences if item.grouping[1] == "site")
    assert site.found
    assert site.v == pytest.approx(0.41, abs=0.02)
    balance = {item.grouping[1]: item.counts for item in report.balances}
    assert balance["site"] == {"cleveland": 303, "hungarian": 294, "va": 200, "switzerland": 123}
    assert list(balance["age band"]) == ["18–44", "45–59", "60–74", "≥75"]


@pytest.mark.slow
def test_sites_dealt_at_random_do_not_drift(data: Path) -> None:
    """Ten deals of the same records; at alpha 0.05 three alarms or more would come by chance once in a hundred runs."""
    pooled = list(heart(data))
    alarms = 0
    for seed in range(10):
        sites = np.random.default_rng(seed).integers(0, 4, len(pooled))
        dealt = (replace(row, site=f"s{site}") for row, site in zip(pooled, sites, strict=True))
        alarms += any(drift.adjusted < 0.05 for drift in assess(dealt, name="x", options=QUICK).drifts)
    assert alarms <= 2


def test_text_drift_is_found_and_only_where_it_is(data: Path) -> None:
    path = data / "text" / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        asked = [json.loads(line) for line in lines][::4]
    by_department = [
        Row(Record(str(i), None, row["ask"]), row["department"])
        for i, row in enumerate(asked) if row["department"] in ("肝病科", "神经科")
    ]  # fmt: skip
    assert len(by_department) > 300
    report = assess(by_department, name="x", options=QUICK)
    text = [drift for drift in report.drifts if drift.kind == "text"]
    assert len(text) == 2
    assert all(drift.found for drift in text)
    assert all(drift.effect.value > 0.8 for drift in text)
    shuffled = np.random.default_rng(0).permutation([row.site for row in by_department])
    dealt = [replace(row, site=str(site)) for row, site in zip(by_department, shuffled, strict=True)]
    again = assess(dealt, name="x", options=QUICK)
    assert not any(drift.found for drift in again.drifts)


def test_the_synthetic_hospital(data: Path) -> None:
    """Synthea's codes, units and dates conform; its blood counts are drawn independently and do not compute."""
    path = data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [record_from_bundle(json.loads(line)) for line in lines]
    report = assess(
        [Row(record) for record in records], name="synthea", options=replace(QUICK, today=date(2022, 1, 1))
    )
    statuses = {o.rule.id: o.status for o in report.outcomes if o.checked}
    conform = (
        "code-system",
        "code-shape",
        "unit-of-analyte",
        "unit-unknown",
        "date-format",
        "record-id",
        "before-birth",
    )
    assert {statuses[rule] for rule in conform} == {"pass"}
    assert broken(report, "computed")["平均红细胞体积"][0] > 5
    assert "体重指数" not in broken(report, "computed")


def test_nothing_of_a_record_is_told() -> None:
    secret = "绝密内容XYZZY"
    record = Record(
        "r-secret", f"{secret}-subject", f"{secret} 胸痛",
        Patient(age=300.0, sex="male", pregnant=True, allergies=(secret,)),
        (Event(Code("text", secret, secret), 1.0, f"{secret}/x", "not a date"),
         Event(Code(secret, secret, secret), kind=secret)),
    )  # fmt: skip
    report = assess([*rows(), Row(record), Row(replace(record, id="r-copy"))], name="x", options=replace(
        QUICK, near_duplicates=True, read_texts=100))  # fmt: skip
    told = page(report) + json.dumps(report.as_json(), ensure_ascii=False)
    assert "r-secret" in told
    assert secret not in told
    assert "XYZZY" not in told


def test_the_order_of_the_records_changes_no_count() -> None:
    listed = rows(*(change(replace(good(70 + i), id=f"p{i}")) for i, (_, change, _) in enumerate(PLANTED)))
    first, second = (assess(items, name="x", options=QUICK) for items in (listed, listed[::-1]))
    counts = [
        {(o.rule.id, o.item): (o.failed, o.checked) for o in report.outcomes} for report in (first, second)
    ]
    assert counts[0] == counts[1]


def test_tolerances() -> None:
    listed = rows(*(plus(named("血钾", 40.0, "mmol/L"))(replace(good(i), id=f"p{i}")) for i in range(60, 70)))
    strict = assess(listed, name="x", options=QUICK)
    lenient = assess(listed, name="x", options=replace(QUICK, tolerances={"value-range": 0.9999}))
    demanding = assess(listed, name="x", options=replace(QUICK, tolerances={"missing-field": 0.1}))

    def status(report: QualityReport, rule: str) -> set[str]:
        return {o.status for o in report.outcomes if o.rule.id == rule and o.failed}

    assert status(strict, "value-range") == {"fail"}
    assert status(lenient, "value-range") == {"note"}
    assert status(strict, "missing-field") == {"note"}
    assert status(demanding, "missing-field") == {"fail"}
    with pytest.raises(UnknownNameError, match="no rule 'x'"):
        assess(listed, name="x", options=replace(QUICK, tolerances={"x": 0.1}))
    with pytest.raises(InvalidInputError, match="there is none"):
        assess([], name="x", options=QUICK)


@pytest.mark.parametrize(
    ("text", "day"),
    [("2020", date(2020, 1, 1)), ("2020-05", date(2020, 5, 1)), ("2020-05-31", date(2020, 5, 31)),
     ("2020-05-31T08:00:00+08:00", date(2020, 5, 31)), ("2020-05-31T08:00:00.123Z", date(2020, 5, 31)),
     ("2020-13", None), ("2020-02-30", None), ("31.5.2020", None), ("", None), ("P3D", None), ("0000", None)],
)  # fmt: skip
def test_days(text: str, day: date | None) -> None:
    assert day_of(text) == day


@pytest.mark.parametrize(
    "code", ["2339-0", "8480-6", "718-7", "4544-3", "29463-7", "69453-9", "33914-3", "10834-0"]
)
def test_loinc_check_digits(code: str) -> None:
    assert valid_loinc(code)
    wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
    assert not valid_loinc(wrong)
    assert not valid_loinc(code.replace("-", ""))
