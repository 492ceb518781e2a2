"""One door to an EVM: inside this process, or a node by URL (Hyperledger Besu, or any that speaks JSON-RPC).

What is signed is kept in the store before it is sent. In the process, the kept transactions are the chain; of a node
they are what is sent again after a reorganisation or a lost connection: the same bytes, hence the same nonce, hence
never counted twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from xinglin.errors import ConflictError, NotPermittedError, OnChainError
from xinglin.ledger.onchain import node, outbox
from xinglin.ledger.onchain.evm import GAS_LIMIT, InProcess
from xinglin.ledger.onchain.outbox import CONFIRMED, FAILED, MINED, REPLACED, SENT, Kept
from xinglin.store import Store

LOCAL = "in-process"
GAS_MARGIN = 1.2
"""Of the estimate: the state may change between the two."""
_FUNDS = 10**24


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that is on the chain."""

    hash: str
    block: int
    gas: int
    contract: str | None
    """Address of the contract that it made."""
    receipt: Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a transaction would cost."""

    gas: int
    price: int
    """Of one gas, wei; 0 on a network without fees."""

    @property
    def fee(self) -> int:
        """The whole, wei."""
        return self.gas * self.price


@dataclass(frozen=True, slots=True)
class Settled:
    """What a look after the kept transactions found."""

    confirmed: int
    waiting: int
    resent: tuple[str, ...]
    """Hashes of what a reorganisation had dropped, or the node had never seen."""
    replaced: tuple[str, ...]
    """Hashes of what can never come through: another transaction took the nonce."""


class Chain:
    """An EVM and the store that remembers what was sent to it. Make one with :meth:`in_process` or :meth:`node`.

    Attributes:
        network: which chain this is, in the store's tables.
        web3: the interface of web3.py.
        confirmations: blocks on top of a transaction's own before it counts.
    """

    def __init__(
        self,
        web3: Any,
        network: str,
        store: Store | None,
        *,
        evm: InProcess | None,
        clock: Callable[[], float],
        confirmations: int,
        timeout: float,
    ) -> None:
        self.web3 = web3
        self.network = network
        self.confirmations = confirmations
        self._store = store
        self._evm = evm
        self._clock = clock
        self._timeout = timeout
        self._seen = 0
        self._turn = threading.RLock()

    @classmethod
    def in_process(cls, store: Store | None = None, *, clock: Callable[[], float] = time.time) -> Chain:
        """Open the EVM of this process: the store's transactions, replayed.

        Args:
            store: where transactions are kept; ``None``: nowhere, the chain ends with the object.
            clock: seconds; dates the next block.

        Raises:
            MissingExtraError: the extra ``chain`` is not installed.
        """
        evm = InProcess()
        return cls(evm.web3, LOCAL, store, evm=evm, clock=clock, confirmations=0, timeout=0)

    @classmethod
    def node(
        cls, url: str, store: Store | None = None, *, confirmations: int = 2, timeout: float = 60.0
    ) -> Chain:
        """Reach a node.

        Args:
            url: ``http://`` or ``https://`` of its JSON-RPC.
            store: where transactions are kept.
            confirmations: blocks on top; 0 where blocks are final at once (QBFT, IBFT 2.0).
            timeout: seconds until an answer or a receipt is given up.

        Raises:
            OnChainError: it does not answer.
            InvalidInputError: not such a URL.
            MissingExtraError: the extra ``chain`` is not installed.
        """
        web3 = node.connect(url, timeout)
        return cls(
            web3,
            node.network(web3),
            store,
            evm=None,
            clock=time.time,
            confirmations=confirmations,
            timeout=timeout,
        )

    def read(self, call: Any, connection: Connection | None = None) -> Any:
        """Return the answer of a contract's view.

        Args:
            call: of web3, e.g. ``contract.functions.allowed(...)``.
            connection: the caller's transaction, in which the in-process EVM looks for news; ``None``: its own.

        Raises:
            OnChainError: the node does not answer.
            ConflictError: the contract refused.
        """
        with self._turn:
            self._catch_up(connection)
            with node.explained():
                return call.call()

    def estimate(self, call: Any, account: Any) -> Estimate:
        """Return what a transaction would cost now.

        Raises:
            OnChainError: the node does not answer.
            ConflictError: the contract would refuse.
        """
        with self._turn, node.explained():
            self._catch_up(None)
            payer = account.address
            # Whoever sends on the in-process EVM is given what it takes, and asks before that here.
            if self._evm is not None and int(self.web3.eth.get_balance(payer)) == 0:
                payer = self._evm.faucet.address
            return Estimate(int(call.estimate_gas({"from": payer})), node.fees(self.web3).price)

    def send(self, call: Any, account: Any, what: str) -> Sent:
        """Sign a transaction, keep it, send it, and wait until it counts.

        Args:
            call: of web3, e.g. ``contract.functions.grant(...)`` or ``contract.constructor(...)``.
            account: from ``keystore.open_account``.
            what: what it is for, e.g. ``grant``; the audit chain names it.

        Raises:
            ConflictError: the contract refused; nothing has changed.
            OnChainError: the node does not answer or took too long: the transaction is kept, and
                :meth:`settle` brings it to an end.
        """
        with self._turn:
            if self._evm is not None:
                return self._run(self._evm, call, account, what)
            return self._send(call, account, what)

    def settle(self) -> Settled:
        """Look after what was sent: confirm it, and send again what was dropped, the very same bytes.

        Raises:
            OnChainError: the node does not answer.
        """
        if self._evm is not None or self._store is None:
            return Settled(0, 0, (), ())
        confirmed, waiting, resent, replaced = 0, 0, [], []
        with node.explained():
            newest = int(self.web3.eth.block_number)
            with self._store.read() as connection:
                rows = outbox.unsettled(connection, self.network, newest)
            for row in rows:
                receipt = node.receipt(self.web3, row.hash)
                if receipt is not None:
                    state = self._state(receipt, newest)
                    confirmed, waiting = confirmed + (state == CONFIRMED), waiting + (state == MINED)
                    block: int | None = int(receipt["blockNumber"])
                elif int(self.web3.eth.get_transaction_count(row.sender)) > row.nonce:
                    state, block = REPLACED, None
                    replaced.append(row.hash)
                else:
                    state, block = SENT, None
                    waiting += 1
                    if node.resend(self.web3, row.raw):
                        resent.append(row.hash)
                if (state, block) != (row.state, row.block):
                    with self._store.write() as connection:
                        outbox.note(connection, row.id, state, block)
        return Settled(confirmed, waiting, tuple(resent), tuple(replaced))

    @property
    def remote(self) -> bool:
        """Whether a node answers, rather than this process."""
        return self._evm is None

    def catch_up(self) -> None:
        """Run in the in-process EVM what other processes have added to the store; a node needs nothing."""
        with self._turn:
            self._catch_up(None)

    def now(self) -> int:
        """Return the time by which expiry is judged: that of this machine, or of the newest block if that is later.

        A node answers a view at the time of its newest block, which may be old; what has expired since would pass.
        """
        with node.explained():
            block = int(self.web3.eth.get_block("latest")["timestamp"])
        return max(int(self._clock()), block)

    def _state(self, receipt: Any, newest: int) -> str:
        if receipt["status"] != 1:
            return FAILED
        return CONFIRMED if newest >= int(receipt["blockNumber"]) + self.confirmations else MINED

    # --- a node

    def _send(self, call: Any, account: Any, what: str) -> Sent:
        with node.explained():
            fees = node.fees(self.web3)
            gas = int(call.estimate_gas({"from": account.address}) * GAS_MARGIN)
            told = int(self.web3.eth.get_transaction_count(account.address, "pending"))
            chain_id = int(self.web3.eth.chain_id)
        common = {"from": account.address, "gas": gas, "chainId": chain_id, "value": 0, **fees.fields}
        if self._store is None:
            hash_, raw = _signed(call, account, common | {"nonce": told})
            number = None
        else:
            with self._store.write() as connection:
                nonce = outbox.next_nonce(connection, self.network, account.address, told)
                hash_, raw = _signed(call, account, common | {"nonce": nonce})
                kept = Kept(0, hash_, raw, account.address, nonce, what, SENT, None, None)
                number = outbox.keep(connection, self.network, kept)
        with node.explained(f"{what} is kept as {hash_} and will be sent again by `xinglin ledger settle`"):
            node.resend(self.web3, raw)
            receipt = self._wait(hash_)
            newest = int(self.web3.eth.block_number)
        state = self._state(receipt, newest)
        if self._store is not None and number is not None:
            with self._store.write() as connection:
                outbox.note(connection, number, state, receipt["blockNumber"], receipt["gasUsed"])
        if state == FAILED:
            raise ConflictError(f"the contract refused {what} in block {receipt['blockNumber']}: {hash_}")
        return _sent(hash_, receipt)

    def _wait(self, hash_: str) -> Any:
        """Wait for a receipt with enough blocks on it; one that a reorganisation takes away is waited for anew."""
        until = time.monotonic() + self._timeout
        pause = 0.02
        while True:
            receipt = node.receipt(self.web3, hash_)
            if receipt is not None:
                newest = int(self.web3.eth.block_number)
                if receipt["status"] != 1 or newest >= int(receipt["blockNumber"]) + self.confirmations:
                    return receipt
            if time.monotonic() > until:
                raise OnChainError(
                    f"no receipt with {self.confirmations} confirmations in {self._timeout:g} s"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    # --- this process

    def _run(self, evm: InProcess, call: Any, account: Any, what: str) -> Sent:
        if account.address != evm.faucet.address and int(self.web3.eth.get_balance(account.address)) == 0:
            self._catch_up(None)
            if int(self.web3.eth.get_balance(account.address)) == 0:
                self._execute(evm, None, evm.faucet, "fund", to=account.address)
        return self._execute(evm, call, account, what)

    def _execute(self, evm: InProcess, call: Any, account: Any, what: str, to: str | None = None) -> Sent:
        try:
            with self._store.write() if self._store is not None else nullcontext() as connection:
                self._catch_up(connection)
                at = max(int(self._clock()), evm.time() + 1)
                nonce = int(self.web3.eth.get_transaction_count(account.address))
                fields = {
                    "from": account.address, "nonce": nonce, "chainId": int(self.web3.eth.chain_id),
                    **node.fees(self.web3).fields,
                }  # fmt: skip
                if to is not None:
                    hash_, raw = _sealed(account, fields | {"to": to, "value": _FUNDS, "gas": 21_000})
                else:
                    hash_, raw = _signed(call, account, fields | {"value": 0, "gas": GAS_LIMIT // 2})
                receipt = evm.run(raw, at)
                if connection is not None:
                    block = int(receipt["blockNumber"])
                    kept = Kept(0, hash_, raw, account.address, nonce, what, CONFIRMED, block, at)
                    self._seen = outbox.keep(connection, self.network, kept, int(receipt["gasUsed"]))
        except (ConflictError, NotPermittedError):
            raise  # refused: the EVM went back by itself
        except BaseException:
            self._rebuild()
            raise
        return _sent(hash_, receipt)

    def _catch_up(self, connection: Connection | None) -> None:
        """Run what other processes have added to the store."""
        if self._evm is None or self._store is None:
            return
        if connection is None:
            with self._store.read() as own:
                rows = outbox.since(own, self.network, self._seen)
        else:
            rows = outbox.since(connection, self.network, self._seen)
        for row in rows:
            if row.block_time is None:
                raise OnChainError(f"kept transaction {row.id} has no block time: restore the store's backup")
            self._evm.run(row.raw, row.block_time)
            self._seen = row.id

    def _rebuild(self) -> None:
        """Forget the state: what ran may not have been kept. The next act replays."""
        if self._store is not None and self._evm is not None:
            self._evm.restart()
            self._seen = 0


def _signed(call: Any, account: Any, fields: dict[str, Any]) -> tuple[str, bytes]:
    return _sealed(account, call.build_transaction(fields))


def _sealed(account: Any, fields: dict[str, Any]) -> tuple[str, bytes]:
    signed = account.sign_transaction({key: value for key, value in fields.items() if key != "from"})
    return "0x" + bytes(signed.hash).hex(), bytes(signed.raw_transaction)


def _sent(hash_: str, receipt: Any) -> Sent:
    return Sent(
        hash_, int(receipt["blockNumber"]), int(receipt["gasUsed"]), receipt.get("contractAddress"), receipt
    )
