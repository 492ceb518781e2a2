"""A node's JSON-RPC: connecting, fees, receipts, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, OnChainError
from xinglin.ledger.onchain.library import library

_DOOR = "a node of the chain"
_KNOWN = ("already known", "known transaction", "nonce too low", "already imported", "nonce is too low")


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers for its gas."""

    fields: dict[str, int]
    price: int
    """Most that one gas may cost, wei."""


def connect(url: str, timeout: float) -> Any:
    """Return the web3 interface of a node that answers.

    Raises:
        InvalidInputError: not an http or https URL.
        OnChainError: it does not answer.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError("node: expected a URL such as http://127.0.0.1:8545 or https://node.example")
    web3 = library("web3", _DOOR)
    provider = web3.HTTPProvider(url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)
    found = web3.Web3(provider)
    # Proof-of-authority networks (Clique, IBFT, QBFT) put their signatures into a field that is else 32 bytes at most.
    found.middleware_onion.inject(library("web3.middleware", _DOOR).ExtraDataToPOAMiddleware, layer=0)
    with explained():
        int(found.eth.chain_id)
    return found


def network(web3: Any) -> str:
    """Return the name of a network: its id, and the beginning of its first block's hash."""
    with explained():
        return f"{int(web3.eth.chain_id)}:{bytes(web3.eth.get_block(0)['hash']).hex()[:16]}"


def fees(web3: Any) -> Fees:
    """Return the fees to offer: twice the base fee of the newest block (EIP-1559), or the node's gas price."""
    block = web3.eth.get_block("latest")
    base = block.get("baseFeePerGas")
    if base is None:
        price = int(web3.eth.gas_price)
        return Fees({"gasPrice": price}, price)
    tip = min(int(web3.eth.max_priority_fee), 2 * 10**9) if int(base) > 0 else 0
    top = 2 * int(base) + tip
    return Fees({"maxFeePerGas": top, "maxPriorityFeePerGas": tip}, top)


def receipt(web3: Any, hash_: str) -> Any | None:
    """Return a transaction's receipt; ``None``: it is in no block of the chain as it is now."""
    try:
        return web3.eth.get_transaction_receipt(hash_)
    except library("web3.exceptions", _DOOR).TransactionNotFound:
        return None


def resend(web3: Any, raw: bytes) -> bool:
    """Hand a signed transaction to the node; ``False``: the node had it already."""
    try:
        web3.eth.send_raw_transaction(raw)
    except (library("web3.exceptions", _DOOR).Web3Exception, ValueError) as error:
        if any(known in str(error).lower() for known in _KNOWN):
            return False
        raise
    return True


@contextmanager
def explained(then: str = "") -> Iterator[None]:
    """Turn the library's errors into ours.

    Args:
        then: what becomes of the act when the node does not answer.

    Raises:
        OnChainError: the node does not answer, or answers with an error.
        NotPermittedError: a contract refused because of who asked.
        ConflictError: a contract refused for another reason, which the message names.
    """
    errors = library("web3.exceptions", _DOOR)
    unreachable = library("requests.exceptions", _DOOR).RequestException
    more = f"; {then}" if then else ""
    try:
        yield
    except OnChainError as error:
        raise OnChainError(f"{error}{more}") if then else error from None
    except errors.ContractLogicError as error:
        raise refusal(_reason(error)) from None
    except (unreachable, errors.TimeExhausted, ConnectionError, TimeoutError) as error:
        raise OnChainError(
            f"the node of the chain does not answer ({type(error).__name__}): start it, or check the URL{more}"
        ) from None
    except (errors.Web3Exception, errors.Web3ValueError) as error:
        told = _reason(error)
        if "revert" in told.lower():
            raise refusal(told) from None
        raise OnChainError(f"the node of the chain answered with an error: {told}{more}") from None
    except Exception as error:
        # eth-tester has an error of its own for a refused call, and is not installed beside a node.
        if type(error).__name__ != "TransactionFailed":
            raise
        raise refusal(_reason(error)) from None


def refusal(reason: str) -> ConflictError | NotPermittedError:
    """Return the error for a contract that refused."""
    told = reason.split("execution reverted: ")[-1].split("revert ")[-1][:200] or "without a reason"
    if told.startswith(("only the", "not offered to you")):
        return NotPermittedError(f"the contract refused: {told}")
    return ConflictError(f"the contract refused: {told}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", None) or error)
