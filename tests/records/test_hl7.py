"""HL7 v2 in files: results and admissions, batches, escapes, repeats; damage is told by message."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError, XinglinError
from xinglin.records.context import site_of, time_of
from xinglin.records.readers import hl7v2
from xinglin.records.readers.hl7v2 import Hl7Files
from xinglin.records.readers.protocol import Item
from xinglin.types import Code, Record

ORU = [
    r"MSH|^~\&|LIS|东院|HIS|东院|20240531090000+0800||ORU^R01^ORU_R01|42|P|2.5.1||||||UNICODE UTF-8",
    "PID|1||10086^^^东院^MR~110101199003071234^^^^NI||王^小明||19800531|M",
    "PV1|1|I",
    "OBR|1||S1|24323-8^CMP^LN|||20240531083000",
    "OBX|1|NM|14749-6^Glucose^LN^GLU^葡萄糖^L||11.2|mmol/L^^UCUM|3.9-6.1|H|||F|||20240531083100",
    "OBX|2|SN|10839-9^Troponin I^LN||<^0.01|ng/mL|<0.04||||F",
    "OBX|3|CE|882-1^ABO group^LN||A^A型^L||||||F",
    r"OBX|4|FT|18748-4^Report^LN||双肺纹理增粗\.br\心影 \T\ 膈面\S\正常 \X4E\ \E\ \Zxx\。~未见结节||||||F",
    "OBX|5|NM|L1^钾^L||4.1|mmol/L|||||F",
    "OBX|6|NM|L2^钠||999|mmol/L|||||W",
    "OBX|7|NM|L3^氯||||||||I",
    "OBX|8|NM|2160-0^Creatinine^LN||80~82|umol/L|>=60||||C",
    "NTE|1||标本轻度溶血",
]
ADT = [
    r"MSH|^~\&|HIS|西院|||20240601||ADT^A01|43|P|2.5.1",
    "PID|1||10087||||1990|F",
    "AL1|1|DA|7980^青霉素^L|SV|皮疹",
    "DG1|1||I21.0^急性前壁心肌梗死^I10||20240601|A",
    "DG1|2|||高血压病",
]


def message(segments: list[str], end: str = "\r") -> str:
    return end.join(segments) + end


def items(path: Path, start: int = 0) -> list[Item]:
    reader = Hl7Files(path)
    return [item for unit in reader.units() for item in reader.items(unit, start)]


def read(tmp_path: Path, data: str | bytes) -> list[Item]:
    path = tmp_path / "x.hl7"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return items(path)


def only(found: list[Item]) -> Record:
    (item,) = found
    assert item.record is not None, item.problem
    return item.record


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_result(tmp_path: Path, end: str) -> None:
    record = only(read(tmp_path, message(ORU, end)))
    assert (record.id, record.subject) == ("LIS/东院/42", "10086")
    assert record.patient.sex == "male"
    assert record.patient.age == pytest.approx(44, abs=0.01)
    assert (site_of(record), time_of(record)) == ("东院", "2024-05-31T08:30:00")
    assert record.text == "双肺纹理增粗\n心影 & 膈面^正常 N \\ 。\n未见结节\n标本轻度溶血"
    values = [
        (e.code.system, e.code.value, e.value, e.unit, e.low, e.high, e.status) for e in record.events[2:]
    ]
    assert values == [
        ("loinc", "14749-6", 11.2, "mmol/L", 3.9, 6.1, "F"),
        ("loinc", "10839-9", "<0.01", "ng/mL", None, 0.04, "F"),
        ("loinc", "882-1", "A型", None, None, None, "F"),
        ("L", "L1", 4.1, "mmol/L", None, None, "F"),
        ("loinc", "2160-0", 80.0, "umol/L", 60.0, None, "C"),
        ("loinc", "2160-0", 82.0, "umol/L", 60.0, None, "C"),
    ]
    assert record.events[2].time == "2024-05-31T08:31:00"
    assert record.events[3].time == "2024-05-31T08:30:00"


def test_an_admission(tmp_path: Path) -> None:
    record = only(read(tmp_path, message(ADT)))
    assert (record.id, record.subject, record.text) == ("HIS/西院/43", "10087", "")
    assert record.patient.allergies == ("青霉素",)
    assert record.patient.age == pytest.approx(34.4, abs=0.1)
    allergy, infarction, hypertension = sorted(
        record.events[2:], key=lambda event: event.kind + event.code.system
    )
    assert (allergy.kind, allergy.code.display) == ("allergy", "青霉素")
    assert (infarction.code, infarction.kind, infarction.time) == (
        *(Code("icd10-who", "I21.0"), "condition", "2024-06-01"),
    )
    assert hypertension.code == Code("text", "高血压病")


def test_a_batch_in_frames_and_in_gb18030(tmp_path: Path) -> None:
    batch = ["FHS|^~\\&|x", "BHS|^~\\&|x", *ORU, *ADT, "BTS|2", "FTS|1"]
    framed = "\x0b" + message(ORU) + "\x1c\r\x0b" + message(ADT) + "\x1c\r"
    for data in (message(batch), framed):
        for encoding in ("utf-8", "utf-8-sig", "gb18030"):
            found = read(tmp_path, data.encode(encoding))
            assert [item.place for item in found] == ["message 1", "message 2"]
            assert [item.record.id for item in found if item.record] == ["LIS/东院/42", "HIS/西院/43"]
            assert found[0].encoding == encoding.removesuffix("-sig")
    assert [item.place for item in items(tmp_path / "x.hl7", start=1)] == ["message 2"]


def changed(segment: int, field: int, value: str) -> list[str]:
    fields = ORU[segment].split("|")
    fields[field] = value
    return [*ORU[:segment], "|".join(fields), *ORU[segment + 1 :]]


WRONG = [
    (changed(0, 9, ""), "MSH-10"),
    (changed(4, 5, "王小明"), "segment 5 OBX-5: expected a number"),
    (changed(4, 14, "昨天"), "segment 5 OBX-14: expected a time"),
    (changed(4, 14, "20240231"), "no such day"),
    (changed(4, 14, "202405312561"), "no such time of day"),
    (changed(4, 3, ""), "segment 5 OBX-3: expected a code"),
    (changed(1, 8, "王小明"), "sex"),
    (changed(1, 7, "20300101"), "PID-7"),
    (["MSH", "PID|1"], "not an HL7 v2 message"),
    (["MSH|", "PID|1"], "not an HL7 v2 message|MSH-10"),
]


@pytest.mark.parametrize(("segments", "problem"), WRONG, ids=[problem for _, problem in WRONG])
def test_a_broken_message_is_told_and_the_next_is_read(
    tmp_path: Path, segments: list[str], problem: str
) -> None:
    first, second = read(tmp_path, message(segments) + message(ADT))
    assert first.record is None
    assert first.problem is not None
    assert any(part in first.problem for part in problem.split("|")), first.problem
    assert "王小明" not in first.problem
    assert second.record is not None


def test_what_stands_before_the_first_message_is_told(tmp_path: Path) -> None:
    first, second = read(tmp_path, "PID|1||x\r" + message(ADT))
    assert "before the first MSH" in str(first.problem)
    assert second.record is not None
    with pytest.raises(InvalidInputError, match="no line that begins with MSH"):
        read(tmp_path, "\r\n\r\n")


def test_messages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hl7v2, "MAX_SEGMENTS", 20)
    long = message([*ORU, *ORU[4:5] * 20])
    first, second = read(tmp_path, long + message(ADT))
    assert "at most" in str(first.problem)
    assert second.record is not None
    monkeypatch.setattr(hl7v2, "MAX_PARTS", 50)
    assert "fields and components" in str(read(tmp_path, message(ORU))[0].problem)
    # A formatting command cannot be made to repeat: the library would write a gigabyte here.
    monkeypatch.setattr(hl7v2, "MAX_PARTS", 500)
    bomb = message([*ADT[:2], r"NTE|1||a\.sp1000000000\b"])
    assert only(read(tmp_path, bomb)).text == "a\nb"


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8))
@settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_any_damage_is_records_and_problems(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    data = bytearray((message(ORU) + message(ADT)).encode())
    for at, byte in damage:
        data[at % len(data)] = byte
    try:
        found = read(tmp_path, bytes(data))
    except XinglinError:
        return
    assert found
    for item in found:
        assert (item.record is None) != (item.problem is None)
        hash(item.record)
