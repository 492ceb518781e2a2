"""Durations and sides against values read by eye."""

from __future__ import annotations

import pytest

from xinglin.terms.characters import normalise
from xinglin.terms.duration import find_durations, iso_duration
from xinglin.terms.numerals import number
from xinglin.terms.reading import read
from xinglin.terms.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("三", 3), ("十", 10), ("十二", 12), ("二十", 20), ("两百", 200), ("一百二", 120), ("一百零五",
        105), ("一万二", 12000),
        ("三十五", 35), ("半", 0.5), ("3.5", 3.5), ("twelve", 12), ("胸", None), ("", None),
    ],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("3天", "P3D"), ("三天", "P3D"), ("两周", "P2W"), ("2个星期", "P2W"), ("半小时", "PT30M"),
        ("十余年", "P10Y"), ("20余年", "P20Y"),
        ("一个月", "P1M"), ("半年", "P6M"), ("半天", "PT12H"), ("一个半月", "P45D"), ("30分钟", "PT30M"),
        ("两个多小时", "PT2H"),
        ("3-5天", "P3D"), ("1年半", "P18M"), ("10秒", "PT10S"), ("3 days", "P3D"), ("two weeks", "P2W"),
        ("2-hour", "PT2H"),
        ("half an hour", "PT30M"), ("6 months", "P6M"),
    ],
)  # fmt: skip
def test_durations(text: str, iso: str) -> None:
    assert [d.iso for d in find_durations(normalise(text))] == [iso]


@pytest.mark.parametrize("text", ["58岁", "3个月大", "58-year-old", "数天", "2023年3月5日", "胸痛"])
def test_no_durations(text: str) -> None:
    assert find_durations(normalise(text)) == []


def test_iso() -> None:
    assert iso_duration(1.5, "D") == "PT36H"
    assert iso_duration(2, "MO") == "P2M"


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("胸痛3天", {"胸痛": "P3D"}),
        ("胸痛已3天", {"胸痛": "P3D"}),
        ("3天前出现胸痛", {"胸痛": "P3D"}),
        ("发热、咳嗽3天", {"发热": "P3D", "咳嗽": "P3D"}),
        ("胸痛2小时,咳嗽3天", {"胸痛": "PT2H", "咳嗽": "P3D"}),
        ("发了三天烧", {"发热": "P3D"}),
        ("高血压病史10年", {"高血压史": "P10Y"}),
        ("反复咳嗽10余年", {"咳嗽": "P10Y"}),
        ("chest pain for 2 hours", {"胸痛": "PT2H"}),
        ("3-day history of cough", {"咳嗽": "P3D"}),
        ("cough x 5 days", {"咳嗽": "P5D"}),
        ("胸痛", {"胸痛": None}),
        ("58岁,胸痛", {"胸痛": None}),
    ],
)
def test_time_of_findings(text: str, times: dict[str, str | None], vocabulary: Vocabulary) -> None:
    found = {f.code.display: f.time for f in read(text, vocabulary).findings if f.origin == "text"}
    assert found == times


@pytest.mark.parametrize(
    ("text", "onset"),
    [("突发胸痛", "sudden"), ("突然出现胸痛", "sudden"), ("逐渐出现胸痛", "gradual"),
    ("sudden chest pain", "sudden"), ("胸痛", None),
     ("突发头晕。胸痛", None)],
)  # fmt: skip
def test_onset(text: str, onset: str | None, vocabulary: Vocabulary) -> None:
    mentions = [m for m in read(text, vocabulary).mentions if m.term.name == "胸痛"]
    assert [m.onset for m in mentions] == [onset]


@pytest.mark.parametrize(
    ("text", "side"),
    [("左侧胸痛", "left"), ("右下肢水肿", "right"), ("双下肢水肿", "bilateral"), ("右下腹痛", "right"),
    ("左胸痛,右腿水肿", "left"),
     ("left chest pain", "left"), ("swelling of the right leg", "right"), ("胸痛", None)],
)  # fmt: skip
def test_laterality(text: str, side: str | None, vocabulary: Vocabulary) -> None:
    reading = read(text, vocabulary)
    assert reading.mentions[0].laterality == side
    first = reading.mentions[0].term.code.value
    assert reading.laterality.get(first) == side
