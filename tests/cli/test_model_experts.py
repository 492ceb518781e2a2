"""``xinglin model experts`` from a folder to a folder, with its ledger entry and its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from tests.model.experts.test_load import texts, word_tokenizer
from tests.model.experts.tiny import dense
from xinglin.cli.model_experts import register
from xinglin.errors import InvalidInputError
from xinglin.ledger import entries


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dense("qwen3").save_pretrained(tmp_path / "dense")
    word_tokenizer().save_pretrained(tmp_path / "dense")
    return tmp_path / "dense"


def test_upcycle_then_load(app, folder, tmp_path, store):
    made = CliRunner().invoke(
        app, ["experts", "upcycle", str(folder), "--out", str(tmp_path / "moe"), "--experts", "4", "--json"]
    )
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    assert said["architecture"] == "Dots1ForCausalLM" and said["active"] < said["total"]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "moe").config.num_experts_per_tok == 2
    with store.read() as connection:
        entry = list(entries(connection))[-1]
    assert entry.action == "model.upcycle" and said["id"] in entry.subjects
    rows = [{"department": name, "ask": text} for name, text in texts(0, apart=True)]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    report = tmp_path / "load.html"
    run = CliRunner().invoke(
        app, ["experts", "load", str(tmp_path / "moe"), "--texts", str(path), "--out", str(report)]
    )
    assert run.exit_code == 0, run.output
    assert "第 2 层" in run.stdout and "甲科" in report.read_text(encoding="utf-8")


def test_a_refusal_writes_nothing(app, folder, tmp_path):
    run = CliRunner().invoke(
        app, ["experts", "upcycle", str(folder), "--out", str(tmp_path / "moe"), "--experts", "2"]
    )
    assert isinstance(run.exception, InvalidInputError)
    assert "fewer than the 2 experts" in str(run.exception)
    assert not (tmp_path / "moe").exists()
