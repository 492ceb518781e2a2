"""The whole reading: bounds, merging, implication, and that nothing in makes it fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xinglin.terms
from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.terms.coding import code
from xinglin.terms.mention import Reading
from xinglin.terms.reading import MAX_CHARACTERS, read
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient

NOTE = (
    "患者男,58岁,2小时前无明显诱因突发压榨样胸痛,伴大汗、恶心,无发热、咳嗽、咯血。既往高血压病史10年,否认"
    "糖尿病、冠心病史。"
    "吸烟30年。体温36.5℃,血压150/90mmHg,心率98次/分,肌钙蛋白 0.8ng/mL↑。父亲死于心梗。"
)


def states(reading: Reading) -> dict[str, str]:
    return {f.code.display: f.state for f in reading.findings}


def test_a_note(vocabulary: Vocabulary) -> None:
    reading = read(NOTE, vocabulary)
    got = states(reading)
    present = [
        "压榨性胸痛",
        "胸痛",
        "大汗",
        "恶心",
        "高血压史",
        "吸烟",
        "血压升高",
        "肌钙蛋白升高",
        "冠心病家族史",
    ]
    absent = ["发热", "高热", "咳嗽", "干咳", "咯血", "糖尿病史", "冠心病史", "心动过速", "低血压"]
    assert {name: got.get(name) for name in present} == dict.fromkeys(present, "present")
    assert {name: got.get(name) for name in absent} == dict.fromkeys(absent, "absent")
    assert (reading.patient.age, reading.patient.sex) == (58, "male")
    crushing = next(f for f in reading.findings if f.code.display == "压榨性胸痛")
    assert (crushing.time, reading.text[slice(*crushing.span or (0, 0))]) == ("PT2H", "压榨样胸痛")
    assert reading.problems == ()


def test_one_finding_a_concept(vocabulary: Vocabulary) -> None:
    reading = read(NOTE + NOTE, vocabulary)
    assert len(states(reading)) == len(reading.findings)


def test_implied_parents_are_derived(vocabulary: Vocabulary) -> None:
    found = {f.code.display: f for f in read("压榨样胸痛", vocabulary).findings}
    assert (found["胸痛"].state, found["胸痛"].origin) == ("present", "derived")


def test_an_absent_parent_denies_its_children(vocabulary: Vocabulary) -> None:
    found = {f.code.display: f for f in read("无胸痛", vocabulary).findings}
    assert (found["压榨性胸痛"].state, found["压榨性胸痛"].origin) == ("absent", "derived")
    assert "压榨性胸痛" not in states(read("胸痛已消失", vocabulary))


@pytest.mark.parametrize("text", ["有胸痛,无胸痛", "chest pain. No chest pain.", "发热。否认发热"])
def test_contradiction_is_unknown_and_said(text: str, vocabulary: Vocabulary) -> None:
    reading = read(text, vocabulary)
    assert reading.findings[0].state == "unknown"
    assert [p.kind for p in reading.problems] == ["contradiction"]


def test_time_separates_what_would_contradict(vocabulary: Vocabulary) -> None:
    reading = read("发热3天,发热已退", vocabulary)
    assert states(reading)["发热"] == "present"
    assert reading.problems == ()


def test_a_parent_denied_and_its_child_stated(vocabulary: Vocabulary) -> None:
    reading = read("无胸痛,有压榨样胸痛", vocabulary)
    assert states(reading)["压榨性胸痛"] == "present"
    assert states(reading)["胸痛"] == "unknown"
    assert [p.kind for p in reading.problems] == ["contradiction"]


def test_a_measurement_outweighs_a_statement(vocabulary: Vocabulary) -> None:
    reading = read("无发热,体温39.5℃", vocabulary)
    fever = next(f for f in reading.findings if f.code.display == "发热")
    assert (fever.state, fever.value, fever.unit, fever.origin) == ("present", 39.5, "℃", "vital")
    assert [p.kind for p in reading.problems] == ["contradiction"]


def test_a_normal_value_today_does_not_unsay_an_illness(vocabulary: Vocabulary) -> None:
    fever = next(f for f in read("发热3天,现体温36.8℃", vocabulary).findings if f.code.display == "发热")
    assert (fever.state, fever.time, fever.value) == ("present", "P3D", None)


def test_the_caller_knows_the_patient(vocabulary: Vocabulary) -> None:
    as_man = read("血红蛋白120g/L", vocabulary, patient=Patient(age=40, sex="male"))
    as_woman = read("血红蛋白120g/L", vocabulary, patient=Patient(age=40, sex="female"))
    assert states(as_man)["血红蛋白降低"] == "present"
    assert states(as_woman)["血红蛋白降低"] == "absent"


def test_past_complaints_are_marked(vocabulary: Vocabulary) -> None:
    found = {f.code.display: f for f in read("既往胸痛,本次头晕", vocabulary).findings}
    assert (found["胸痛"].state, found["胸痛"].time) == ("unknown", "past")
    assert found["头晕"].state == "present"


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u3000", "\x00\x01"])
def test_empty_text_is_refused(text: str, vocabulary: Vocabulary) -> None:
    with pytest.raises(InvalidInputError, match="请输入"):
        read(text, vocabulary)


def test_a_text_too_long_is_refused(vocabulary: Vocabulary) -> None:
    assert read("胸" * MAX_CHARACTERS, vocabulary)
    with pytest.raises(InputTooLargeError, match="20000"):
        read("胸" * (MAX_CHARACTERS + 1), vocabulary)


def test_not_a_text_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(InvalidInputError, match="bytes"):
        read(b"chest pain", vocabulary)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["У меня болит голова", "頭が痛い。" * 0 + "ปวดหัว", "12345", "今天天气不错", "hello there"]
)
def test_nothing_recognised_is_said(text: str, vocabulary: Vocabulary) -> None:
    reading = read(text, vocabulary)
    assert reading.findings == ()
    assert [p.kind for p in reading.problems] == ["no_term"]
    assert "no medical term recognised" in reading.problems[0].en


def test_invalid_characters_are_replaced_and_said(vocabulary: Vocabulary) -> None:
    reading = read("胸痛\ud800,\x07发热", vocabulary)
    assert states(reading) == {"胸痛": "present", "发热": "present"}
    assert reading.text.encode("utf-8")
    assert [p.kind for p in reading.problems] == ["characters"]


PIECES = [
    "胸痛", "发热", "无", "没有", "否认", "、", ",", "。", "但", "有", "父亲", "如果", "3天", "体温39.5℃",
    "BP 80/50", "WBC 15.2", "↑", "(", ")",
    "-", "+", "no ", "fever ", "denies ", "and ", "but ", "?", "\n", "\t", "|", "白细胞", "12", "已消失",
    "既往", "可能", "不", "岁", "男", "孕", "周",
    "对", "过敏", "青霉素", "服用", "家族史", "史", "<", "10^9/L", "3.5-9.5", "阳性", "头", "痛", "很",
    "\ud800", "\u3000", "é", "👍", "٣",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map("".join) | st.text(max_size=120))
def test_any_text_is_read_or_refused_and_spans_hold(vocabulary: Vocabulary, text: str) -> None:
    try:
        reading = read(text, vocabulary)
    except XinglinError:
        return
    assert len(reading.text) == len(text)
    for item in (*reading.mentions, *reading.quantities, *reading.findings, *reading.problems):
        if item.span is not None:
            start, end = item.span
            assert 0 <= start < end <= len(text)
            assert reading.text[start:end].strip()
    assert len({f.code for f in reading.findings}) == len(reading.findings)
    assert read(text, vocabulary) == reading


def test_hostile_text_takes_no_time(vocabulary: Vocabulary) -> None:
    """Repeats that make a careless regular expression explode; the suite's time limit is the oracle."""
    pieces = [
        "无发热、",
        "(",
        "9",
        "的",
        "3天",
        "等",
        "胸痛,",
        "no ",
        "- ",
        "1-",
        "有",
        "a",
        " ",
        "父亲",
        "/",
        "体温",
        "\n",
        "白细胞\n",
        "|",
        "孕",
    ]
    draw = random.Random(0)
    for piece in pieces:
        assert read("胸痛" + piece * ((MAX_CHARACTERS - 2) // len(piece)), vocabulary)
    assert read("".join(draw.choice(pieces + PIECES[:-5]) for _ in range(5000))[:MAX_CHARACTERS], vocabulary)


def test_code_lists_mentions_and_values(vocabulary: Vocabulary) -> None:
    coded = code("无发热,胸痛3天,BP 80/50mmHg,考虑心梗", vocabulary)
    got = [(c.code.display, c.state, c.value) for c in coded]
    assert got == [
        ("发热", "absent", None), ("胸痛", "present", None), ("低血压", "present", 80), ("舒张压", "unknow"
        "n", 50),
        ("急性心肌梗死", "unknown", None),
    ]  # fmt: skip
    only = code("胸痛,考虑心梗", vocabulary, system="xinglin-disease")
    assert [c.code.value for c in only] == ["acute-myocardial-infarction"]
    for item in coded:
        assert item.text
    with pytest.raises(XinglinError, match="xinglin-disease"):
        code("胸痛", vocabulary, system="nonsense")


def test_the_doors_open_lazily() -> None:
    assert xinglin.terms.read is read
    assert {"read", "code", "load_vocabulary"} <= set(xinglin.terms.__all__)
    for door in xinglin.terms.__all__:
        assert getattr(xinglin.terms, door) is not None
    with pytest.raises(AttributeError, match="doors"):
        _ = xinglin.terms.nonsense


def test_the_starter_vocabulary_reads() -> None:
    assert states(read("胸痛3天,无发热"))["胸痛"] == "present"
