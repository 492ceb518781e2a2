"""Re-entrancy and overflow, tried with programs that do it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ledger.onchain.world import Bare
from xinglin.ledger.onchain.library import library

ATTACKER = """
# pragma version 0.4.3
# pragma evm-version paris
target: public(address)
number: public(uint256)
site: public(bytes32)
entered: public(uint256)
wins: public(uint256)

@external
def set(target: address, number: uint256, site: bytes32):
    self.target = target
    self.number = number
    self.site = site

@external
def register(registry: address, salt: bytes32) -> bytes32:
    return abi_decode(raw_call(registry, abi_encode(salt, empty(bytes32), empty(address),
        method_id=method_id("register(bytes32,bytes32,address)")), max_outsize=32), bytes32)

@internal
def _claim():
    won: bool = raw_call(self.target, abi_encode(self.number, self.site, method_id=method_id("claim(uint256,bytes32)")),
        revert_on_failure=False)
    if won:
        self.wins += 1

@external
def attack():
    for i: uint256 in range(3):
        self._claim()

# As a registry: whoever asks who the steward is gets the answer that suits, and a second claim is tried meanwhile.
@external
def steward_of(id: bytes32) -> address:
    self.entered += 1
    self._claim()
    return self

@external
@payable
def __default__():
    self._claim()
"""
POOL, ARBITER = b"\x01" * 20, b"\x02" * 20
NOBODY = "0x" + "00" * 20


def attacker(evm: Bare) -> bytes:
    made: dict[str, Any] = library("vyper.compiler", "a test").compile_code(
        ATTACKER, output_formats=["abi", "bytecode"]
    )
    address = b"\xee" * 20
    evm.deploy("Attacker", made, address, b"")
    return address


def pay(evm: Bare, site: bytes, rewards: str = "Rewards") -> int:
    """A payout of 10,000 points to one site, final."""
    pool = evm.call(POOL, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    arbiter = evm.call(ARBITER, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    assert evm.call(POOL, rewards, "open_pool", pool, arbiter, 3600).ok
    answer = evm.call(POOL, rewards, "propose", pool, b"\x01" * 32, 10_000, [site], [10_000])
    assert answer.ok, answer.reason
    evm.now += 3601
    assert evm.call(POOL, rewards, "finalise", answer.values[0]).ok
    return int(answer.values[0])


def test_a_site_that_is_a_program_claims_once(bare: Bare) -> None:
    attacker(bare)
    registry, rewards = (bare.contracts[name].address for name in ("DatasetRegistry", "Rewards"))
    site = bare.call(POOL, "Attacker", "register", registry, b"\x05" * 32).values[0]
    number = pay(bare, site)
    assert bare.call(POOL, "Attacker", "set", rewards, number, site).ok
    assert bare.call(POOL, "Attacker", "attack").ok
    assert bare.call(POOL, "Attacker", "wins").values == (1,)
    assert bare.call(POOL, "Rewards", "balance_of", site).values == (10_000,)


def test_a_registry_that_calls_back_gets_nowhere(bare: Bare) -> None:
    """Even a false registry is asked by STATICCALL: within it nothing can be written, so no second claim runs."""
    from xinglin.ledger.onchain.artifacts import artifact

    evil = attacker(bare)
    bare.deploy("Robbed", artifact("Rewards"), b"\xef" * 20, evil.rjust(32, b"\0"))
    site = b"\x09" * 32
    assert bare.call(POOL, "Attacker", "set", bare.contracts["Robbed"].address, 1, site).ok
    answer = bare.call(evil, "Robbed", "open_pool", b"\x01" * 32, b"\x02" * 32, 3600)
    assert not answer.ok
    assert bare.call(POOL, "Attacker", "entered").values == (0,)
    assert bare.call(POOL, "Robbed", "balance_of", site).values == (0,)


@pytest.mark.parametrize(
    ("points", "shares"),
    [
        (10_000, [2**256 - 1, 10_001]),
        (10_000, [2**255, 2**255]),
        (10_000, [10_000, 1]),
        (10_000, [9_999, 0]),
        (10_000, [10_000]),
        (2**128 + 10_000 - 2**128 % 10_000, [5_000, 5_000]),
        (2**256 - 2**256 % 10_000 - 10_000, [5_000, 5_000]),
        (0, [5_000, 5_000]),
        (15_000, [5_000, 5_000]),
    ],
)
def test_sums_that_overflow_or_miss_are_refused(bare: Bare, points: int, shares: list[int]) -> None:
    pool = bare.call(POOL, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    arbiter = bare.call(ARBITER, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    assert bare.call(POOL, "Rewards", "open_pool", pool, arbiter, 3600).ok
    sites = [b"\x01" * 32, b"\x02" * 32]
    assert not bare.call(POOL, "Rewards", "propose", pool, b"\x01" * 32, points, sites, shares).ok
    assert bare.call(POOL, "Rewards", "count").values == (0,)


def test_the_largest_payout_is_exact(bare: Bare) -> None:
    pool = bare.call(POOL, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    other = bare.call(ARBITER, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    assert bare.call(POOL, "Rewards", "open_pool", pool, other, 3600).ok
    points = 2**128 - 2**128 % 10_000
    sites, owner = sorted([pool, other]), {pool: POOL, other: ARBITER}
    shares = dict(zip(sites, (3_333, 6_667), strict=True))
    number = bare.call(
        POOL, "Rewards", "propose", pool, b"\x01" * 32, points, sites, list(shares.values())
    ).values[0]
    bare.now += 3601
    assert bare.call(POOL, "Rewards", "finalise", number).ok
    got = [bare.call(owner[site], "Rewards", "claim", number, site).values[0] for site in sites]
    assert sum(got) == points


def test_the_same_site_cannot_stand_twice(bare: Bare) -> None:
    pool = bare.call(POOL, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    assert bare.call(POOL, "Rewards", "open_pool", pool, pool, 3600).ok
    site = b"\x05" * 32
    answer = bare.call(POOL, "Rewards", "propose", pool, b"\x01" * 32, 10_000, [site, site], [5_000, 5_000])
    assert (answer.ok, answer.reason) == (False, "sites: strictly rising")
    answer = bare.call(
        POOL, "Rewards", "propose", pool, b"\x01" * 32, 10_000, [b"\x06" * 32, site], [5_000, 5_000]
    )
    assert (answer.ok, answer.reason) == (False, "sites: strictly rising")


def test_nobody_withholds_a_payout_by_challenging_after_the_window(bare: Bare) -> None:
    """Front-running the close: a challenge in the very second after the window is refused, a finalisation before it too."""
    pool = bare.call(POOL, "DatasetRegistry", "register", b"\x01" * 32, bytes(32), NOBODY).values[0]
    assert bare.call(POOL, "Rewards", "open_pool", pool, pool, 3600).ok
    number = bare.call(POOL, "Rewards", "propose", pool, b"\x01" * 32, 10_000, [pool], [10_000]).values[0]
    bare.now += 3600
    assert bare.call(POOL, "Rewards", "finalise", number).reason == "the window is open"
    bare.now += 1
    assert bare.call(ARBITER, "Rewards", "challenge", number, b"\x01" * 32).reason == "the window has closed"
    assert bare.call(ARBITER, "Rewards", "finalise", number).ok
    # The evidence of a payout serves once, even after it was paid.
    again = bare.call(POOL, "Rewards", "propose", pool, b"\x01" * 32, 10_000, [pool], [10_000])
    assert again.reason == "the evidence was used"
