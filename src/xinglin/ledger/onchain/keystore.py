"""Accounts in encrypted files (Web3 Secret Storage, version 3): scrypt and AES-128-CTR, readable by their owner alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xinglin.errors import AccessError, ConfigurationError, InvalidInputError, MissingDataError
from xinglin.ledger.onchain.library import library

PASSPHRASE = "XINGLIN_CHAIN_PASSPHRASE"
PASSPHRASE_FILE = "XINGLIN_CHAIN_PASSPHRASE_FILE"
MIN_PASSPHRASE = 12
SCRYPT_N = 1 << 18
"""Cost of one guess: the scheme's own default, about a second and 256 MiB."""
MAX_FILE = 1 << 16
_DOOR = "an account of the chain"


def new_account(path: Path, passphrase: str, *, cost: int = SCRYPT_N) -> str:
    """Make an account and write it, encrypted, into a file of mode 0600; return its address.

    Raises:
        ConfigurationError: there is a file already, or the passphrase is shorter than ``MIN_PASSPHRASE``.
        MissingExtraError: eth-account is not installed.
    """
    accounts = library("eth_account", _DOOR).Account
    if len(passphrase) < MIN_PASSPHRASE:
        raise ConfigurationError(f"passphrase: expected at least {MIN_PASSPHRASE} characters")
    made = accounts.create()
    kept = accounts.encrypt(made.key, passphrase, kdf="scrypt", iterations=cost)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"keystore: {path.name} exists; a key is never overwritten") from None
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        json.dump(kept, stream)
    return str(made.address)


def open_account(path: Path, passphrase: str) -> Any:
    """Return the account of a keystore file; it signs, and its key is never shown.

    Raises:
        MissingDataError: there is no such file.
        ConfigurationError: others than its owner may read it.
        InvalidInputError: it is no keystore.
        AccessError: the passphrase is wrong.
        MissingExtraError: eth-account is not installed.
    """
    accounts = library("eth_account", _DOOR).Account
    if not path.is_file():
        raise MissingDataError(f"there is no keystore {path}: make one with `xinglin ledger account new`")
    if os.name == "posix" and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o177:
        raise ConfigurationError(f"keystore: expected mode 0600, got {mode:04o}: run chmod 600 {path.name}")
    text = path.read_bytes()[: MAX_FILE + 1]
    try:
        kept = json.loads(text)
        costs = kept["crypto"]["kdfparams"]
        # A file that asks for hours or gigabytes is not one of ours.
        cheap = costs.get("n", 0) * costs.get("r", 8) <= 8 << 20 and costs.get("c", 0) <= 10_000_000
        usable = len(text) <= MAX_FILE and kept["version"] == 3 and cheap
    except (ValueError, TypeError, KeyError, AttributeError):
        usable = False
    if not usable:
        raise InvalidInputError(f"{path.name}: expected a keystore of version 3 (JSON)")
    try:
        key = accounts.decrypt(kept, passphrase)
    except ValueError:
        raise AccessError(f"keystore {path.name}: the passphrase is wrong, or the file is damaged") from None
    except (TypeError, KeyError):
        raise InvalidInputError(f"{path.name}: expected a keystore of version 3 (JSON)") from None
    return accounts.from_key(key)


def passphrase(prompt: Callable[[], str] | None = None) -> str:
    """Return the passphrase: of the file in ``XINGLIN_CHAIN_PASSPHRASE_FILE``, the variable
    ``XINGLIN_CHAIN_PASSPHRASE``, or the person at the prompt.

    Raises:
        ConfigurationError: none of the three, or others may read the file.
        MissingDataError: there is no such file.
    """
    named = os.environ.get(PASSPHRASE_FILE)
    if named:
        path = Path(named)
        if not path.is_file():
            raise MissingDataError(f"there is no passphrase file {path}")
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"passphrase file: others may read it: run chmod 600 {path.name}")
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    if os.environ.get(PASSPHRASE):
        return os.environ[PASSPHRASE]
    if prompt is None:
        raise ConfigurationError(f"the keystore needs its passphrase: set {PASSPHRASE_FILE} or {PASSPHRASE}")
    return prompt()
