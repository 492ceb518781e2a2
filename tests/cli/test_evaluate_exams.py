"""``xinglin evaluate`` on exams, by a folder and by a URL, through the command itself."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.apps.assistant.exams.server import said, serving
from tests.model.decoder.small import small_decoder
from xinglin.cli.evaluate import evaluate
from xinglin.errors import (
    CheckpointError,
    ConfigurationError,
    InputTooLargeError,
    InvalidInputError,
    MissingDataError,
    XinglinError,
)
from xinglin.ledger import chain
from xinglin.records.exams import LETTERS, part, read_exam
from xinglin.release.registry.contents import check_content
from xinglin.store import open_store

WORDS = ("头痛", "发热", "咳嗽", "肺炎", "感冒", "高血压", "晕", "症状")


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """Sixty authored items; each fifth wants two letters."""
    drawn = random.Random(0)
    rows = []
    for place in range(60):
        texts = drawn.sample(WORDS, 4)
        answer = "AC" if place % 5 == 0 else drawn.choice("ABCD")
        question = f"关于{drawn.choice(WORDS)}{place}的叙述何者对"
        options = dict(zip("ABCD", texts, strict=True))
        row = {"id": f"i{place}", "question": question, "options": options, "answer": answer}
        rows.append(row | {"subject": "甲" if place % 2 else "乙"})
    path = tmp_path / "exam.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
    if isinstance(result.exception, XinglinError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def body(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_a_folder_by_likelihood(tmp_path: Path, exam: Path) -> None:
    folder = small_decoder(tmp_path / "model")
    training = tmp_path / "training.txt"
    items = [item for item in read_exam("cmexam", exam).items if part(item) == "test"]
    training.write_text(items[0].question + "的后面", encoding="utf-8")
    asked = ["cmexam", "--data", str(exam), "--model", str(folder), "--rotate", "--training", str(training)]
    evidence = tmp_path / "evidence.json"
    found = body(run(*asked, "--json", "--evidence", str(evidence)))
    assert found["n"] == len(items) > 5
    metrics = json.loads(evidence.read_text())
    for one in metrics:
        check_content("metric", one)
    assert len(metrics) == 3
    assert set(found["arms"]) == {"letter", "text", "text per byte"}
    letter = found["arms"]["letter"]
    assert {"single_answer", "rotations", "letters", "subjects", "gain_over_majority"} <= set(letter)
    assert letter["single_answer"]["n"] == sum(len(item.answer) == 1 for item in items)
    assert sum(one["n"] for one in letter["subjects"].values()) == len(items)
    assert set(found["floors"]) == {"random", "majority", "longest"}
    assert found["contamination"]["items"] == [{"id": items[0].id, "covered": 1.0}]
    assert letter["by_contamination"]["dirty"]["n"] == 1
    assert letter["by_contamination"]["clean"]["n"] == len(items) - 1
    assert letter["by_contamination"]["unchecked"] is None
    assert all("on" in row for row in found["published"])
    assert "不是医疗器械" in found["notice"]["zh"]
    shown = run(*asked).stdout
    assert re.search(r"选项字母 letter\s+0\.\d{3}\s+\[", shown)
    assert "本项目自定划分" in shown
    store = open_store()
    with store.read() as connection:
        entries = [one for one in chain.entries(connection) if one.action == "exam.evaluate"]
    assert len(entries) == 2
    assert entries[0].detail["model"] == found["model"]["id"]


@pytest.fixture
def right(exam: Path) -> Callable[[str], str]:
    """The right answer of the item that a prompt shows last."""
    answers = {item.question: item for item in read_exam("cmexam", exam).items}

    def of(prompt: str) -> str:
        question = re.findall(r"题目:(.*)", prompt)[-1]
        listed = dict(re.findall(r"^([A-J])\. (.*)$", prompt[prompt.rindex("题目:") :], re.MULTILINE))
        item = answers[question]
        wanted = {item.options[LETTERS.index(letter)] for letter in item.answer}
        return "".join(sorted(letter for letter, text in listed.items() if text in wanted))

    return of


def test_a_url_by_generation(exam: Path, right: Callable[[str], str], tmp_path: Path) -> None:
    """A server that knows every answer and refuses one question; with rotation, examples and a kept file."""
    items = [item for item in read_exam("cmexam", exam).items if part(item) == "test"]
    hard = items[-1].question

    def reply(_: str, asked: dict[str, Any]) -> tuple[int, Any]:
        assert [turn["role"] for turn in asked["messages"]] == ["system", *["user", "assistant"] * 2, "user"]
        prompt = asked["messages"][-1]["content"]
        if hard in prompt:
            return 200, said("抱歉,我无法回答。")
        return 200, said(f"<think>先看A……</think>\n答案:{right(prompt)}")

    with serving(reply) as url:
        kept = tmp_path / "kept.jsonl"
        asked = ["cmexam", "--data", str(exam), "--model", url, "--by", "generation", "--shots", "2"]
        found = body(run(*asked, "--rotate", "--answers", str(kept), "--json"))
    arm = found["arms"]["generation"]
    assert arm["accuracy"]["value"] == pytest.approx((len(items) - 1) / len(items), abs=1e-5)
    assert arm["unscored"] == {"refusal": 1}
    assert arm["rotations"]["consistent"]["value"] == pytest.approx((len(items) - 1) / len(items), abs=1e-5)
    assert len(kept.read_text().splitlines()) == 1 + 4 * len(items)
    assert found["model"] == {"name": "tiny", "id": None}


def test_what_is_refused(tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XINGLIN_DATA", raising=False)
    folder = small_decoder(tmp_path / "model")
    given = ["--data", str(exam), "--model", str(folder)]
    with pytest.raises(InvalidInputError, match="--model"):
        run("cmexam", "--data", str(exam))
    with pytest.raises(MissingDataError, match="XINGLIN_DATA"):
        run("cmexam", "--model", str(folder))
    with pytest.raises(InvalidInputError, match="expected a row of pubmedqa"):
        run("pubmedqa", *given)
    with pytest.raises(InvalidInputError, match="likelihood or generation"):
        run("cmexam", *given, "--by", "luck")
    with pytest.raises(InvalidInputError, match="part"):
        run("cmexam", *given, "--split", "scaffold")
    with pytest.raises(InvalidInputError, match="--by generation"):
        run("cmexam", *given, "--answers", str(tmp_path / "x"))
    with pytest.raises(InputTooLargeError, match="--shots"):
        run("cmexam", *given, "--shots", "12")
    with pytest.raises(ConfigurationError, match="--allow-remote"):
        run("cmexam", "--data", str(exam), "--model", "https://models.example.org")
    with pytest.raises(MissingDataError, match="no model folder"):
        run("cmexam", "--data", str(exam), "--model", str(tmp_path))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(CheckpointError, match="code of its own"):
        run("cmexam", *given)
    with pytest.raises(InvalidInputError, match="--data FILE"):
        run("dxy")
