"""What is found in a text, where, and what is left alone."""

from __future__ import annotations

import socket
from itertools import pairwise

import pytest
from benchmarks._deidentify_notes import notes
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.records.deidentify import Span, find_identifiers
from xinglin.records.deidentify.checks import (
    hong_kong,
    identity_15,
    identity_18,
    identity_check,
    luhn,
    taiwan,
)
from xinglin.records.deidentify.fold import fold
from xinglin.records.deidentify.spans import resolve


def found(text: str) -> list[tuple[str, str]]:
    return [(span.entity, text[span.start : span.end]) for span in find_identifiers(text)]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("姓名:高峰 性别:男", "PERSON", "高峰"),
        ("患者王秀兰诉胸痛3天", "PERSON", "王秀兰"),
        ("患者欧阳雪梅,女,34岁", "PERSON", "欧阳雪梅"),
        ("买买提·吐尔逊,男,50岁", "PERSON", "买买提·吐尔逊"),
        ("姓 名:张 三  性 别:男", "PERSON", "张 三"),
        ("患者赵有为自述腹痛", "PERSON", "赵有为"),
        ("请李主任会诊", "PERSON", "李"),
        ("遵王建国主任医师指示", "PERSON", "王建国"),
        ("姓名:笪重光 年龄:60岁", "PERSON", "笪重光"),
        ("Dr. Emily Carter examined her", "PERSON", "Emily Carter"),
        ("Patient: Smith, John A. DOB", "PERSON", "Smith, John A."),
        (
            "身份证号:１１０１０５１９４９１２３１００２Ｘ",
            "ID_NUMBER",
            "１１０１０５１９４９１２３１００２Ｘ",
        ),
        ("身份证号 110105 19491231 002X", "ID_NUMBER", "110105 19491231 002X"),
        ("证件110105491231002登记", "ID_NUMBER", "110105491231002"),
        ("回乡证H12345678", "ID_NUMBER", "H12345678"),
        ("护照号码:E12345678", "ID_NUMBER", "E12345678"),
        ("手机138 0013 8000", "PHONE", "138 0013 8000"),
        ("手机:1380013\n8000", "PHONE", "1380013\n8000"),
        ("致电(0531)88881234转802", "PHONE", "(0531)88881234转802"),
        ("call (217) 555-0123 today", "PHONE", "(217) 555-0123"),
        (
            "家住山东省济南市历下区泉城路180号3号楼501室。",
            "ADDRESS",
            "山东省济南市历下区泉城路180号3号楼501室",
        ),
        ("居住于蓝田县白塔镇前王村8号,务农", "ADDRESS", "蓝田县白塔镇前王村8号"),
        ("at 123 Maple Street, Springfield, IL 62704.", "ADDRESS", "123 Maple Street, Springfield, IL 62704"),
        ("于2023-2-29入院", "DATE", "2023-2-29"),
        ("二〇二三年五月三日", "DATE", "二〇二三年五月三日"),
        ("seen on March 5, 2023 for", "DATE", "March 5, 2023"),
        ("12-Mar-2019", "DATE", "12-Mar-2019"),
        ("祖母93岁,体健", "AGE_OVER_89", "93"),
        ("住院号:ZY20231105", "RECORD_NUMBER", "ZY20231105"),
        ("|床位|+3|", "RECORD_NUMBER", "+3"),
        ("MRN: 00123456", "RECORD_NUMBER", "00123456"),
        ("转入明湖医院治疗", "INSTITUTION", "明湖医院"),
        ("建议转岭医一附院", "INSTITUTION", "岭医一附院"),
        ("admitted to Lakeview Memorial Hospital", "INSTITUTION", "Lakeview Memorial Hospital"),
        ("邮箱zhang.san@163.com,", "EMAIL", "zhang.san@163.com"),
        ("见https://a.example.org/x?id=1。", "URL", "https://a.example.org/x?id=1"),
        ("IP 192.168.1.10", "IP_ADDRESS", "192.168.1.10"),
        ("微信号:wxid_abc123", "SOCIAL_ACCOUNT", "wxid_abc123"),
        ("银行卡6222 0212 3456 7890 128", "BANK_CARD", "6222 0212 3456 7890 128"),
        ("车牌鲁A·12345", "PLATE", "鲁A·12345"),
        ("serial number BX5990-706.", "DEVICE", "BX5990-706"),
        ("SSN 123-45-6789", "SOCIAL_SECURITY", "123-45-6789"),
        ("医保卡号:A12345678", "INSURANCE", "A12345678"),
    ],
)
def test_an_identifier_is_found_exactly(text: str, entity: str, value: str) -> None:
    assert (entity, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "胸痛3天,术后2周复查,病程5个月,3-5日后拆线",
        "血压180/110mmHg,白细胞12.3×10^9/L,血糖8.6mmol/L",
        "由于高血压,向医生咨询,和医生沟通,谢谢医生",
        "发热高峰39.5℃,周围组织水肿,白细胞升高,黄疸消退",
        "到当地医院、三甲医院或专科医院就诊",
        "尿路感染,消化道出血,心前区不适,右下腹压痛",
        "阿司匹林100mg每日1次,氨溴索30mg雾化吸入",
        "患者应积极戒烟,患者常说疲乏",
        "Chest pain for 3 days; blood pressure 142/88 mmHg, ratio 3/5.",
        "Platelets were 50,000 per microliter. Hemoglobin 13.1 g/dL.",
        "软件版本 version 10.2.1.4",
        "患者78岁,身高165cm",
    ],
)
def test_what_is_no_identifier_stays(text: str) -> None:
    assert found(text) == []


