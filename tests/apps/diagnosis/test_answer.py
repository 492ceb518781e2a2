"""The answer as a user meets it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.note import outpatient_note, referral_letter
from xinglin.apps.diagnosis.render import as_json
from xinglin.errors import XinglinError
from xinglin.types import Code, Event, Patient, Record

SEED = "患者男性,58岁,胸痛3天,心电图显示ST段压低"
ISCHAEMIC = {"急性冠脉综合征", "不稳定型心绞痛", "急性心肌梗死"}


def test_the_seed_patient(ask) -> None:  # type: ignore[no-untyped-def]
    given = ask(SEED)
    names = [item["code"]["display"] for item in given["candidates"]]
    assert len(ISCHAEMIC & set(names[:3])) >= 2
    assert set(names) >= ISCHAEMIC
    assert given["triage"] in ("呼叫120", "立即转急诊")
    exams = [item["display"] for item in given["exams"]]
    assert exams[:2] == ["心电图", "肌钙蛋白"]
    assert given["exams"][0]["repeat"]
    assert "复查" in given["exams"][0]["reason"]
    assert "动态" in given["exams"][1]["reason"]
    later = [item["display"] for item in given["exams"] if item["stage"] == "after_negative"]
    assert "冠状动脉CT血管造影" in later
    assert exams.index("冠状动脉CT血管造影") >= len(exams) - len(later)
    for item in given["candidates"]:
        if item["code"]["display"] in ISCHAEMIC - {"急性心肌梗死"}:
            assert "主动脉夹层" in [other["display"] for other in item["exclude_before"]]
    assert not any(item["calibrated"] or item["probability"] for item in given["candidates"])
    spans = {SEED[a:b] for item in given["findings"] if item["span"] for a, b in [item["span"]]}
    assert {"胸痛", "ST段压低"} <= spans


def test_a_suspicion_in_a_stable_patient(ask) -> None:  # type: ignore[no-untyped-def]
    given = ask("若怀疑冠心病")
    assert given["candidates"][0]["code"]["display"] == "冠状动脉粥样硬化性心脏病"
    exams = [item["display"] for item in given["exams"]]
    assert "心电图" in exams[:2]
    assert "冠状动脉CT血管造影" in exams[:4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("男,30岁,发作性头痛2年,伴恶心、畏光、畏声", "偏头痛"),
        ("女,25岁,尿频尿急尿痛2天,无发热", "膀胱炎"),
        ("3岁男孩,发热,手掌脚掌疱疹,口腔疱疹", "手足口病"),
        ("28 yo female, episodic wheeze, worse at night, history of asthma", "哮喘"),
        ("转移性右下腹痛1天,伴发热、恶心,反跳痛", "阑尾炎"),
        ("多饮多尿多食,体重下降,空腹血糖 11.2 mmol/L,男,52岁", "糖尿病"),
    ],
)
def test_common_pictures_lead_to_the_expected_disease(ask, text: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    names = [item["code"]["display"] for item in ask(text)["candidates"]]
    assert any(expected in name for name in names[:3]), names


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("你好", "没有识别到"),
        ("😀😀", "没有识别到"),
        ("无发热,无咳嗽,无胸痛", "否认"),
        ("У меня болит", "没有识别到"),
        ("头痛", "信息不足"),
    ],
)
def test_it_abstains_and_says_why(ask, text: str, part: str) -> None:  # type: ignore[no-untyped-def]
    given = ask(text)
    assert given["abstained"]
    assert part in given["reason"]


def test_an_unknown_vital_sign_never_lowers_triage(ask) -> None:  # type: ignore[no-untyped-def]
    base = ask("胸痛3天,心电图显示ST段压低")["triage_level"]
    for more in ("血压未测", "血压120/80mmHg", "血氧不详", "心率未知"):
        assert ask(f"胸痛3天,心电图显示ST段压低,{more}")["triage_level"] == base


def test_answers_to_questions_win_and_unknown_is_not_asked_again(differential: Differential) -> None:
    first = as_json(differential, answer(differential, gather(differential, "胸痛3天")))
    key = first["question"]["finding"]
    for state in ("present", "absent", "unknown"):
        case = gather(differential, "胸痛3天", answers={key: state})
        assert next(item.state for item in case.findings if item.code.value == key) == state


def test_a_record_counts_like_text(differential: Differential) -> None:
    record = Record(
        "r",
        patient=Patient(age=58, sex="male"),
        events=(
            Event(Code("loinc", "8480-6", "Systolic Blood Pressure"), 78.0, "mm[Hg]", "2024-01-02"),
            Event(Code("loinc", "8480-6", "Systolic Blood Pressure"), 128.0, "mm[Hg]", "2024-01-01"),
            Event(Code("text", "胸痛", "胸痛"), kind="finding", status="present"),
            Event(Code("text", "肌钙蛋白I", "肌钙蛋白I"), 3.2, "ng/mL"),
        ),
    )
    case = gather(differential, "", record)
    assert case.facts.values["收缩压"] == 78.0
    assert {"胸痛", "低血压", "肌钙蛋白升高"} <= case.facts.holds
    given = as_json(differential, answer(differential, case))
    assert given["triage_level"] in ("call_120", "emergency_now")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_note_and_referral(ask, lang: str) -> None:  # type: ignore[no-untyped-def]
    given = ask(SEED, lang)
    note, letter = outpatient_note(SEED, given, lang), referral_letter(SEED, given, lang, clinic="某卫生院")  # type: ignore[arg-type]
    for text in (note, letter):
        assert "I20.0" in text
        assert given["disclaimer"] in text
        assert SEED in text
    assert ("主诉" if lang == "zh" else "Chief complaint") in note
    assert ("胸痛3天" if lang == "zh" else "chest pain3d") in note.replace(" ", "") or lang == "en"
    assert "某卫生院" in letter


def test_english_answers_hold_no_chinese_names(ask) -> None:  # type: ignore[no-untyped-def]
    given = ask("58 year old man, chest pain for 3 days, ST depression on ECG", "en")
    shown = [item["code"]["display"] for item in given["candidates"]]
    shown += [item["display"] for item in given["exams"]] + [flag["display"] for flag in given["red_flags"]]
    assert shown
    assert all(name.isascii() for name in shown), shown


@given(st.text(max_size=200))
@settings(max_examples=120, deadline=None)
def test_any_text_is_answered_or_named(differential: Differential, text: str) -> None:
    try:
        given = as_json(differential, answer(differential, gather(differential, text)))
    except XinglinError:
        return
    assert given["triage_level"] in ("home", "outpatient", "within_24h", "emergency_now", "call_120")
    assert given["abstained"] or given["candidates"]
