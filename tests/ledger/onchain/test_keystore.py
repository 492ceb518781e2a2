"""Keys in files: encrypted, closed to others, never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xinglin.errors import AccessError, ConfigurationError, InvalidInputError, MissingDataError
from xinglin.ledger.onchain import new_account, open_account
from xinglin.ledger.onchain.keystore import passphrase

WORD = "correct horse battery"


def test_a_keystore(tmp_path: Path) -> None:
    path = tmp_path / "steward.json"
    address = new_account(path, WORD, cost=2)
    assert path.stat().st_mode & 0o777 == 0o600
    account = open_account(path, WORD)
    assert account.address == address
    assert account.key.hex() not in path.read_text()
    assert account.key.hex() not in repr(account)
    with pytest.raises(AccessError, match="passphrase is wrong"):
        open_account(path, WORD + "x")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        new_account(path, WORD, cost=2)
    with pytest.raises(ConfigurationError, match="at least"):
        new_account(tmp_path / "weak", "short", cost=2)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_account(path, WORD)
    with pytest.raises(MissingDataError):
        open_account(tmp_path / "none", WORD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 3}',
        '{"version": 3, "crypto": {}}',
        '{"version": 1, "crypto": {"kdfparams": {}}}',
        "\xff",
    ],
)
def test_what_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(InvalidInputError, match="keystore of version 3"):
        open_account(path, WORD)


def test_a_keystore_that_would_eat_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "k"
    new_account(path, WORD, cost=2)
    kept = json.loads(path.read_text())
    kept["crypto"]["kdfparams"]["n"] = 1 << 40
    path.write_text(json.dumps(kept))
    with pytest.raises(InvalidInputError):
        open_account(path, WORD)


def test_where_the_passphrase_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XINGLIN_CHAIN_PASSPHRASE", raising=False)
    with pytest.raises(ConfigurationError, match="PASSPHRASE_FILE"):
        passphrase()
    assert passphrase(lambda: "asked") == "asked"
    monkeypatch.setenv("XINGLIN_CHAIN_PASSPHRASE", "from the environment")
    assert passphrase() == "from the environment"
    path = tmp_path / "word"
    path.write_text(WORD + "\n")
    path.chmod(0o644)
    monkeypatch.setenv("XINGLIN_CHAIN_PASSPHRASE_FILE", str(path))
    with pytest.raises(ConfigurationError, match="chmod 600"):
        passphrase()
    path.chmod(0o600)
    assert passphrase() == WORD
