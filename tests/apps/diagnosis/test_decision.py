"""A refusal of automated decisions reaches the answer, and a kept answer can be accounted for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.apps.diagnosis.decision import account, answers_to
from xinglin.apps.diagnosis.remember import confirm_case, save_case
from xinglin.cli.main import app
from xinglin.errors import UnknownNameError
from xinglin.ledger import entries
from xinglin.ledger.automated import accept_automated, refuse_automated, refuses_automated
from xinglin.store import Store
from xinglin.types import Code

TEXT = "男,58岁,胸痛3小时,伴大汗,心电图ST段抬高"


def call(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.fixture
def stored(store: Store, tmp_path: Path) -> Store:
    """One stored record of subject A, which the ward may read for care."""
    source, mapping = tmp_path / "d.csv", tmp_path / "m.toml"
    source.write_text(f'id,patient,text\n1,A,"{TEXT}"\n', encoding="utf-8")
    mapping.write_text('id = "id"\nsubject = "patient"\ntext = "text"\n', encoding="utf-8")
    call("records", "intake", str(source), "--dataset", "d", "--mapping", str(mapping))
    call("records", "consent", "d", "--purpose", "care", "--basis", "treatment")
    call("records", "grant", "d", "--to", "ward", "--purpose", "care")
    return store


def asked() -> dict[str, object]:
    words = ("diagnose", "--dataset", "d", "--id", "1", "--as", "ward", "--engine", "graph", "--json")
    found: dict[str, object] = json.loads(call(*words))
    return found


def test_a_standing_refusal_hands_the_answer_to_a_clinician(stored: Store) -> None:
    before = asked()
    call("records", "refuse", "d", "--subject", "A", "--as", "desk")
    after = asked()
    assert before["triage_level"] == "call_120"
    assert (after["triage_level"], after["suggested_triage_level"]) == ("clinician", "call_120")
    assert str(after["triage"]).startswith("须由医师决定")
    assert after["red_flags"] == before["red_flags"] != []
    shown = call("diagnose", "--dataset", "d", "--id", "1", "--as", "ward", "--engine", "graph")
    assert "须由医师决定" in shown
    call("records", "accept", "d", "--subject", "A")
    assert asked()["triage_level"] == "call_120"
    with stored.read() as connection:
        told = [(one.action, one.actor) for one in entries(connection)]
        levels = [one.detail["triage"] for one in entries(connection) if one.action == "prediction"]
    assert ("automated.refuse", "desk") in told
    assert ("automated.accept", "cli") in told
    assert levels == ["call_120", "clinician", "clinician", "call_120"]


def test_the_newest_statement_holds_and_a_stranger_refused_nothing(stored: Store) -> None:
    with stored.write() as connection:
        for expected, state in (
            (True, refuse_automated),
            (False, accept_automated),
            (True, refuse_automated),
        ):
            state(connection, "d", subject="A", by="x")
            assert refuses_automated(connection, "d", "A") is expected
        assert not refuses_automated(connection, "d", "a")
        with pytest.raises(UnknownNameError, match="no such subject"):
            refuse_automated(connection, "d", subject="B", by="x")


def test_a_kept_answer_is_accounted_for(stored: Store, home: Path) -> None:
    answer = asked()
    case = save_case(stored, text=TEXT, answer=answer, note="", lang="zh", actor="chen")
    told = account(stored, case, actor="chen")
    assert told["intact"] == {"text": True, "answer": True}
    assert told["entry"]["model"]["id"] == answer["model"]["id"]  # type: ignore[index]
    assert {one["code"]["display"] for one in told["inputs"]["findings"]} >= {"胸痛"}
    assert told["weighed"][0]["evidence"], "how each finding weighed"
    assert told["red_flags"]
    assert told["decided"] is None
    confirm_case(stored, case, Code("icd10-who", "I21", "急性心肌梗死"), actor="chen")
    shown = call("decision", case, "--as", "chen")
    for word in ("与账本一致", "胸痛", "急性心肌梗死 (chen", "由规则 by rule", "未经注册"):
        assert word in shown, word
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.execute("UPDATE cases SET answer = replace(answer, '胸痛', '腹痛')")
    assert account(stored, case, actor="chen")["intact"] == {"text": True, "answer": False}
    with stored.read() as connection:
        *_, last = entries(connection)
    assert (last.action, last.detail["intact"]) == ("decision.explain", False)
    with pytest.raises(UnknownNameError, match="no case"):
        account(stored, case, actor="zhao")


def test_who_brings_the_text_finds_the_answers_to_it(stored: Store) -> None:
    asked()
    with stored.read() as connection:
        (entry,) = (one for one in entries(connection) if one.action == "prediction")
        (found,) = answers_to(connection, TEXT)
        assert found["seq"] == entry.seq
        assert answers_to(connection, TEXT + "。") == []
    assert f"#{entry.seq}" in call("decision", "--text", TEXT)
    assert "没有" in call("decision", "--text", "别的")
