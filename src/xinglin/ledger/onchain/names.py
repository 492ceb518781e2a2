"""What things are called on the chain: ids of the registry, and keyed digests of who is granted what.

Nothing readable leaves the store. A grantee may be a person of the staff, so the chain sees an HMAC of the name under
the data set's salt; a data set's id is made from another HMAC under that salt. A purpose is one of a handful of public
words and stands as it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from xinglin.errors import ConflictError, InvalidInputError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.onchain.batches import FOREVER, keccak
from xinglin.ledger.onchain.clients import NOBODY
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.subjects import Dataset, find_dataset
from xinglin.store import Store
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables_onchain import chain_ids

Kind = Literal["dataset", "site", "log", "pool", "arbiter"]


def register(
    store: Store,
    contracts: Contracts,
    account: Any,
    kind: Kind,
    name: str,
    *,
    manifest: bytes = bytes(32),
    recovery: str = NOBODY,
) -> bytes:
    """Register a thing with this account as its steward, or find it registered; return its id.

    Args:
        store: remembers the id under the name.
        contracts: where.
        account: becomes the steward.
        kind: what it is.
        name: of the data set, site, audit log, pool or arbiter; stays in the store.
        manifest: SHA-256 of the data set's manifest.
        recovery: address that may replace a steward who lost the key.

    Raises:
        UnknownNameError: there is no such data set.
        ConflictError: the name is registered already.
    """
    network = contracts.chain.network
    if not name.strip() or len(name) > 200:
        raise InvalidInputError("name: expected 1 to 200 characters")
    with store.read() as connection:
        if known(connection, network, kind, name) is not None:
            raise ConflictError(f"{kind} {name} is registered on this chain already")
        salt = new_salt()
        if kind == "dataset":
            salt = keyed_digest(find_dataset(connection, name).salt, b"chain\0dataset")
    seed = bytes.fromhex(salt)
    id = bytes(keccak()(bytes(12) + bytes.fromhex(account.address[2:]) + seed))
    # A data set's salt is always the same: what was sent before a crash is found here, not sent again.
    if contracts.registry.steward_of(id) is None:
        contracts.registry.register(account, seed, manifest, recovery)
    with store.write() as connection:
        row = {"network": network, "kind": kind, "name": name, "id": id.hex()}
        connection.execute(
            insert(chain_ids).values(**row, time=datetime.now(UTC).isoformat(timespec="seconds"))
        )
        append(connection, "chain.register", actor=account.address, detail=row)
    return id


def known(connection: Connection, network: str, kind: Kind, name: str) -> bytes | None:
    """Return the id of a thing; ``None``: it is not registered on this chain."""
    query = select(chain_ids.c.id).where(
        chain_ids.c.network == network, chain_ids.c.kind == kind, chain_ids.c.name == name
    )
    found = connection.execute(query).scalar()
    return None if found is None else bytes.fromhex(found)


def find(connection: Connection, network: str, kind: Kind, name: str) -> bytes:
    """Return the id of a thing.

    Raises:
        UnknownNameError: it is not registered on this chain.
    """
    found = known(connection, network, kind, name)
    if found is None:
        query = select(chain_ids.c.name).where(chain_ids.c.network == network, chain_ids.c.kind == kind)
        there = ", ".join(connection.execute(query.order_by(chain_ids.c.name).limit(10)).scalars())
        raise UnknownNameError(
            f"{kind} {name} is not registered on this chain; registered: {there or 'none'}. "
            f"Register it with `xinglin ledger register {kind} {name}`"
        )
    return found


def names(connection: Connection, network: str, kind: Kind) -> dict[bytes, str]:
    """Return the names of all things of a kind by their ids."""
    query = select(chain_ids.c.id, chain_ids.c.name).where(
        chain_ids.c.network == network, chain_ids.c.kind == kind
    )
    return {bytes.fromhex(row.id): row.name for row in connection.execute(query)}


def grantee_digest(dataset: Dataset, grantee: str) -> bytes:
    """Return what stands for a grantee: another value for each data set."""
    return bytes.fromhex(keyed_digest(dataset.salt, b"chain\0grantee\0" + grantee.encode()))


def purpose_word(purpose: str) -> bytes:
    """Return a purpose as 32 bytes of ASCII."""
    return purpose.encode("ascii").ljust(32, b"\0")


def seconds(expires: str | None) -> int:
    """Return the last second of validity as Unix time."""
    return FOREVER if expires is None else int(datetime.fromisoformat(expires).timestamp())
