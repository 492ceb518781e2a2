"""``xinglin train assistant`` as a person types it: every stage's words, the ledger, bad rows by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.model.decoder.small import small_decoder
from tests.train.decoder.conftest import CHATS, PAIRS, write
from xinglin.cli.train_assistant import register
from xinglin.errors import InvalidInputError
from xinglin.ledger import entries
from xinglin.store import open_store

pytest.importorskip("trl")
runner = CliRunner()
app = typer.Typer()
register(app)
app.command("other")(lambda: None)


def said(*words: object, status: int = 0) -> str:
    result = runner.invoke(app, ["assistant", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


@pytest.mark.slow
def test_stages_follow_one_another_and_are_remembered(tmp_path: Path) -> None:
    start = small_decoder(tmp_path / "start")
    quick = ("--steps", 3, "--batch-size", 4, "--length", 64, "--threads", 1)
    chats = write(tmp_path / "c.jsonl", CHATS)
    out = said("--stage", "sft", "--model", start, "--data", chats, "--out", tmp_path / "a", *quick)
    assert "检查点 checkpoint" in out
    assert "会编造内容" in out
    assert "{'loss'" not in out  # the Trainer's own prints
    pairs = write(tmp_path / "p.jsonl", PAIRS)
    options = (
        "--model",
        tmp_path / "a",
        "--data",
        pairs,
        "--out",
        tmp_path / "b",
        "--json",
        "--dtype",
        "float16",
    )
    made = json.loads(said("--stage", "prefer", *options, *quick))
    assert made["metrics"]["rewards_margins"]["steps"] == 3
    merged = (
        "--model",
        tmp_path / "a",
        "--with",
        tmp_path / "b",
        "--method",
        "slerp",
        "--out",
        tmp_path / "m",
    )
    assert "checkpoint" in said("--stage", "merge", *merged)
    with open_store().read() as connection:
        noted = [entry for entry in entries(connection) if entry.action == "train"]
    assert len(noted) == 3
    assert noted[1].subjects == (made["id"],)


def test_the_validator_names_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [*CHATS, {"messages": [CHATS[0]["messages"][1]]}, {"text": "甲"}])
    out = said("--stage", "check", "--data", path, status=1)
    assert "c.jsonl:5: 第 1 轮角色次序有误 turn 1: roles out of order" in out
    assert "可用 good 4 行 rows,有误 bad 2" in out
    found = json.loads(said("--stage", "check", "--data", path, "--json", status=1))
    assert [one["line"] for one in found["problems"]] == [5, 6]
    assert "good 4" in said("--stage", "check", "--data", write(tmp_path / "g.jsonl", CHATS))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--stage", "dance"), "--stage"),
        (("--stage", "sft"), "--out"),
        (("--stage", "sft", "--out", "x"), "--data"),
        (("--stage", "sft", "--out", "x", "--data", "."), "--model"),
        (("--stage", "sft", "--out", "x", "--data", ".", "--fresh", "0"), "--fresh"),
        (("--stage", "merge", "--out", "x"), "--model"),
        (("--stage", "check", "--for", "merge"), "--for"),
        (("--stage", "check"), "--data"),
    ],
)
def test_what_is_missing_is_said(words: tuple[str, ...], wanted: str) -> None:
    with pytest.raises(InvalidInputError, match=wanted):
        said(*words)
