"""From a model back to the grants it was trained under and on to the credit that was paid for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.onchain.names import find

FIELDS = {"network", "dataset", "grants", "rewards", "payout"}


def links(
    connection: Connection, contracts: Contracts, dataset: str, *, payout: int | None = None
) -> dict[str, Any]:
    """Return the field ``chain`` of a version's evidence of consent (``release.registry``).

    Args:
        connection: a transaction.
        contracts: in force.
        dataset: name of a registered data set.
        payout: number of the credit paid for the version, where one was proposed.

    Raises:
        UnknownNameError: the data set is not registered, or there is no such payout.
    """
    if payout is not None:
        contracts.rewards.find(payout)
    addresses = contracts.addresses()
    return {
        "network": contracts.chain.network,
        "dataset": find(connection, contracts.chain.network, "dataset", dataset).hex(),
        "grants": addresses["AccessGrants"],
        "rewards": addresses["Rewards"],
        "payout": payout,
    }


def check_links(contracts: Contracts, content: Mapping[str, Any]) -> dict[str, Any]:
    """Follow the links: who is steward now, which manifest stands there, how the payout stands.

    Raises:
        InvalidInputError: not such a field.
        ChainBrokenError: it names another network or other contracts, or a data set that is not there.
        OnChainError: the node does not answer.
    """
    if not isinstance(content, Mapping) or set(content) != FIELDS:
        raise InvalidInputError(f"chain: expected {', '.join(sorted(FIELDS))}")
    here = contracts.addresses()
    told = (content["network"], content["grants"], content["rewards"])
    if told != (contracts.chain.network, here["AccessGrants"], here["Rewards"]):
        raise ChainBrokenError(
            "the version's grants and rewards are on another network or in other contracts"
        )
    try:
        id = bytes.fromhex(content["dataset"])
    except (TypeError, ValueError):
        raise InvalidInputError("chain: dataset: expected an id of 64 hexadecimal digits") from None
    steward = contracts.registry.steward_of(id)
    if steward is None:
        raise ChainBrokenError("the version's data set is not registered on the chain")
    manifest, version = contracts.registry.manifest_of(id)
    payout = contracts.rewards.find(int(content["payout"])) if content["payout"] is not None else None
    return {
        "steward": steward,
        "manifest": manifest.hex(),
        "manifest_version": version,
        "payout": None if payout is None else payout.state.name,
    }
