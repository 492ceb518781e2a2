"""``xinglin ledger``: what a steward, a lab and an auditor type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.ledger.credit.made import SITES, made
from xinglin.cli import ledger_chain
from xinglin.errors import (
    ConflictError,
    InvalidInputError,
    MissingDataError,
    NotPermittedError,
    UnknownNameError,
)
from xinglin.ledger import check, give_consent
from xinglin.ledger.credit.evidence import assess
from xinglin.ledger.onchain import new_account
from xinglin.ledger.onchain.library import own_recursion_limit
from xinglin.records import create_dataset
from xinglin.store import Store, open_store
from xinglin.store.key_files import write_key_file

with own_recursion_limit():
    pytest.importorskip("web3")
WORD = "correct horse battery"


def say(*words: str) -> str:
    app = typer.Typer()
    ledger_chain.register(app)
    done = CliRunner().invoke(app, ["ledger", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_nothing_is_deployed_yet(store: Store) -> None:
    with pytest.raises(MissingDataError, match="ledger deploy"):
        say("chain", "status")
    assert "共享账本" in say("--help")


@pytest.mark.slow
def test_from_an_account_to_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key_file(tmp_path / "archive.key")
    monkeypatch.setenv("XINGLIN_ARCHIVE_KEY", str(tmp_path / "archive.key"))
    monkeypatch.setenv("XINGLIN_CHAIN_PASSPHRASE", WORD)
    key, lab = str(tmp_path / "steward.json"), str(tmp_path / "lab.json")
    assert "地址 address 0x" in say("account", "new", "--out", key)
    stranger = new_account(tmp_path / "lab.json", WORD, cost=2)
    Path(key).unlink()
    new_account(Path(key), WORD, cost=2)  # the same, with a cheap key derivation
    store = open_store()
    with store.write() as connection:
        create_dataset(connection, "heart", by="steward")
        give_consent(connection, "heart", subject="p1", purpose="training", basis="form 3", by="nurse")
    assert "gas" in say("deploy", "--key", key, "--estimate")
    addresses = json.loads(say("deploy", "--key", key).split("\n", 1)[1])
    assert len(addresses) == 5
    assert "已登记 registered: dataset heart" in say(
        "register", "dataset", "heart", "--key", key, "--recovery", stranger
    )
    with pytest.raises(ConflictError, match="registered on this chain already"):
        say("register", "dataset", "heart", "--key", key)
    with pytest.raises(UnknownNameError, match="registered: none"):
        say("anchor", "--audit", "--key", key)
    say("register", "log", "audit", "--key", key)
    with pytest.raises(InvalidInputError, match="expected --dataset"):
        say("anchor", "--key", key)
    assert "已授权 granted" in say("grant", "heart", "--to", "lab", "--purpose", "training", "--key", key)
    with store.read() as connection:
        check(connection, "heart", grantee="lab", purpose="training")
    assert "已撤销 revoked" in say("revoke", "heart", "--to", "lab", "--purpose", "training", "--key", key)
    signed = tmp_path / "signed.json"
    signed.write_text(say("grant", "heart", "--to", "lab", "--purpose", "training", "--sign", "--key", key))
    with store.read() as connection, pytest.raises(NotPermittedError, match="grant on the chain"):
        check(connection, "heart", grantee="lab", purpose="training")
    assert "已授权 granted" in say("bring", str(signed), "--key", lab)
    with store.read() as connection:
        check(connection, "heart", grantee="lab", purpose="training")
    with pytest.raises(InvalidInputError, match="grant --sign"):
        say("bring", key + "x", "--key", lab)
    assert "同意 consents: 1 条" in say("anchor", "--dataset", "heart", "--audit", "--key", key)
    assert "审计链相符 the audit chain agrees" in say("chain", "verify")
    assert "confirmed" in say("chain", "status")
    assert "重发 sent again 0" in say("settle")
    assert "已全部撤销" in say("revoke-all", "heart", "--key", key)
    say("steward", "offer", "dataset", "heart", "--to", stranger, "--key", key)
    assert stranger in say("steward", "accept", "dataset", "heart", "--key", lab)
    with pytest.raises(NotPermittedError, match="only the steward"):
        say("grant", "heart", "--to", "other", "--purpose", "training", "--key", key)
    for kind, name in (("pool", "p"), ("arbiter", "board"), ("site", "a"), ("site", "b")):
        say("register", kind, name, "--key", key)
    say("reward", "open", "p", "--arbiter", "board", "--days", "1", "--key", key)
    shares = tmp_path / "shares.json"
    shares.write_text(json.dumps({"a": 7000, "b": 2000}))
    with pytest.raises(InvalidInputError, match="together 10000; got 9000"):
        say("reward", "propose", "p", "--shares", str(shares), "--evidence", "ab" * 32, "--key", key)
    shares.write_text(json.dumps({"a": 7000, "b": 3000}))
    assert "payout 1" in say(
        "reward", "propose", "p", "--shares", str(shares), "--evidence", "ab" * 32, "--key", key
    )
    assert "已异议" in say("reward", "challenge", "1", "--evidence", "cd" * 32, "--key", lab)
    with pytest.raises(ConflictError, match="window is open"):
        say("reward", "decide", "1", "--dismiss", "--key", key)
    with pytest.raises(ConflictError, match="not final"):
        say("reward", "claim", "1", "a", "--key", key)
    with pytest.raises(InvalidInputError, match="--credit FILE, or --shares"):
        say("reward", "propose", "p", "--shares", str(shares), "--key", key)
    for name in SITES:
        say("register", "site", name, "--key", key)
    evidence = tmp_path / "evidence.json"
    evidence.write_text(json.dumps(made()))
    assert "payout 2" in say("reward", "propose", "p", "--credit", str(evidence), "--key", key)
    paid = say("reward", "show", "2")
    assert all(f"{site}: {share} bp" in paid for site, share in assess(made())[1].points.items() if share)
    shown = say("reward", "show", "1")
    assert "CHALLENGED" in shown
    assert "a: 7000 bp, 未领 not claimed" in shown
