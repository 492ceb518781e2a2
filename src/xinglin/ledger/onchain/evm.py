"""An EVM inside this process (eth-tester, py-evm): its state is what the stored transactions make of a fixed genesis.

Block hashes differ between two replays (py-evm draws the post-merge ``mix_hash`` at random); accounts, storage, events
and block times do not, and no contract here reads the hash or ``prevrandao``.
"""

from __future__ import annotations

from typing import Any

from xinglin.ledger.onchain.library import library, own_recursion_limit
from xinglin.ledger.onchain.node import refusal

GENESIS = 1_700_000_000
"""Time of the first block, seconds."""
FAUCET_KEY = b"\x01".rjust(32, b"\0")
"""Of the one account that owns something at genesis. Known to everyone, worth nothing outside of this process."""
GAS_LIMIT = 30_000_000
_DOOR = "the in-process EVM"


class InProcess:
    """One EVM; a block for each transaction.

    Attributes:
        web3: the same interface as a node's.

    Raises:
        MissingExtraError: eth-tester or py-evm is not installed.
    """

    def __init__(self) -> None:
        library("eth", _DOOR)
        self.faucet = library("eth_account", _DOOR).Account.from_key(FAUCET_KEY)
        tester, web3 = library("eth_tester", _DOOR), library("web3", _DOOR)
        # The first machine imports more of py-evm.
        with own_recursion_limit():
            genesis = tester.PyEVMBackend.generate_genesis_params(
                overrides={"timestamp": GENESIS, "gas_limit": GAS_LIMIT}
            )
            rich = {"balance": 10**30, "nonce": 0, "code": b"", "storage": {}}
            state = {bytes.fromhex(self.faucet.address[2:]): rich}
            self._backend = tester.PyEVMBackend(genesis_parameters=genesis, genesis_state=state)
            self._tester = tester.EthereumTester(self._backend)
            self._genesis = self._tester.take_snapshot()
            self.web3 = web3.Web3(web3.EthereumTesterProvider(self._tester))

    def restart(self) -> None:
        """Go back to the genesis."""
        self.revert(self._genesis)

    def time(self) -> int:
        """Return the time of the newest block, seconds."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def run(self, raw: bytes, at: int) -> Any:
        """Run a signed transaction in a block of its own at that time; return its receipt.

        Raises:
            ConflictError, NotPermittedError: the contract refused; the state is as it was before.
        """
        before = self._tester.take_snapshot()
        self._backend.chain.header = self._backend.chain.header.copy(timestamp=at)
        receipt = self.web3.eth.get_transaction_receipt(self.web3.eth.send_raw_transaction(raw))
        if receipt["status"] != 1:
            why = self._why(receipt)
            self._tester.revert_to_snapshot(before)
            raise refusal(why)
        return receipt

    def _why(self, receipt: Any) -> str:
        """Ask again on the state after the failed transaction, which changed nothing but a nonce."""
        sent = self.web3.eth.get_transaction(receipt["transactionHash"])
        call = {"from": sent["from"], "data": sent["input"], "gas": sent["gas"]}
        if sent.get("to"):
            call["to"] = sent["to"]
        try:
            self.web3.eth.call(call)
        except library("eth_tester.exceptions", _DOOR).TransactionFailed as error:
            return str(error)
        except library("web3.exceptions", _DOOR).Web3Exception as error:
            return str(error)
        return ""

    def snapshot(self) -> Any:
        """Return a mark of the present state."""
        return self._tester.take_snapshot()

    def revert(self, mark: Any) -> None:
        """Go back to a mark: what came after never happened, as after a reorganisation."""
        self._tester.revert_to_snapshot(mark)
