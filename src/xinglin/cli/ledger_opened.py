"""What every verb of ``xinglin ledger`` begins with: the contracts in force, the account that signs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from xinglin.ledger.onchain import Contracts
    from xinglin.store import Store


def opened() -> tuple[Store, Contracts]:
    """Return the store and the contracts in force.

    Raises:
        MissingDataError: nothing is deployed.
    """
    from xinglin.errors import MissingDataError
    from xinglin.ledger.onchain import in_force
    from xinglin.store import open_store

    store = open_store()
    contracts = in_force(store)
    if contracts is None:
        raise MissingDataError("this store uses no chain yet: run `xinglin ledger deploy`")
    return store, contracts


def signer(key: Path) -> Any:
    """Return the account of a keystore, with its passphrase from file, environment or prompt."""
    from xinglin.ledger.onchain import open_account
    from xinglin.ledger.onchain.keystore import passphrase

    return open_account(key, passphrase(lambda: str(typer.prompt("口令 passphrase", hide_input=True))))


def word(text: str) -> bytes:
    """Read a SHA-256 in hex.

    Raises:
        InvalidInputError: it is none.
    """
    from xinglin.errors import InvalidInputError

    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InvalidInputError(f"expected a SHA-256 of 64 hexadecimal digits, got {text[:70]!r}")
    return bytes.fromhex(text)
