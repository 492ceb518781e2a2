"""The mapping file and a row by it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, XinglinError
from xinglin.records.context import site_of, time_of
from xinglin.records.mapping import Mapping, mapping_from, read_mapping
from xinglin.records.rows import parse_age, parse_sex, parse_time, parse_value, record_from_row
from xinglin.types import Code, Event, Record

FULL = """
id = "就诊号"
subject = "病案号"
text = ["主诉", "现病史"]
age = "年龄"
sex = "性别"
time = "日期"
site = "院区"
missing = ["-", "无"]
[sex_words]
male = ["1"]
female = ["2"]
[[values]]
column = "血糖"
system = "loinc"
code = "14749-6"
display = "Glucose"
unit = "mmol/L"
low = 3.9
high = 6.1
[[values]]
column = "肌钙蛋白"
unit_column = "肌钙蛋白单位"
[[codes]]
column = "诊断编码"
system = "icd10-cn-gb2"
display_column = "诊断"
separator = ";"
"""
ROW: dict[str, Any] = {
    **{
        "就诊号": "V1",
        "病案号": 10086.0,
        "主诉": " 胸痛3天 ",
        "现病史": "无",
        "年龄": "1岁3个月",
        "性别": "1",
    },
    **{
        "日期": datetime(2024, 5, 31, 8, 30),
        "院区": "东院",
        "血糖": "11.2",
        "肌钙蛋白": "<0.01",
        "肌钙蛋白单位": "ng/mL",
    },
    **{"诊断编码": "I20.000;E11.900", "诊断": "不稳定型心绞痛;2型糖尿病"},
}


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    path = tmp_path / "m.toml"
    path.write_text(FULL, encoding="utf-8-sig")
    return read_mapping(path)


def row(mapping: Mapping, **changes: Any) -> Record:
    return record_from_row(mapping, (ROW | changes).get, unnamed="x#1")


def test_a_whole_row(mapping: Mapping) -> None:
    record = row(mapping)
    assert (record.id, record.subject, record.text) == ("V1", "10086", "胸痛3天")
    assert record.patient.age == pytest.approx(1.25)
    assert record.patient.sex == "male"
    assert (site_of(record), time_of(record)) == ("东院", "2024-05-31T08:30:00")
    glucose, troponin, angina, diabetes = record.events[2:]
    time = "2024-05-31T08:30:00"
    assert glucose == Event(Code("loinc", "14749-6"), 11.2, "mmol/L", time, 3.9, 6.1)
    assert troponin == Event(Code("text", "肌钙蛋白"), "<0.01", "ng/mL", time)
    assert (angina.code, angina.code.display, angina.kind) == (
        *(Code("icd10-cn-gb2", "I20.000"), "不稳定型心绞痛", "condition"),
    )
    assert diabetes.code.value == "E11.900"
    # Names that do not pair with the codes are no names of theirs.
    assert [event.code.display for event in row(mapping, 诊断="心绞痛").events[4:]] == ["I20.000", "E11.900"]


def test_what_is_missing_stays_missing(mapping: Mapping) -> None:
    row_ = {"就诊号": 7, "主诉": "-", "血糖": None, "年龄": "", "性别": float("nan")}
    empty = record_from_row(mapping, row_.get, unnamed="")
    assert empty == Record("7")
    with pytest.raises(InvalidInputError, match=r"'就诊号'.*empty"):
        row(mapping, 就诊号="")
    assert record_from_row(Mapping(text=("主诉",)), ROW.get, unnamed="x#1").id == "x#1"


WRONG_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"年龄": "成年"}, "'年龄'.*age"),
    ({"年龄": "-3"}, "age"),
    ({"年龄": 131}, "age"),
    ({"性别": "3"}, r"'性别'.*\[sex_words\]"),
    ({"日期": "05/06/2024"}, "time_format"),
    ({"日期": "2024-02-30"}, "time_format"),
    ({"主诉": "a\0b"}, "'主诉'.*NUL"),
    ({"主诉": "\udc80"}, "'主诉'.*no text"),
    ({"主诉": ["a"]}, "'主诉'.*got list"),
    ({"主诉": "x" * 1_000_001}, "at most 1,000,000"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_ROWS, ids=[message for _, message in WRONG_ROWS])
def test_a_wrong_cell_is_named_and_not_told(mapping: Mapping, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        row(mapping, **changes)
    for cell in changes.values():
        assert str(cell) not in str(caught.value)


WRONG: list[tuple[str, str]] = [
    ("text = 'a'\nsubjct = 'b'", "unknown key 'subjct'; did you mean subject?"),
    ("text = 'a'\nqqqq = 'b'", "unknown key 'qqqq'; known: id, subject"),
    ("id = 'a'", "at least one column"),
    ("", "at least one column"),
    ("text = 5", "text: expected a list of texts"),
    ("text = 'a'\nid = 5", "id: expected a text, got int"),
    ("text = 'a'\nage_unit = 'moons'", "age_unit: expected years"),
    ("text = 'a'\nage = 'x'\nbirth = 'y'", "exclude each other"),
    ("[[values]]\ncode = 'x'", "column is missing"),
    ("[[values]]\ncolumn = 'x'\ncode = 'x'", "belong together"),
    ("[[values]]\ncolumn = 'x'\nunit = 'x'\nunit_column = 'y'", "exclude each other"),
    ("[[values]]\ncolumn = 'x'\nkind = 'observatoin'", "did you mean observation"),
    ("[[values]]\ncolumn = 'x'\nlow = true", "low: expected a number, got bool"),
    ("[values]\ncolumn = 'x'", r"expected \[\[values\]\]"),
    ("[[codes]]\ncolumn = 'x'", "system is missing"),
    ("text = 'a'\n[sex_words]\nmail = ['1']", "did you mean male"),
    ("text = 'a'\n[sex_words]\nmale = '1'", "sex_words.male: expected a list"),
    ("text = ", "expected TOML"),
]


@pytest.mark.parametrize(("toml", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_mapping_is_told(tmp_path: Path, toml: str, message: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(toml)
    with pytest.raises(InvalidInputError, match=message):
        read_mapping(path)


def test_a_mapping_file_is_there_small_and_utf8(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    with pytest.raises(MissingDataError):
        read_mapping(path)
    path.write_bytes("text = '主诉'".encode("gb18030"))
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_mapping(path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(InputTooLargeError):
        read_mapping(path)


def test_another_mapping_has_another_digest() -> None:
    assert mapping_from({"text": "a"}).digest() == mapping_from({"text": ["a"]}).digest()
    assert mapping_from({"text": "a"}).digest() != mapping_from({"text": "b"}).digest()


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(
            ("58", 58),
            ("58岁", 58),
            ("3个月", 0.25),
            ("9天", 9 / 365.25),
            ("2周", 14 / 365.25),
            ("1岁6月", 1.5),
        ),
        *(("034Y", 34), ("006M", 0.5), ("009D", 9 / 365.25), ("3 months", 0.25), ("2.5", 2.5), ("0", 0)),
    ],
)
def test_ages(text: str, years: float) -> None:
    assert parse_age(text, "age") == pytest.approx(years)


@pytest.mark.parametrize("text", ["", "岁", "3 4", "3岁4", "131", "-1", "1e3", "nan", "三岁", "3岁x"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_age(text, "age")


def test_a_bare_age_is_in_the_unit_of_the_mapping() -> None:
    assert parse_age("6", "age", "months") == 0.5
    assert parse_age("6岁", "age", "months") == 6


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-05-31", "2024-05-31"),
        ("2024/5/3", "2024-05-03"),
        ("2024年5月31日", "2024-05-31"),
        ("20240531", "2024-05-31"),
        ("20240531083015", "2024-05-31T08:30:15"),
        ("2024-05-31 08:30", "2024-05-31T08:30:00"),
        ("2024-05-31T08:30:15.25Z", "2024-05-31T08:30:15+00:00"),
        ("2024-05-31 08:30:15+0800", "2024-05-31T08:30:15+08:00"),
    ],
)
def test_times(text: str, iso: str) -> None:
    assert parse_time(text, "time") == iso


def test_a_format_settles_what_could_be_two_days() -> None:
    assert parse_time("05/06/2024", "time", "%d/%m/%Y") == "2024-06-05"
    assert parse_time("05/06/2024 07:08", "time", "%m/%d/%Y %H:%M") == "2024-05-06T07:08:00"
    with pytest.raises(InvalidInputError):
        parse_time("2024-05-31", "time", "%d/%m/%Y")


def test_birth_counts_to_the_time_of_the_record() -> None:
    mapping = mapping_from({"text": "t", "birth": "b", "time": "d"})
    record = record_from_row(mapping, {"t": "x", "b": "1980-05-31", "d": "2024-05-31"}.get, unnamed="1")
    assert record.patient.age == pytest.approx(44, abs=0.01)
    assert record_from_row(mapping, {"t": "x", "b": "1980-05-31"}.get, unnamed="1").patient.age is None
    with pytest.raises(InvalidInputError, match="0 to 130"):
        record_from_row(mapping, {"t": "x", "b": "2030-01-01", "d": "2024-05-31"}.get, unnamed="1")


def test_values_and_words() -> None:
    assert [
        parse_value(text) for text in ("5.6", "-1", "1e3", "<5", "阴性", "nan", "inf", "1_0", "1e999")
    ] == [*(5.6, -1.0, 1000.0, "<5", "阴性", "nan", "inf", "1_0", "1e999")]
    assert [parse_sex(text) for text in ("男", "女性", "F", "Male", "未知", "O")] == [
        *("male", "female", "female", "male", None, None)
    ]


CELLS = (
    st.none()
    | st.text(max_size=12)
    | st.floats()
    | st.integers()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.decimals()
    | st.sampled_from(["男", "3岁", "2024-05-31", "5.6", "\ud800", "\0", Decimal("1.50"), date(2024, 1, 1)])
)


@given(st.fixed_dictionaries(dict.fromkeys(ROW, CELLS)))
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_any_cells_are_a_record_or_an_error_of_ours(cells: dict[str, Any]) -> None:
    import tomllib

    try:
        record = record_from_row(mapping_from(tomllib.loads(FULL)), cells.get, unnamed="1")
    except XinglinError:
        return
    assert isinstance(record, Record)
    assert record.patient.age is None or 0 <= record.patient.age <= 130
    hash(record)
