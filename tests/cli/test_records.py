"""`xinglin records` as a person uses it: take in, look at what is broken, grant, read, withdraw, erase."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xinglin.cli.records import app
from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import verify
from xinglin.store import open_store

MAPPING = """
text = ["title", "ask"]
[[codes]]
column = "department"
system = "text"
kind = "finding"
"""


def call(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(
        app, list(arguments), input=stdin, env={"COLUMNS": "200"}, catch_exceptions=True
    )


def good(*arguments: str, stdin: str | None = None) -> str:
    done = call(*arguments, stdin=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.mkdir()
    for number in range(5):
        (path / f"{number}.txt").write_text(f"病人{number}", encoding="gb18030" if number % 2 else "utf-8")
    (path / "坏[red].txt").write_bytes(b"\xff\xff")
    return path


def test_the_whole_way(folder: Path) -> None:
    (folder / "readme.md").write_text("x")
    said = good("intake", str(folder), "--dataset", "门诊")
    assert "passed over: readme.md" in said
    assert "格式 format: notes" in said
    assert "5  新增 new" in said
    assert "1  无法读取" in said
    assert "gb18030 2" in said
    assert "xinglin records quarantine 门诊" in said
    assert "坏[red].txt" in good("quarantine", "门诊")
    (row,) = [json.loads(line) for line in good("quarantine", "门诊", "--json").splitlines()]
    assert row["unit"] == "坏[red].txt"
    assert "门诊" in good("list")
    assert "完成 finished" in good("list", "门诊")
    assert "5  已有" in good("intake", str(folder), "--dataset", "门诊")
    with pytest.raises(NotPermittedError, match="xinglin records grant 门诊"):
        good("read", "门诊", "--purpose", "training")
    good("grant", "门诊", "--to", "研究者", "--purpose", "training", "--until", "2099-12-31")
    with pytest.raises(NotPermittedError, match="xinglin records consent"):
        good("read", "门诊", "--purpose", "training", "--as", "研究者")
    good("consent", "门诊", "--purpose", "training", "--basis", "伦理批件 2026-41")
    good("withdraw", "门诊", "--subject", "3")
    done = call("read", "门诊", "--purpose", "training", "--as", "研究者")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["0", "1", "2", "4"]
    assert "1 条未获同意" in done.stderr
    one = ("read", "门诊", "--purpose", "training", "--as", "研究者")
    assert json.loads(good(*one, "--id", "2"))["text"] == "病人2"
    assert [json.loads(line)["id"] for line in good(*one, "--after", "0", "--limit", "1").splitlines()] == [
        "1"
    ]
    assert "已中止" not in good("erase", "门诊", "--subject", "2", stdin="y\n")
    with pytest.raises(UnknownNameError):
        good("erase", "门诊", "--subject", "2", "--yes")
    assert call("erase", "门诊", "--subject", "4", stdin="n\n").exit_code == 1
    assert [json.loads(line)["id"] for line in good(*one).splitlines()] == ["0", "1", "4"]
    assert "1  已删除的患者" in good("intake", str(folder), "--dataset", "门诊")
    good("revoke", "门诊", "--to", "研究者", "--purpose", "training")
    with pytest.raises(NotPermittedError, match="revoked"):
        good(*one)
    with open_store().read() as connection:
        assert verify(connection) > 15


def test_real_sets(data: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    toyhom = data / "text" / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz"
    said = good("intake", str(toyhom), "--dataset", "toyhom", "--mapping", str(mapping))
    assert "6,252  新增" in said
    mapping.write_text(
        'id = "patient_id"\ntext = ["opening_statements.gpt4", "dialogue_gpt4_doctor.content"]\n'
    )
    cases = data / "text" / "ai_hospital_cases" / "dev.jsonl.gz"
    said = good("intake", str(cases), "--dataset", "cases", "--mapping", str(mapping))
    assert "394  新增" in said
    good("grant", "cases", "--to", "cli", "--purpose", "evaluation")
    good("consent", "cases", "--purpose", "evaluation", "--basis", "MIT licence")
    record = json.loads(good("read", "cases", "--purpose", "evaluation", "--id", "1001"))
    with gzip.open(cases, "rt", encoding="utf-8") as lines:
        first = json.loads(next(lines))
    assert record["text"].startswith(first["opening_statements"]["gpt4"])
    assert record["text"].endswith(first["dialogue_gpt4_doctor"][-1]["content"].strip())


def test_rows_under_one_id_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('id = "id"\ntext = "t"\n')
    (tmp_path / "x.csv").write_text("id,t\n1,a\n1,b\n")
    said = good("intake", str(tmp_path / "x.csv"), "--dataset", "d", "--mapping", str(tmp_path / "m.toml"))
    assert "同编号" in said
    assert "under the same id" in said


def test_every_verb_explains_itself_in_both_languages() -> None:
    verbs = ["intake", "list", "quarantine", "read", "grant", "revoke", "consent", "withdraw", "erase"]
    assert len(app.registered_commands) >= len(verbs)
    for verb in verbs:
        said = good(verb, "--help")
        assert any("\u4e00" <= character <= "\u9fff" for character in said)
        assert "Usage" in said


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b"".join(json.dumps({"id": str(i), "text": "x" * 200}).encode() + b"\n" for i in range(25_000))
    )
    code = "from xinglin.cli.records import app; app()"
    command = [sys.executable, "-c", code, "intake", str(path), "--dataset", "d"]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if (home / "xinglin.db").exists() and "unfinished" in call("list", "d").stdout:
            time.sleep(1.0)
            break
    child.send_signal(signal.SIGINT)
    _, complained = child.communicate(timeout=60)
    assert "Run the same command to go on" in complained
    said = good("intake", str(path), "--dataset", "d")
    assert "接续上次 resumed" in said
    assert "25,000  新增" in said


def test_identifiers_are_removed_before_anything_is_stored(tmp_path: Path, home: Path) -> None:
    source, key = tmp_path / "notes.jsonl", tmp_path / "key"
    note = {"id": "ZY-0012345", "text": "患者张建国,男,58岁,住院号 0012345,电话 13812345678,因胸痛3天入院。"}
    source.write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")
    key.write_text("5a" * 32)
    key.chmod(0o600)
    how = ("--dataset", "d", "--deidentify", "--key-file", str(key))
    assert "1  新增 new" in good("intake", str(source), *how)
    assert "1  已有,未变 already there" in good("intake", str(source), *how)  # the same pseudonyms again
    good("consent", "d", "--purpose", "research", "--basis", "ethics 1")
    good("grant", "d", "--to", "cli", "--purpose", "research")
    said = good("read", "d", "--purpose", "research")
    assert "胸痛3天" in said
    held = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file()).decode("latin-1") + said
    for word in ("张建国", "0012345", "13812345678"):
        assert word not in said
        assert word.encode().decode("latin-1") not in held
    for wrong in (("--deidentify",), ("--key-file", str(key))):
        assert isinstance(call("intake", str(source), "--dataset", "e", *wrong).exception, InvalidInputError)
