"""Messages from outside, and folders of models from outside: refused before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xinglin.apps.assistant.conversation import (
    MAX_MESSAGE,
    Message,
    conversation,
    read_messages,
)
from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.decoder import check_folder


def user(text: object) -> dict[str, object]:
    return {"role": "user", "content": text}


def test_text_parts_are_one_text() -> None:
    read = read_messages(
        [
            {"role": "system", "content": "s"},
            user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ]
    )
    assert read.question == "a\nb"
    assert read.messages[0].role == "system"


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (None, "expected a list"),
        ([], "at least one"),
        ([5], r"messages\.0: expected an object"),
        ([{"role": "doctor", "content": "x"}], r"messages\.0\.role"),
        ([user(None)], r"messages\.0\.content"),
        ([user([{"type": "image_url"}])], "only text can be read"),
        ([user([{"type": "text", "text": 5}])], "only text can be read"),
        ([user(" \n")], "empty"),
        ([{"role": "assistant", "content": "x"}], "the last must be of role user"),
    ],
)
def test_what_is_no_conversation(rows: object, match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        read_messages(rows)


def test_bounds() -> None:
    for rows in ([user("x" * (MAX_MESSAGE + 1))], [user("x" * MAX_MESSAGE)] * 11, [user("x")] * 201):
        with pytest.raises(InputTooLargeError):
            read_messages(rows)


def test_the_story_keeps_to_one_reading() -> None:
    told = [
        Message("user", "最早的话"),
        Message("assistant", "答"),
        Message("user", "痛" * (MAX_MESSAGE - 2)),
    ]
    assert conversation(told).story == told[-1].text  # the earlier one no longer fits
    assert conversation([*told[:2], Message("user", "胸痛")]).story == "最早的话\n胸痛"
    assert conversation([Message("user", "a\ud800b")]).question == "a\ufffdb"


def test_folders_of_models_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"config\.json"):
        check_folder(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="no weights"):
        check_folder(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(CheckpointError, match="only pickled weights"):
        check_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    check_folder(tmp_path)  # safe weights are there: the pickled ones are never opened
    config.write_text(json.dumps({"auto_map": {"AutoModelForCausalLM": "evil.Model"}}))
    with pytest.raises(CheckpointError, match="never run"):
        check_folder(tmp_path)
    config.write_text("{}")
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match=r"modeling_evil\.py"):
        check_folder(tmp_path)
