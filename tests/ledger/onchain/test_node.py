"""Over HTTP against a real node: the same calls, a reorganisation, a restart, a node that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.ledger.onchain.node import Node
from tests.ledger.onchain.world import TRAINING, account
from xinglin.errors import InvalidInputError, NotPermittedError, OnChainError
from xinglin.ledger import check, give_consent
from xinglin.ledger.onchain import Chain, Contracts, anchor_audit, deployment, gate, granting
from xinglin.ledger.onchain.names import register
from xinglin.records import create_dataset
from xinglin.store import Store
from xinglin.store.tables_onchain import chain_transactions


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    started = Node(tmp_path)
    yield started
    started.stop()


def states(store: Store) -> list[str]:
    with store.read() as connection:
        query = select(chain_transactions.c.state).order_by(chain_transactions.c.id)
        return list(connection.execute(query).scalars())


def read(store: Store) -> None:
    with store.read() as connection:
        check(connection, "heart", grantee="lab", purpose="training")


def test_a_node_from_deployment_to_reorganisation_and_restart(
    store: Store, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = account(7)
    node.fund(steward.address)
    chain = Chain.node(node.url, store, confirmations=0, timeout=60)
    assert chain.network.startswith("1337:")
    contracts = Contracts.deploy(chain, steward)
    estimate = chain.estimate(
        contracts.registry.contract.functions.register(b"\x01" * 32, bytes(32), steward.address), steward
    )
    assert 50_000 < estimate.gas < 200_000
    assert estimate.fee == estimate.gas * estimate.price > 0
    deployment.note(store, contracts, url=node.url, by="cli")
    with store.write() as connection:
        create_dataset(connection, "heart", by="steward")
        give_consent(connection, "heart", subject=None, purpose="training", basis="committee 4", by="steward")
    id = register(store, contracts, steward, "dataset", "heart")
    with pytest.raises(NotPermittedError):
        contracts.grants.grant(account(8), id, b"\x01" * 32, TRAINING, 2**40)
    granting.grant(store, contracts, steward, "heart", grantee="lab", purpose="training", by="steward")
    read(store)
    _reorganised(store, node, chain, contracts, steward)
    # Restart: the node comes back with its chain, and ours goes on.
    before = contracts.audit.newest(_log(store, contracts))
    node.stop()
    with pytest.raises(OnChainError, match="does not answer"):
        contracts.audit.newest(b"\x01" * 32)
    # Closed, whatever was read a moment ago, once the answer is too old.
    read(store)
    monkeypatch.setattr(gate, "KEEP", 0)
    with pytest.raises(OnChainError, match="cannot be read while"):
        read(store)
    with pytest.raises(OnChainError, match="does not answer"):
        Chain.node(node.url, store, timeout=2)
    node.start()
    read(store)
    assert contracts.audit.newest(_log(store, contracts)) == before
    again = anchor_audit(store, contracts, steward)
    assert again.size > before[0]
    assert set(states(store)) == {"confirmed"}


def _log(store: Store, contracts: Contracts) -> bytes:
    from xinglin.ledger.onchain.names import find

    with store.read() as connection:
        return find(connection, contracts.chain.network, "log", "audit")


def _reorganised(store: Store, node: Node, chain: Chain, contracts: Contracts, steward: Any) -> None:
    """The block of an anchor is dropped: it is sent again, the same bytes, and stands there once."""
    register(store, contracts, steward, "log", "audit")
    mark = node.rpc("evm_snapshot")
    anchored = anchor_audit(store, contracts, steward)
    assert anchored.sent is not None
    log = _log(store, contracts)
    assert contracts.audit.newest(log)[0] == anchored.size
    assert node.rpc("evm_revert", mark) is True
    assert contracts.audit.newest(log)[0] == 0
    settled = chain.settle()
    assert settled.resent == (anchored.sent.hash,)
    assert contracts.audit.newest(log) == (anchored.size, anchored.root)
    settled = chain.settle()
    assert (settled.resent, settled.waiting) == ((), 0)
    events = contracts.audit.contract.events.Anchored().get_logs(from_block=0)
    assert [event["args"]["size"] for event in events] == [anchored.size]
    # Another transaction took the nonce on the new branch: ours is told as replaced, never made anew.
    mark = node.rpc("evm_snapshot")
    lost = anchor_audit(store, contracts, steward)
    assert lost.sent is not None
    node.rpc("evm_revert", mark)
    bare = Chain.node(node.url, None, confirmations=0)
    Contracts.attach(bare, contracts.addresses()).registry.register(steward, b"\x66" * 32)
    settled = chain.settle()
    assert settled.replaced == (lost.sent.hash,)
    assert contracts.audit.newest(log)[0] == anchored.size
    with store.write() as connection:
        connection.execute(chain_transactions.delete().where(chain_transactions.c.state == "replaced"))


@pytest.mark.slow
def test_confirmations_are_waited_for(store: Store, tmp_path: Path) -> None:
    """Blocks every second: a transaction counts two blocks later, and not before."""
    node = Node(tmp_path, "--miner.blockTime", "1")
    try:
        steward = account(7)
        accounts = node.rpc("eth_accounts")
        assert isinstance(accounts, list)
        node.fund(steward.address)
        node.rpc("evm_mine")
        chain = Chain.node(node.url, store, confirmations=2, timeout=60)
        contracts = Contracts.deploy(chain, steward)
        newest = chain.web3.eth.block_number
        assert contracts.registry.register(steward, b"\x01" * 32)
        assert chain.web3.eth.block_number >= newest + 3
        hasty = Chain.node(node.url, store, confirmations=500, timeout=1.5)
        with pytest.raises(OnChainError, match="no receipt with 500 confirmations"):
            Contracts.attach(hasty, contracts.addresses()).registry.register(steward, b"\x02" * 32)
        assert states(store)[-1] == "sent"
        settled = chain.settle()
        assert settled.resent == ()
        # It was on its way all the while, and is the same one: registered once.
        assert contracts.registry.steward_of(contracts.registry.id_of(steward.address, b"\x02" * 32))
    finally:
        node.stop()


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:8545", "http://"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(InvalidInputError, match="node: expected a URL"):
        Chain.node(url)


def test_a_port_where_nobody_listens() -> None:
    with pytest.raises(OnChainError, match="does not answer"):
        Chain.node("http://127.0.0.1:9", timeout=1)
