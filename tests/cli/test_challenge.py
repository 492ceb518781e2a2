"""``xinglin challenge`` from a draft to a verified close, through the command itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.release.challenge.contest import answers, cases, draft
from tests.release.challenge.models import write_onnx
from xinglin.cli import challenge as module
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError
from xinglin.ledger.audit_keys import announce
from xinglin.ledger.heads import sign_head
from xinglin.ledger.signature import new_key
from xinglin.store import open_store

NOW = datetime.now(UTC)
root = typer.Typer()
module.register(root)


def run(*arguments: str | Path) -> str:
    ended = CliRunner().invoke(root, ["challenge", *map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


def write_cases(path: Path, found: list[object]) -> Path:
    rows = [
        {"id": one.id, "text": one.text, "label": one.label, "part": one.part, "groups": dict(one.groups)}  # type: ignore[attr-defined]
        for one in found
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    opens, closes = NOW - timedelta(days=1), NOW + timedelta(days=5)
    new_key(tmp_path / "west")
    site = {"name": "West", "public_key": (tmp_path / "west.pub").read_text().strip()}
    text = draft(opens=opens.isoformat(), closes=closes.isoformat(), sites=[site])
    (tmp_path / "draft.json").write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
    hidden = write_cases(tmp_path / "hidden.jsonl", cases())  # type: ignore[arg-type]
    out = tmp_path / "manifest.json"
    assert "承诺 committed" in run("create", tmp_path / "draft.json", "--hidden", hidden, "--out", out)
    assert json.loads(out.read_text())["commitment"]["cases"] == 60
    assert "问" not in json.dumps(json.loads(out.read_text())["commitment"])
    return out


def test_from_draft_to_verified_close(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "triage-test" in run("list")
    assert json.loads(run("list", "--json"))[0]["phase"] == "open"
    run("show", "triage-test", "--questions", tmp_path / "q.jsonl")
    assert len((tmp_path / "q.jsonl").read_text().splitlines()) == 60
    some = answers(20)
    rows = {
        key: dict(zip(some.labels, map(float, row), strict=True))
        for key, row in zip(some.ids, some.probabilities, strict=True)
    }
    (tmp_path / "p.json").write_text(json.dumps(rows), encoding="utf-8")
    told = json.loads(
        run("enter", "triage-test", tmp_path / "p.json", "--title", "x", "--as", "bo", "--json")
    )
    assert told["state"] == "accepted"
    assert "分数未变" in run("enter", "triage-test", tmp_path / "p.json", "--title", "x", "--as", "bo")
    said = run("enter", "triage-test", write_onnx(tmp_path / "m"), "--title", "计数 counts", "--as", "ma")
    assert "1.0000" in said
    assert "隔离 barriers" in said
    shown = run("show", "triage-test")
    assert "当前榜单" in shown
    assert "未经注册" in shown
    # On site: a report leaves, the board takes it.
    own = write_cases(tmp_path / "own.jsonl", cases(40, 0))  # type: ignore[arg-type]
    assert "准确率 accuracy: 1.0000" in run("score", made, tmp_path / "m", "--data", own)
    with pytest.raises(InvalidInputError, match="--on-site needs"):
        run("score", made, tmp_path / "m", "--data", own, "--on-site")
    options = (
        "--on-site",
        "--sign",
        tmp_path / "west",
        "--salt",
        tmp_path / "salt",
        "--out",
        tmp_path / "r.json",
    )
    run("score", made, tmp_path / "m", "--data", own, *options)
    assert "West" in run("site", "triage-test", tmp_path / "r.json")
    # A receipt.
    public = new_key(tmp_path / "audit")
    with open_store().write() as connection:
        announce(connection, tmp_path / "audit", actor="cli")
        sign_head(connection, tmp_path / "audit")
    run("receipt", "triage-test", str(told["entry"]), "--out", tmp_path / "receipt.json")
    check = ("verify", "--receipt", tmp_path / "receipt.json", "--public-key", public, "--digest")
    assert "回执有效" in run(*check, told["digest"])
    with pytest.raises(InvalidInputError, match="other predictions"):
        run(*check, "0" * 64)
    # Closing.
    with pytest.raises(ConflictError, match="takes entries until"):
        run("close", "triage-test")

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return NOW + timedelta(days=6)

    monkeypatch.setattr(module, "datetime", Later)
    with pytest.raises(NotPermittedError, match="organiser organises"):
        run("close", "triage-test", "--as", "bo")
    assert "最终榜单" in run("close", "triage-test")
    with pytest.raises(ConflictError, match="closed already"):
        run("close", "triage-test")
    run("show", "triage-test", "--opening", tmp_path / "opening")
    assert "核验通过" in run("verify", "triage-test", "--opening", tmp_path / "opening")
    (tmp_path / "opening" / "salts.json").write_text(json.dumps({"inputs": "0" * 64, "labels": "0" * 64}))
    with pytest.raises(InvalidInputError, match="do not open"):
        run("verify", "--opening", tmp_path / "opening")
    with pytest.raises(InvalidInputError, match="expected a challenge"):
        run("verify")
