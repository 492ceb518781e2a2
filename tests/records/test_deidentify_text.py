"""Replacement: placeholders, surrogates, moved dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import ConfigurationError
from xinglin.records.deidentify import Options, deidentify_text
from xinglin.records.deidentify.dates import WrittenDate, written_dates
from xinglin.records.deidentify.shift import shift_days, shifted_iso

KEY, OTHER = b"k" * 32, b"o" * 32
NOTE = (
    "患者王秀兰,女,67岁,身份证号:11010519491231002X,电话13800138000,于2023年5月3日入院,2023-05-10手术。"
    "王秀兰诉胸痛3天。家住山东省济南市历下区泉城路180号。"
)


def clean(text: str, key: bytes = KEY, **options: str) -> str:
    return deidentify_text(text, subject_key=key, options=Options(**options)).text  # type: ignore[arg-type]


def test_placeholders_are_typed_and_numbered() -> None:
    text = clean(NOTE, dates="placeholder")
    assert text == (
        "患者[姓名1],女,67岁,身份证号:[证件号1],电话[电话1],于[日期1]入院,[日期2]手术。[姓名1]诉胸痛3天。家住[地址1]。"
    )
    assert clean("Patient: John Smith, MRN: 1234567") == "Patient: [NAME1], MRN: [RECORD1]"


def test_spans_map_both_ways() -> None:
    done = deidentify_text(NOTE, subject_key=KEY)
    assert len(done.spans) == 7
    for span in done.spans:
        assert NOTE[span.start : span.end] not in done.text[span.new_start : span.new_end]
    at = NOTE.index("胸痛3天")
    moved = done.moved((at, at + 4))
    assert moved is not None
    assert done.text[moved[0] : moved[1]] == "胸痛3天"
    assert done.moved((0, 5)) is None


def test_text_without_identifiers_is_unchanged() -> None:
    text = "胸痛3天,血压180/110mmHg,术后2周复查。"
    done = deidentify_text(text, subject_key=KEY)
    assert (done.text, done.spans) == (text, ())


def test_surrogates_are_the_same_for_one_subject_and_no_ones_own() -> None:
    first, second = clean(NOTE, mode="surrogate"), clean(NOTE, mode="surrogate")
    assert first == second
    assert first != clean(NOTE, OTHER, mode="surrogate")
    for original in ("王秀兰", "11010519491231002X", "13800138000", "泉城路", "2023年5月3日"):
        assert original not in first
    name = first[2:5]
    assert first.count(name) == 2
    assert "身份证号:000000" in first
    assert "电话100" in first
    assert clean("call (217) 555-7777", mode="surrogate").startswith("call (217) 555-01")
    assert clean("a.b@c.com", mode="surrogate").endswith("@example.org")


def as_date(found: WrittenDate) -> date:
    return date(found.value("y"), found.value("m"), found.value("d"))  # type: ignore[arg-type]


@given(
    st.dates(date(1940, 1, 1), date(2030, 12, 31)),
    st.integers(0, 900),
    st.binary(min_size=16, max_size=32),
    st.sampled_from(["%Y年%m月%d日", "%Y-%m-%d", "%Y/%m/%d", "%B %d, %Y", "%d-%b-%Y", "%Y%m%d"]),
)
@settings(max_examples=80, deadline=None, database=None, derandomize=True)
def test_intervals_weekdays_and_forms_stay(first: date, apart: int, key: bytes, form: str) -> None:
    second = first + timedelta(days=apart)
    text = f"住院 {first.strftime(form)} 手术 {second.strftime(form)} 。"
    new = clean(text, key)
    days = shift_days(key)
    assert days % 7 == 0
    assert 7 <= abs(days) <= 364
    assert [as_date(found) for found in written_dates(new)] == [
        first + timedelta(days=days),
        second + timedelta(days=days),
    ]
    if form in ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"):  # 12月12日 does not say how one digit would be written
        assert (first + timedelta(days=days)).strftime(form) in new


@pytest.mark.parametrize(
    ("text", "days_after"),
    [
        ("2023-2-29", date(2023, 3, 1)),
        ("2022年2月30日", date(2022, 3, 2)),
        ("二〇二三年五月三日", date(2023, 5, 3)),
    ],
)
def test_a_date_that_does_not_exist_counts_on(text: str, days_after: date) -> None:
    new = clean(f"{text}入院,")
    (moved,) = written_dates(new)
    assert as_date(moved) == days_after + timedelta(days=shift_days(KEY))


def test_a_range_over_the_end_of_a_month_is_written_whole() -> None:
    for key in (bytes([i]) * 16 for i in range(40)):
        new = clean("5月28日至31日住院", key)
        assert len(written_dates(new)) == 2
        start = date(2024, 5, 28) + timedelta(days=shift_days(key))
        end = start + timedelta(days=3)
        assert new.startswith(f"{start.month}月{start.day}日至")
        assert f"{end.day}日住院" in new
        assert (f"{end.month}月{end.day}日住院" in new) == (start.month != end.month)


def test_years_alone_for_safe_harbor() -> None:
    assert clean("于2023年5月3日入院,5月10日出院", dates="year") == "于2023年入院,[日期1]出院"
    assert clean("seen March 5, 2023", dates="year") == "seen 2023"


def test_ages_over_89_are_one_group() -> None:
    assert clean("祖母93岁,父亲89岁") == "祖母90+岁,父亲89岁"
    assert clean("a 101-year-old man") == "a 90+-year-old man"


def test_iso_times() -> None:
    days = shift_days(KEY)
    moved = date(2024, 5, 31) + timedelta(days=days)
    assert shifted_iso("2024-05-31T08:00:00+08:00", days) == f"{moved}T08:00:00+08:00"
    assert shifted_iso("20240531", days) == moved.strftime("%Y%m%d")
    assert shifted_iso("2019", days) == "2019"
    assert shifted_iso("yesterday", days) is None
    assert len(shifted_iso("2024-05", days) or "") == 7


def test_bad_options_and_keys_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        deidentify_text("x", subject_key=b"short")
    with pytest.raises(ConfigurationError, match="placeholder, surrogate"):
        Options(mode="hash")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="shift, year"):
        Options(dates="keep")  # type: ignore[arg-type]