def test_a_name_once_established_is_found_again() -> None:
    text = "姓名:钱卫东\n术后恢复可。昨日钱卫东下床活动,与钱 卫东谈话。"
    assert [value for entity, value in found(text) if entity == "PERSON"] == ["钱卫东", "钱卫东", "钱 卫东"]


def test_a_name_that_is_a_word_is_not_found_within_words() -> None:
    text = "患者:高峰,男。今日体温高峰39℃。"
    assert [value for entity, value in found(text) if entity == "PERSON"] == ["高峰"]


def test_names_of_the_header_are_found_everywhere() -> None:
    text = "腹部平软。阿依古丽无压痛。"
    assert find_identifiers(text) == ()
    (span,) = find_identifiers(text, names=["阿依古丽"])
    assert text[span.start : span.end] == "阿依古丽"


def test_a_recogniser_of_the_caller_is_heard() -> None:
    from presidio_analyzer import Pattern, PatternRecognizer

    ward = PatternRecognizer(
        "WARD", patterns=[Pattern("ward", "杏林楼[0-9]层", 0.9)], supported_language="zh"
    )
    (span,) = find_identifiers("现居杏林楼3层", recognisers=[ward])
    assert span.entity == "WARD"


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(found("邮箱 a.b@mail.example.org, www.example.org, 10.0.0.1")) == 3


def test_check_digits() -> None:
    assert identity_18("11010519491231002X")
    assert identity_18("440524188001010014")
    assert not identity_18("110105194912310021")
    assert not identity_18("99010519491231002X")
    assert identity_check("11010519491231002") == "X"
    assert identity_15("110105491231002")
    assert not identity_15("110105491331002")
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert hong_kong("A", "123456", "3")
    assert not hong_kong("A", "123456", "4")
    assert taiwan("A123456789")
    assert not taiwan("A123456788")


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None, database=None, derandomize=True)
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(fold(text)) == len(text)


SPANS = st.lists(
    st.builds(
        lambda start, length, entity, score: Span(start, start + length, entity, score),
        st.integers(0, 30),
        st.integers(1, 12),
        st.sampled_from(["PERSON", "DATE", "PHONE", "OTHER"]),
        st.sampled_from([0.6, 0.85, 1.0]),
    ),
    max_size=8,
)


@given(SPANS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
def test_overlaps_are_resolved_whatever_their_order(spans: list[Span], rng: object) -> None:
    text = "x" * 50
    kept = resolve(spans, text)
    for left, right in pairwise(kept):
        assert left.end <= right.start
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert {at for span in kept for at in range(span.start, span.end)} == covered
    shuffled = list(spans)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled, text) == kept


@given(st.text(alphabet="患者王李于医院路号12380-/年月日:, \n姓名AaBb.@()（１", max_size=60))
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
def test_any_text_gives_disjoint_spans_within_it(text: str) -> None:
    spans = find_identifiers(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_hostile_text_takes_no_time() -> None:
    import time

    for piece in ("1-", "张", "王路", "a.", "A ", "(", "·李", "0 ", "市区路号", "x@x."):
        started = time.process_time()
        find_identifiers(piece * (4000 // len(piece)))
        assert time.process_time() - started < 3, piece


@pytest.mark.parametrize(("templates", "least"), [("development", 0.99), ("report", 0.93)])
def test_planted_identifiers_are_found(templates: str, least: float) -> None:
    """A small run of the benchmark, so that a change that loses identifiers fails here."""
    made = notes(templates, 60, 3)  # type: ignore[arg-type]
    planted = hits = predicted = right = 0
    for note in made:
        spans = find_identifiers(note.text)
        planted += len(note.spans)
        predicted += len(spans)
        hits += sum(
            any(s.entity == e and s.start < end and start < s.end for s in spans)
            for start, end, e in note.spans
        )
        right += sum(
            any(s.entity == e and s.start < end and start < s.end for start, end, e in note.spans)
            for s in spans
        )
    assert planted > 500
    assert hits / planted >= least
    assert right / predicted >= 0.95
