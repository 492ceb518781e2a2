"""A payout through the typed client: proposed, challenged, decided, pulled; and a site that lost its key."""

from __future__ import annotations

import pytest

from tests.ledger.onchain.world import DELAY, World, account
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger.onchain.rewards import State

WHY = b"\x0e" * 32


@pytest.mark.slow
def test_a_payout(world: World) -> None:
    registry, rewards, steward = world.contracts.registry, world.contracts.rewards, world.steward
    pool = registry.register(steward, b"\x21" * 32)
    board = registry.register(world.cold, b"\x22" * 32)
    lost = registry.register(world.other, b"\x23" * 32, recovery=world.cold.address)
    free_rider = registry.register(steward, b"\x24" * 32)
    rewards.open_pool(steward, pool, board, 3600)
    for shares in ({lost: 9_999}, {lost: 10_001}, {lost: 10_100, pool: -100}, {}):
        with pytest.raises(InvalidInputError, match="together 10000"):
            rewards.propose(steward, pool, WHY, shares)
    with pytest.raises(NotPermittedError, match="only the steward"):
        rewards.propose(world.other, pool, WHY, {lost: 10_000})
    number = rewards.propose(steward, pool, WHY, {lost: 6_001, pool: 3_999, free_rider: 0}, points=10_000)
    assert (rewards.find(number).state, rewards.share_of(number, lost)) == (State.PROPOSED, 6_001)
    with pytest.raises(UnknownNameError, match="there is no payout"):
        rewards.find(number + 1)
    # Anyone may object: who earned nothing, too.
    rewards.challenge(account(66), number, b"\x0f" * 32)
    world.clock.now += 3700
    with pytest.raises(ConflictError, match="not open"):
        rewards.finalise(steward, number)
    with pytest.raises(NotPermittedError, match="only the arbiter"):
        rewards.decide(steward, number, upheld=False)
    rewards.decide(world.cold, number, upheld=False)
    rewards.finalise(world.other, number)
    # The site's key is lost: its id gets another steward, and the credit is still there.
    new = account(77)
    registry.recover(world.cold, lost, new.address)
    world.clock.now += DELAY + 60
    registry.accept(new, lost)
    with pytest.raises(NotPermittedError, match="only the steward"):
        rewards.claim(world.other, number, lost)
    assert rewards.claim(new, number, lost) == 6_001
    with pytest.raises(ConflictError, match="claimed already"):
        rewards.claim(new, number, lost)
    with pytest.raises(ConflictError, match="no share"):
        rewards.claim(steward, number, free_rider)
    assert rewards.claim(steward, number, pool) == 3_999
    assert rewards.balance_of(lost) + rewards.balance_of(pool) == 10_000
    assert (rewards.find(number).state, rewards.claimed(number, lost)) == (State.FINAL, True)
