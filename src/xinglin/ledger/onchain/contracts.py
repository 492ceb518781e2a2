"""The five contracts of one deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.ledger.onchain.artifacts import NAMES, artifact
from xinglin.ledger.onchain.chain import Chain
from xinglin.ledger.onchain.clients import (
    AccessGrants,
    AuditAnchor,
    ConsentRegistry,
    DatasetRegistry,
)
from xinglin.ledger.onchain.library import library
from xinglin.ledger.onchain.node import explained
from xinglin.ledger.onchain.rewards import Rewards

RECOVERY_DELAY = 14 * 86_400
"""Seconds in which a steward whose key is not lost can refuse a recovery."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """One deployment."""

    chain: Chain
    registry: DatasetRegistry
    consents: ConsentRegistry
    grants: AccessGrants
    audit: AuditAnchor
    rewards: Rewards

    @classmethod
    def deploy(cls, chain: Chain, account: Any, *, recovery_delay: int = RECOVERY_DELAY) -> Contracts:
        """Put the contracts on a chain.

        Args:
            chain: where.
            account: pays; has no rights afterwards.
            recovery_delay: seconds between a recovery and its effect.

        Raises:
            OnChainError: the node does not answer.
            InvalidInputError: a negative delay.
        """
        if recovery_delay < 0:
            raise InvalidInputError(f"recovery delay: expected 0 seconds or more, got {recovery_delay}")
        addresses: dict[str, str] = {}
        for name in NAMES:
            found = artifact(name)
            kind = chain.web3.eth.contract(abi=found["abi"], bytecode=found["bytecode"])
            argument = recovery_delay if name == NAMES[0] else addresses[NAMES[0]]
            sent = chain.send(kind.constructor(argument), account, f"deploy {name}")
            addresses[name] = str(sent.contract)
        return cls.attach(chain, addresses)

    @classmethod
    def attach(cls, chain: Chain, addresses: Mapping[str, str]) -> Contracts:
        """Use contracts that were deployed before.

        Args:
            chain: where they are.
            addresses: by the names of the contracts.

        Raises:
            InvalidInputError: a name is missing, or an address is none.
            ConfigurationError: at an address there is another program than ours, or another registry is asked.
        """
        if set(addresses) != set(NAMES):
            raise InvalidInputError(
                f"expected the addresses of {', '.join(NAMES)}; got {', '.join(addresses)}"
            )
        web3 = library("web3", "the contracts").Web3
        made: dict[str, Any] = {}
        chain.settle()
        for name in NAMES:
            if not web3.is_address(addresses[name]):
                raise InvalidInputError(f"{name}: expected an address, got {str(addresses[name])[:50]!r}")
            address = web3.to_checksum_address(addresses[name])
            contract = chain.web3.eth.contract(address=address, abi=artifact(name)["abi"])
            _check(chain, name, contract)
            made[name] = contract
        registry = made[NAMES[0]].address
        for name in NAMES[1:]:
            if chain.read(made[name].functions.REGISTRY()) != registry:
                raise ConfigurationError(
                    f"{name} at {made[name].address} asks another registry: check the addresses"
                )
        return cls(
            chain,
            DatasetRegistry(chain, made["DatasetRegistry"]),
            ConsentRegistry(chain, made["ConsentRegistry"]),
            AccessGrants(chain, made["AccessGrants"]),
            AuditAnchor(chain, made["AuditAnchor"]),
            Rewards(chain, made["Rewards"]),
        )

    def addresses(self) -> dict[str, str]:
        """Return where they are."""
        parts = (self.registry, self.consents, self.grants, self.audit, self.rewards)
        return {name: str(part.contract.address) for name, part in zip(NAMES, parts, strict=True)}


def _check(chain: Chain, name: str, contract: Any) -> None:
    """Compare the program on the chain with ours.

    What is deployed is the runtime part of the bytecode with the values set at deployment behind it (Vyper's
    immutables); the part itself stands inside the bytecode as it is.
    """
    chain.catch_up()
    with explained():
        code = bytes(chain.web3.eth.get_code(contract.address))
    whole = bytes.fromhex(artifact(name)["bytecode"].removeprefix("0x"))
    if len(code) <= 32 or code[:-32] not in whole:
        raise ConfigurationError(
            f"at {contract.address} there is not the contract {name} of this version: check the address and the network"
        )
