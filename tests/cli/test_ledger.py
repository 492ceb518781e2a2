"""The audit chain at the command line: keys, signatures, journals and proofs as an auditor meets them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from xinglin.cli.ledger import app
from xinglin.errors import ChainBrokenError, ConflictError, InvalidInputError, MissingDataError
from xinglin.ledger import append
from xinglin.store import Store


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_an_auditor_checks_at_home_with_a_file_and_a_key(store: Store, home: Path, tmp_path: Path) -> None:
    key, head, journal, proof = (
        tmp_path / name for name in ("key.pem", "head.json", "journal", "proof.json")
    )
    run("key", "new", "--out", key, "--actor", "lead")
    with store.write() as connection:
        append(connection, "test", actor="a")
    run("sign", "--key", key, "--out", head)
    run("export", "--out", journal)
    run("prove", "--entry", 2, "--out", proof)
    public = tmp_path / "key.pem.pub"
    assert "signatures not checked" in run("verify").output
    assert json.loads(run("verify", "--public-key", public, "--json").output) == {
        "intact": True,
        "entries": 2,
        "first": 1,
        "heads": 1,
    }
    assert (
        "signed heads 1" in run("verify", "--from", 2, "--to", 2, "--public-key", public.read_text()).output
    )
    assert "2 entries" in run("verify", "--journal", journal, "--head", head, "--public-key", public).output
    assert '"action": "test"' in run("check", proof, "--public-key", public).output
    assert len(run("heads").output.splitlines()) == len(run("key", "list").output.splitlines()) == 1

    # Somebody rewrites the store as a whole: the chain fits itself again, the head kept outside does not.
    store.close()
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.executescript(
            "DELETE FROM ledger; DELETE FROM ledger_signed_heads;"
            f"UPDATE ledger_head SET seq = 0, time = NULL, hash = '{'0' * 64}'"
        )
    run("verify")
    with pytest.raises(ChainBrokenError, match="cut off"):
        run("verify", "--head", head, "--public-key", public)


def test_keys_change_hands_and_none_is_left_that_the_chain_refused(store: Store, tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.pem" for name in "abc")
    run("key", "new", "--out", first)
    with pytest.raises(ConflictError, match="hand over"):
        run("key", "new", "--out", second)
    assert not second.exists()
    run("key", "new", "--out", second, "--replaces", first)
    with pytest.raises(InvalidInputError, match="reason"):
        run("key", "new", "--out", third, "--lost")
    run("key", "new", "--out", third, "--lost", "--reason", "the disk died")
    run("sign", "--key", third)
    with pytest.raises(ChainBrokenError, match="no key that you trust"):
        run("verify", "--public-key", tmp_path / "a.pem.pub")
    run("verify", "--public-key", tmp_path / "a.pem.pub", "--public-key", tmp_path / "c.pem.pub")


def test_a_clock_that_ran_ahead_is_told_in_the_chain(store: Store) -> None:
    run("clock", "--reason", "battery", "--actor", "lead")
    told = json.loads(run("list", "--last", 1).output)
    assert (told["action"], told["detail"]["reason"], told["actor"]) == ("audit.clock", "battery", "lead")


def test_options_that_do_not_go_together_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(InvalidInputError, match="--seq and --hash"):
        run("verify", "--seq", 1)
    with pytest.raises(InvalidInputError, match="--public-key"):
        run("verify", "--journal", tmp_path / "x")
    with pytest.raises(InvalidInputError, match="64 hexadecimal"):
        run("verify", "--public-key", tmp_path / "x")
    with pytest.raises(MissingDataError):
        run("verify", "--journal", tmp_path / "none", "--public-key", "0" * 64)
    with pytest.raises(InvalidInputError, match="either --entry or --since"):
        run("prove", "--out", tmp_path / "p")
    with pytest.raises(InvalidInputError, match="JSON"):
        run("check", tmp_path / "x", "--public-key", "0" * 64)
