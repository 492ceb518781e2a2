"""What the tests of this folder share: a clock, accounts, an EVM with the contracts, and one without signatures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hexbytes import HexBytes

from xinglin.ledger.onchain import Chain, Contracts
from xinglin.ledger.onchain.artifacts import NAMES, artifact
from xinglin.ledger.onchain.library import library, own_recursion_limit

START = 1_800_000_000
DELAY = 1000
TRAINING = b"training".ljust(32, b"\0")


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


def account(number: int) -> Any:
    return library("eth_account", "a test").Account.from_key(bytes([number]) * 32)


@dataclass
class World:
    """The contracts on an EVM of this process that is not kept anywhere."""

    clock: Clock
    contracts: Contracts
    steward: Any
    other: Any
    cold: Any
    dataset: bytes
    extra: dict[str, Any] = field(default_factory=dict)


def build(clock: Clock, store: Any = None) -> World:
    chain = Chain.in_process(store, clock=clock)
    steward, other, cold = account(7), account(8), account(9)
    contracts = Contracts.deploy(chain, steward, recovery_delay=DELAY)
    dataset = contracts.registry.register(steward, b"\x01" * 32, b"\x02" * 32, cold.address)
    return World(clock, contracts, steward, other, cold, dataset)


@dataclass(frozen=True)
class Answer:
    ok: bool
    values: tuple[Any, ...]
    reason: str


class Bare:
    """py-evm without blocks and signatures: milliseconds a call, for thousands of them. The bytecode is that shipped."""

    def __init__(self) -> None:
        with own_recursion_limit():
            from eth_tester import PyEVMBackend
            from web3 import Web3

            self._state = PyEVMBackend().chain.get_vm().state
        self._web3 = Web3()
        self.now = START
        self.contracts: dict[str, Any] = {}
        for number, name in enumerate(NAMES):
            argument = DELAY.to_bytes(32, "big") if number == 0 else self.at(0).rjust(32, b"\0")
            self.deploy(name, artifact(name), self.at(number), argument)

    @staticmethod
    def at(number: int) -> bytes:
        return bytes([0xC0 + number]) * 20

    def deploy(self, name: str, made: dict[str, Any], address: bytes, argument: bytes) -> None:
        code = bytes(HexBytes(made["bytecode"])) + argument
        done = self._run(b"\xaa" * 20, b"", b"", code, address)
        if done.is_error:
            raise RuntimeError(f"{name} was not deployed: {done.error}")
        self.contracts[name] = self._web3.eth.contract(
            address=self._web3.to_checksum_address(address), abi=made["abi"]
        )

    def call(self, sender: bytes, name: str, function: str, *arguments: Any) -> Answer:
        contract = self.contracts[name]
        element = contract.get_function_by_name(function)
        address = bytes.fromhex(contract.address[2:])
        data = bytes(HexBytes(element(*arguments)._encode_transaction_data()))
        done = self._run(sender, address, data, self._state.get_code(address), None)
        if done.is_error:
            told = done.output[68:].rstrip(b"\0").decode("ascii", "replace") if len(done.output) > 68 else ""
            return Answer(False, (), told or type(done.error).__name__)
        kinds = [one["type"] for one in element.abi["outputs"]]
        return Answer(True, tuple(self._web3.codec.decode(kinds, done.output)) if kinds else (), "")

    def snapshot(self) -> Any:
        return self._state.snapshot()

    def revert(self, mark: Any) -> None:
        self._state.revert(mark)

    def _run(self, sender: bytes, to: bytes, data: bytes, code: bytes, create: bytes | None) -> Any:
        from eth.vm.message import Message

        self._state.execution_context._timestamp = self.now
        message = Message(
            gas=25_000_000, to=to, sender=sender, value=0, data=data, code=code, create_address=create
        )
        context = self._state.get_transaction_context_class()(gas_price=1, origin=sender)
        kind = self._state.computation_class
        run = kind.apply_create_message if create else kind.apply_message
        mark = self._state.snapshot()
        done = run(self._state, message, context)
        if done.is_error:
            self._state.revert(mark)
        return done
