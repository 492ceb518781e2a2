from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ledger.onchain.world import Bare, Clock, World, build
from xinglin.ledger.onchain.library import own_recursion_limit

with own_recursion_limit():
    pytest.importorskip("web3", reason="the extra chain is not installed")


@pytest.fixture(scope="session")
def _world() -> World:
    return build(Clock())


@pytest.fixture
def world(_world: World) -> Iterator[World]:
    """The contracts of :func:`build`; what a test does is undone after it."""
    evm = _world.contracts.chain._evm
    assert evm is not None
    mark, now = evm.snapshot(), _world.clock.now
    yield _world
    evm.revert(mark)
    _world.clock.now = now


@pytest.fixture(scope="session")
def _bare() -> Bare:
    return Bare()


@pytest.fixture
def bare(_bare: Bare) -> Iterator[Bare]:
    mark, now = _bare.snapshot(), _bare.now
    yield _bare
    _bare.revert(mark)
    _bare.now = now
