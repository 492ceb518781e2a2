"""UTF-8 or GB18030, with and without a mark, told from each other strictly."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError
from xinglin.records.encoding import GB18030_MARK, decode, detect

NOTE = "患者男性,58岁,胸痛3天,伴大汗。既往高血压病史10年,长期服用氨氯地平。"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (NOTE.encode(), "utf-8"),
        (codecs.BOM_UTF8 + NOTE.encode(), "utf-8"),
        (NOTE.encode("gb18030"), "gb18030"),
        (GB18030_MARK + NOTE.encode("gb18030"), "gb18030"),
        ("𠮷先生,罕见字㐂".encode("gb18030"), "gb18030"),  # four-byte characters
    ],
)
def test_both_encodings_are_read_with_and_without_a_mark(data: bytes, encoding: str) -> None:
    text, found = decode(data)
    assert found == encoding
    assert text in (NOTE, "𠮷先生,罕见字㐂")
    name, mark = detect(data.split(b"\n"))
    assert name == encoding
    assert data[mark:].decode(name) == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (codecs.BOM_UTF16_LE + NOTE.encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + NOTE.encode("utf-16-be"), "UTF-16"),
        (b"\xff\xff\x80", "neither|byte 0"),
        (codecs.BOM_UTF8 + NOTE.encode("gb18030"), "UTF-8|utf-8"),
    ],
)
def test_other_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        decode(data)


def test_nul_is_no_text() -> None:
    with pytest.raises(InvalidInputError, match="NUL"):
        decode(b"a\0b")


def test_a_broken_line_does_not_turn_the_file() -> None:
    good, other = NOTE.encode(), NOTE.encode("gb18030")
    assert detect([good] * 9 + [good[:-1], b"\xff\xff"]) == ("utf-8", 0)
    assert detect([other] * 9 + [b"\xff\xff"]) == ("gb18030", 0)
    assert detect([b"ascii"] * 9 + [b"\x80abc\xff"]) == ("utf-8", 0)
    assert detect([]) == ("utf-8", 0)
    with pytest.raises(InvalidInputError, match="neither"):
        detect([b"\xff\xff"] * 5 + [good] * 4)


def test_real_chinese_texts_are_told_apart_one_by_one(data: Path) -> None:
    path = data / "text" / "toyhom_weak_disease" / "dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) > 4000
    assert [text for text in texts if decode(text.encode()) != (text, "utf-8")] == []
    assert [text for text in texts if decode(text.encode("gb18030")) != (text, "gb18030")] == []


def test_what_could_be_either_is_taken_for_utf8() -> None:
    # Two bytes that mean a Cyrillic letter in UTF-8 and one in GB18030: no rule can tell; µ and ° decide for UTF-8.
    assert decode("一一".encode("gb18030"))[1] == "utf-8"
    assert decode("5 µmol/L at 37 °C".encode()) == ("5 µmol/L at 37 °C", "utf-8")
