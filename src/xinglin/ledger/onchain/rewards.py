"""Credit points: proposed by the steward of a pool, challengeable, then pulled (``contracts/Rewards.vy``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.ledger.onchain.chain import Sent
from xinglin.ledger.onchain.clients import Contract

WHOLE = 10_000
"""Basis points of everything."""
POINTS = 1_000_000
MAX_SITES = 200


class State(Enum):
    """Where a proposal stands; the values are those of the contract's flag."""

    PROPOSED = 1
    CHALLENGED = 2
    DISMISSED = 4
    REFUSED = 8
    FINAL = 16


@dataclass(frozen=True, slots=True)
class Proposal:
    """A payout on the chain."""

    number: int
    pool: bytes
    points: int
    ends: int
    """Last second in which it can be challenged."""
    state: State


class Rewards(Contract):
    """Payouts."""

    def open_pool(self, account: Any, pool: bytes, arbiter: bytes, window: int) -> Sent:
        """Open a pool.

        Args:
            account: the steward of the pool's id.
            pool: id of the registry.
            arbiter: id of the registry; its steward decides on challenges.
            window: seconds in which a proposal can be challenged, an hour to a year.
        """
        return self._send("open_pool", account, pool, arbiter, window)

    def propose(
        self, account: Any, pool: bytes, evidence: bytes, shares: Mapping[bytes, int], *, points: int = POINTS
    ) -> int:
        """Propose a payout; return its number.

        Args:
            account: the steward of the pool.
            pool: id of the registry.
            evidence: SHA-256 of how the shares came about (``ledger.credit``); each serves once.
            shares: basis points by the sites' ids, together 10,000.
            points: to be shared out; a multiple of 10,000.

        Raises:
            InvalidInputError: the shares do not sum to 10,000, are negative, or too many sites.
            ConflictError: the contract refused.
        """
        if any(share < 0 for share in shares.values()) or sum(shares.values()) != WHOLE:
            raise InvalidInputError(
                f"shares: expected basis points of 0 or more, together {WHOLE}; got {sum(shares.values())}"
            )
        if len(shares) > MAX_SITES:
            raise InvalidInputError(f"shares: expected at most {MAX_SITES} sites, got {len(shares)}")
        sites = sorted(shares)
        sent = self._send("propose", account, pool, evidence, points, sites, [shares[one] for one in sites])
        (event,) = self.contract.events.Proposed().process_receipt(sent.receipt)
        return int(event["args"]["number"])

    def challenge(self, account: Any, number: int, evidence: bytes) -> Sent:
        """Object within the window; anyone may."""
        return self._send("challenge", account, number, evidence)

    def decide(self, account: Any, number: int, *, upheld: bool) -> Sent:
        """As the arbiter: decide on the challenges, after the window."""
        return self._send("decide", account, number, upheld)

    def retract(self, account: Any, number: int) -> Sent:
        """As the steward of the pool: take a proposal back."""
        return self._send("retract", account, number)

    def finalise(self, account: Any, number: int) -> Sent:
        """Close a proposal after its window; anyone may."""
        return self._send("finalise", account, number)

    def claim(self, account: Any, number: int, site: bytes) -> int:
        """As the steward of a site: pull its points; return how many."""
        sent = self._send("claim", account, number, site)
        (event,) = self.contract.events.Claimed().process_receipt(sent.receipt)
        return int(event["args"]["points"])

    def find(self, number: int) -> Proposal:
        """Return a proposal.

        Raises:
            UnknownNameError: there is none of this number.
        """
        pool, points, ends, state = self._read("proposals", number)
        if state == 0:
            raise UnknownNameError(f"there is no payout {number}; the newest is {int(self._read('count'))}")
        return Proposal(number, bytes(pool), int(points), int(ends), State(int(state)))

    def share_of(self, number: int, site: bytes) -> int:
        """Return the basis points of a site."""
        return int(self._read("share_of", number, site))

    def claimed(self, number: int, site: bytes) -> bool:
        """Tell whether a site has pulled its points."""
        return bool(self._read("claimed", number, site))

    def balance_of(self, site: bytes) -> int:
        """Return the points of a site."""
        return int(self._read("balance_of", site))
