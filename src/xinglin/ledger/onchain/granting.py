"""One grant at a time: stated in the store and on the chain, and taken back from both."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from xinglin.ledger import grants
from xinglin.ledger.onchain.chain import Sent
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.onchain.names import find, grantee_digest, purpose_word, seconds
from xinglin.ledger.onchain.statements import Anchored, anchor_grants
from xinglin.ledger.subjects import find_dataset
from xinglin.store import Store
from xinglin.store.tables import grants as table


def grant(
    store: Store,
    contracts: Contracts,
    account: Any,
    dataset: str,
    *,
    grantee: str,
    purpose: str,
    by: str,
    expires: str | None = None,
) -> Sent:
    """Grant in the store and by a transaction of the steward.

    The store's statement comes first; without the chain's it opens nothing.

    Raises:
        As ``ledger.grants.grant``; UnknownNameError: the data set is not registered on the chain;
        NotPermittedError: the account is not the steward; OnChainError: the node does not answer.
    """
    id, who, last = _stated(store, contracts, dataset, grantee, purpose, by, expires)
    return contracts.grants.grant(account, id, who, purpose_word(purpose), last)


def sign_grant(
    store: Store,
    contracts: Contracts,
    account: Any,
    dataset: str,
    *,
    grantee: str,
    purpose: str,
    by: str,
    deadline: int,
    expires: str | None = None,
) -> dict[str, Any]:
    """Grant in the store and sign the chain's grant (EIP-712), for another to bring.

    Args:
        deadline: last second in which it can be brought, Unix time.

    Raises:
        As :func:`grant`.
    """
    id, who, last = _stated(store, contracts, dataset, grantee, purpose, by, expires)
    return contracts.grants.sign(account, id, who, purpose_word(purpose), last, deadline)


def revoke(
    store: Store, contracts: Contracts, account: Any, dataset: str, *, grantee: str, purpose: str, by: str
) -> Anchored:
    """Revoke in the store, then on the chain, by whichever way it had been granted there.

    Raises:
        As ``ledger.grants.revoke``; as :func:`grant`. The store's revocation stands in any case.
    """
    with store.write() as connection:
        grants.revoke(connection, dataset, grantee=grantee, purpose=purpose, by=by)
        found = find_dataset(connection, dataset)
        id = find(connection, contracts.chain.network, "dataset", dataset)
    # Also where nothing is in force: a signature that was not brought yet dies with it.
    sent = contracts.grants.revoke(account, id, grantee_digest(found, grantee), purpose_word(purpose))
    struck = anchor_grants(store, contracts, account, dataset)
    return Anchored(struck.statements, struck.batches, struck.struck + 1, struck.gas + sent.gas)


def _stated(
    store: Store, contracts: Contracts, dataset: str, grantee: str, purpose: str, by: str, expires: str | None
) -> tuple[bytes, bytes, int]:
    with store.write() as connection:
        id = find(connection, contracts.chain.network, "dataset", dataset)
        grants.grant(connection, dataset, grantee=grantee, purpose=purpose, by=by, expires=expires)
        found = find_dataset(connection, dataset)
        query = (
            select(table.c.expires).where(table.c.dataset == found.id).order_by(table.c.id.desc()).limit(1)
        )
        last = seconds(connection.execute(query).scalar())
    return id, grantee_digest(found, grantee), last
