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
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.train.decoder.ship import write_checkpoint


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
    assert said["architecture"] == "Dots1ForCausalLM"
    assert said["active"] < said["total"]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "moe").config.num_experts_per_tok == 2
    with store.read() as connection:
        entry = list(entries(connection))[-1]
    assert entry.action == "model.upcycle"
    assert said["id"] in entry.subjects
    rows = [{"department": name, "ask": text} for name, text in texts(0, apart=True)]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    report = tmp_path / "load.html"
    run = CliRunner().invoke(
        app, ["experts", "load", str(tmp_path / "moe"), "--texts", str(path), "--out", str(report)]
    )
    assert run.exit_code == 0, run.output
    assert "第 2 层" in run.stdout
    assert "甲科" in report.read_text(encoding="utf-8")


def test_the_mixture_of_a_sealed_model_is_sealed_and_names_its_parent(app, tmp_path):
    data = [{"name": "words", "sha256": "0" * 64, "records": 3, "licence": "MIT", "weak": False}]
    parent = write_checkpoint(
        dense("qwen3"),
        word_tokenizer(),
        tmp_path / "dense",
        stage="test",
        data=data,
        settings={},
        seeds=[1],
        metrics={},
    )
    run = CliRunner().invoke(
        app,
        ["experts", "upcycle", parent.path, "--out", str(tmp_path / "moe"), "--shared", "0", "--seed", "5"],
    )
    assert run.exit_code == 0, (run.output, run.exception)
    assert "Qwen3MoeForCausalLM" in run.stdout
    manifest = verify_checkpoint(tmp_path / "moe").manifest
    assert manifest["parents"] == [parent.id]
    assert manifest["data"] == data
    assert manifest["seeds"] == [5]
    assert manifest["settings"]["redraw"] == 0.5


def test_a_refusal_writes_nothing(app, folder, tmp_path):
    run = CliRunner().invoke(
        app, ["experts", "upcycle", str(folder), "--out", str(tmp_path / "moe"), "--experts", "2"]
    )
    assert isinstance(run.exception, InvalidInputError)
    assert "fewer than the 2 experts" in str(run.exception)
    assert not (tmp_path / "moe").exists()
