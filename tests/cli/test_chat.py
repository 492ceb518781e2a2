"""``xinglin chat`` and ``xinglin assistant index`` as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli.chat import register
from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError
from xinglin.ledger import entries
from xinglin.store import open_store

app = typer.Typer()
register(app)
RUN = CliRunner()


def test_once_in_words_and_as_json() -> None:
    done = RUN.invoke(app, ["chat", "--engine", "graph", "--once", "高血压要做哪些检查?"])
    assert done.exit_code == 0, done.output
    assert "人工智能生成" in done.output
    assert "来源 Sources:" in done.output
    done = RUN.invoke(
        app, ["chat", "--engine", "graph", "--once", "-", "--json"], input="我胸口压榨样疼,冒冷汗"
    )
    said = json.loads(done.output)
    assert said["emergency"] == "call_120"
    assert said["sentences"][0]["kind"] == "emergency"
    with pytest.raises(InvalidInputError, match="--once"):
        RUN.invoke(app, ["chat", "--json"], catch_exceptions=False)


def test_a_conversation_ends_by_word_and_by_end_of_file() -> None:
    done = RUN.invoke(app, ["chat", "--engine", "graph"], input="高血压挂什么科?\n\n退出\n")
    assert done.exit_code == 0, done.output
    assert "心血管内科" in done.output
    assert RUN.invoke(app, ["chat", "--engine", "graph"], input="").exit_code == 0


def test_documents_are_indexed_answered_from_and_remembered(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# 甲状腺结节\n甲状腺结节建议每年复查甲状腺超声。", encoding="utf-8")
    done = RUN.invoke(app, ["assistant", "index", str(folder)])
    assert done.exit_code == 0, done.output
    assert "1 份文档" in done.output
    manifest = json.loads((home / "assistant" / "index" / "manifest.json").read_text())
    assert list(manifest["documents"]) == ["a.md"]
    with open_store().read() as connection:
        entry = next(entry for entry in entries(connection) if entry.action == "assistant.index")
    assert entry.detail == {"documents": 1, "passages": 1}
    said = RUN.invoke(app, ["chat", "--once", "甲状腺结节多久复查甲状腺超声?", "--json"])
    sources = json.loads(said.output)["sources"]
    assert any(source["where"] == "a.md" and source["digest"] for source in sources)
    with pytest.raises(MissingDataError):
        RUN.invoke(app, ["assistant", "index", str(tmp_path / "none")], catch_exceptions=False)


def test_words_do_not_leave_this_machine_unasked() -> None:
    for arguments in (["--language-model", "https://api.example.com/v1"],):
        with pytest.raises(ConfigurationError, match="--allow-remote"):
            RUN.invoke(app, ["chat", "--once", "x", *arguments], catch_exceptions=False)
