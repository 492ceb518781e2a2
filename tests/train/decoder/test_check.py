"""Bad rows of every kind are named by line, good ones are kept, and nothing of the content is echoed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.train.decoder.check import check_rows, require_good

USER = {"role": "user", "content": "头痛怎么办"}
SAID = {"role": "assistant", "content": "请就医"}


def line(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode()


def turns(*messages: Any) -> bytes:
    return line({"messages": list(messages)})


GOOD = turns(USER, SAID)
BAD: list[tuple[bytes, str]] = [
    (b"{not json", "not JSON"),
    (b"[1, 2]", "not a JSON object"),
    ('{"text": "高血压"}'.encode("gb18030"), "not UTF-8"),
    (GOOD, "the same as line 1"),
    (turns(SAID, USER), "roles out of order"),
    (turns(USER, USER, SAID), "turn 2: roles out of order: user, expected assistant"),
    (turns(USER, SAID, {"role": "system", "content": "你是"}), "roles out of order"),
    (turns(USER, {"role": "doctor", "content": "好"}), "expected role"),
    (turns(USER), "no answer"),
    (turns(USER, {"role": "assistant", "content": "  "}), "content is empty"),
    (turns(USER, {"role": "assistant"}), "no text field content"),
    (turns(USER, {"role": "assistant", "content": 7}), "no text field content"),
    (turns(), "no messages"),
    (line({"text": "甲"}), "no messages"),
    (turns(USER, "好"), "turn 2 is no object"),
    (turns(USER, {"role": "assistant", "content": "请\u0001就医"}), "control characters"),
    (turns(USER, {"role": "assistant", "content": "请\ufffd就医"}), "broken encoding"),
    (b'{"messages": [{"role": "user", "content": "\\u0000"}]}', "NUL"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "half a character"),
    (b'{"a": NaN}', "not JSON"),
    (b'"' + b"x" * 4_000_010 + b'"', "longer than"),
]


def test_every_kind_of_bad_row_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    system = turns({"role": "system", "content": "你是助手"}, USER, SAID, USER, SAID)
    path.write_bytes(b"\n".join([GOOD, *(row for row, _ in BAD), b"", system]) + b"\n")
    found = check_rows(path, "sft")
    assert len(found.rows) == 2
    assert [problem.line for problem in found.problems] == list(range(2, len(BAD) + 2))
    for problem, (_, said) in zip(found.problems, BAD, strict=True):
        assert said in problem.what
        assert "头痛" not in problem.what
    with pytest.raises(InvalidInputError, match=r"rows\.jsonl:2: 不是 JSON not JSON") as raised:
        require_good(found, path.name)
    assert f"{len(BAD)} 行有误" in str(raised.value)
    assert "… 另有 and 1 more" in str(raised.value)
    assert require_good(found, path.name, skip=True) == found.rows


@pytest.mark.parametrize(
    ("stage", "row", "said"),
    [
        ("pretrain", {"text": ""}, "text is empty"),
        ("pretrain", {"txt": "甲"}, "no text field text"),
        ("prefer", {"prompt": "甲", "chosen": "乙", "rejected": "乙"}, "are the same"),
        ("prefer", {"prompt": "甲", "chosen": "乙"}, "no text field rejected"),
        ("prefer", {"prompt": [USER, SAID], "chosen": "甲", "rejected": "乙"}, "must end with user"),
        ("reinforce", {"prompt": "甲", "kind": "exam", "options": ["乙"], "answer": "A"}, "2 to 10 options"),
        (
            "reinforce",
            {"prompt": "甲", "kind": "exam", "options": ["乙", ""], "answer": "A"},
            "option is empty",
        ),
        (
            "reinforce",
            {"prompt": "甲", "kind": "exam", "options": ["乙", "丙"], "answer": "C"},
            "letters of AB",
        ),
        ("reinforce", {"prompt": "甲", "kind": "exam", "options": ["乙", "丙"], "answer": "BA"}, "in order"),
        ("reinforce", {"prompt": "甲", "kind": "dose"}, "expected kind"),
        ("reinforce", {"prompt": "甲", "kind": "citation"}, "no text field about"),
    ],
)
def test_rows_of_the_other_stages(tmp_path: Path, stage: Any, row: dict[str, Any], said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(row))
    (problem,) = check_rows(path, stage).problems
    assert problem.line == 1
    assert said in problem.what


def test_too_long_for_the_model(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.model.decoder.small import small_tokenizer

    path = tmp_path / "rows.jsonl.gz"
    long = turns({"role": "user", "content": "头痛" * 50}, SAID)
    path.write_bytes(gzip.compress(GOOD + b"\n" + long))
    found = check_rows(path, "sft", tokenizer=small_tokenizer(), length=64)
    assert len(found.rows) == 1
    (problem,) = found.problems
    assert problem.line == 2
    assert "too long: the question takes 119 of 64 tokens" in problem.what


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        check_rows(tmp_path / "none", "sft")
    (tmp_path / "empty").write_bytes(b"\n\n")
    with pytest.raises(InvalidInputError, match="got none"):
        check_rows(tmp_path / "empty", "sft")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(GOOD * 50)[:-9])
    with pytest.raises(InvalidInputError, match="damaged"):
        check_rows(tmp_path / "cut.gz", "sft")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40).filter(lambda raw: b"\n" not in raw and raw.strip()), min_size=1, max_size=5
    )
)
def test_no_bytes_crash_it(tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("raw") / "rows"
    path.write_bytes(b"{}\n" + b"\n".join(rows))
    found = check_rows(path, "sft")
    assert len(found.rows) + len(found.problems) >= 1
