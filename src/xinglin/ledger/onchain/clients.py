"""The contracts about data, as typed calls. ``id``, ``root``, ``grantee`` and the like are 32 bytes, times seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.ledger.onchain.batches import Leaf, Proof
from xinglin.ledger.onchain.chain import Chain, Sent
from xinglin.ledger.onchain.library import library

NOBODY = "0x" + "00" * 20
STRUCK_AT_ONCE = 200
"""Leaves in one transaction."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract at an address."""

    chain: Chain
    contract: Any

    def _send(self, name: str, account: Any, *arguments: Any) -> Sent:
        call = getattr(self.contract.functions, name)(*arguments)
        return self.chain.send(call, account, f"{type(self).__name__}.{name}")

    def _read(self, name: str, *arguments: Any) -> Any:
        return self.chain.read(getattr(self.contract.functions, name)(*arguments))


class DatasetRegistry(Contract):
    """Who answers for what (``contracts/DatasetRegistry.vy``)."""

    def register(
        self, account: Any, salt: bytes, manifest: bytes = bytes(32), recovery: str = NOBODY
    ) -> bytes:
        """Register a data set, a site, an audit log or a pool; return its id.

        Raises:
            ConflictError: this account registered this salt before.
        """
        self._send("register", account, salt, manifest, recovery)
        return self.id_of(account.address, salt)

    def id_of(self, steward: str, salt: bytes) -> bytes:
        """Return the id that this account gets for this salt."""
        return bytes(self._read("id_of", steward, salt))

    def steward_of(self, id: bytes) -> str | None:
        """Return the steward's address; ``None``: nothing is registered under this id."""
        found = str(self._read("steward_of", id))
        return None if found == NOBODY else found

    def recovery_of(self, id: bytes) -> str | None:
        """Return the address that may replace a steward who lost the key."""
        found = str(self._read("recovery_of", id))
        return None if found == NOBODY else found

    def manifest_of(self, id: bytes) -> tuple[bytes, int]:
        """Return the root of the manifest and its version, counted from 1; 0: there is none."""
        return bytes(self._read("manifest_of", id)), int(self._read("version_of", id))

    def set_manifest(self, account: Any, id: bytes, manifest: bytes) -> Sent:
        """Set another manifest."""
        return self._send("set_manifest", account, id, manifest)

    def offer(self, account: Any, id: bytes, to: str) -> Sent:
        """Offer the stewardship to another account; to ``NOBODY``: take an offer or a recovery back."""
        return self._send("offer", account, id, to)

    def accept(self, account: Any, id: bytes) -> Sent:
        """Take up a stewardship that was offered."""
        return self._send("accept", account, id)

    def recover(self, account: Any, id: bytes, to: str) -> Sent:
        """As the recovery account: name the steward who follows one that lost the key."""
        return self._send("recover", account, id, to)

    def set_recovery(self, account: Any, id: bytes, to: str) -> Sent:
        """Name another recovery account."""
        return self._send("set_recovery", account, id, to)


class ConsentRegistry(Contract):
    """Consents by batch (``contracts/ConsentRegistry.vy``)."""

    def anchor(self, account: Any, dataset: bytes, root: bytes, size: int) -> Sent:
        """Anchor a batch."""
        return self._send("anchor", account, dataset, root, size)

    def withdraw(self, account: Any, dataset: bytes, leaves: Sequence[bytes]) -> Sent:
        """Withdraw statements of batches. At most ``STRUCK_AT_ONCE``."""
        return self._send("withdraw", account, dataset, list(leaves))

    def covered(self, leaf: Leaf, proof: Proof) -> bool:
        """Tell whether a consent is anchored, not withdrawn and not expired."""
        if leaf.expiry < self.chain.now():
            return False
        return bool(self._read("covered", *_leaf(leaf), proof.index, list(proof.path)))


class AccessGrants(Contract):
    """Grants (``contracts/AccessGrants.vy``)."""

    def grant(self, account: Any, dataset: bytes, grantee: bytes, purpose: bytes, expiry: int) -> Sent:
        """Grant by a transaction of the steward."""
        return self._send("grant", account, dataset, grantee, purpose, expiry)

    def revoke(self, account: Any, dataset: bytes, grantee: bytes, purpose: bytes) -> Sent:
        """Revoke by a transaction of the steward; signatures made before are void."""
        return self._send("revoke", account, dataset, grantee, purpose)

    def revoke_all(self, account: Any, dataset: bytes) -> Sent:
        """End every grant of a data set."""
        return self._send("revoke_all", account, dataset)

    def sign(
        self, account: Any, dataset: bytes, grantee: bytes, purpose: bytes, expiry: int, deadline: int
    ) -> dict[str, Any]:
        """Sign a grant (EIP-712) that anyone may bring to the chain; an expiry of 0 revokes.

        Returns:
            JSON values: the statement, its nonce and deadline, the signature.
        """
        nonce = int(self._read("nonce_of", dataset, grantee, purpose))
        message = {
            "dataset": dataset, "grantee": grantee, "purpose": purpose,
            "expiry": expiry, "nonce": nonce, "deadline": deadline,
        }  # fmt: skip
        signed = account.sign_typed_data(full_message=self._typed(message))
        shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in message.items()}
        return shown | {"signature": bytes(signed.signature).hex()}

    def bring(self, account: Any, signed: dict[str, Any]) -> Sent:
        """Bring a signed statement to the chain; the account pays and needs no right.

        Raises:
            InvalidInputError: not what :meth:`sign` returned.
            ConflictError: replayed, past its deadline, of another chain or contract, or not the steward's.
        """
        try:
            parts = [bytes.fromhex(signed[name]) for name in ("dataset", "grantee", "purpose")]
            numbers = [int(signed[name]) for name in ("expiry", "nonce", "deadline")]
            signature = bytes.fromhex(signed["signature"])
        except (KeyError, TypeError, ValueError):
            raise InvalidInputError(
                "expected a signed grant, as `xinglin ledger grant --sign` writes it"
            ) from None
        if any(len(part) != 32 for part in parts) or len(signature) != 65:
            raise InvalidInputError("signed grant: expected 32 bytes each, and a signature of 65")
        r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
        return self._send("state_signed", account, *parts, *numbers, signature[64], r, s)

    def anchor(self, account: Any, dataset: bytes, root: bytes, size: int) -> Sent:
        """Anchor a batch."""
        return self._send("anchor", account, dataset, root, size)

    def strike(self, account: Any, dataset: bytes, leaves: Sequence[bytes]) -> Sent:
        """Revoke grants of batches. At most ``STRUCK_AT_ONCE``."""
        return self._send("strike", account, dataset, list(leaves))

    def until(self, dataset: bytes, grantee: bytes, purpose: bytes) -> int | None:
        """Return the last second of a grant by transaction or signature; ``None``: none is in force."""
        found = int(self._read("expiry_of", dataset, grantee, purpose))
        return found if found >= self.chain.now() else None

    def allowed_in_batch(self, leaf: Leaf, proof: Proof) -> bool:
        """Tell whether a grant of a batch is in force."""
        if leaf.expiry < self.chain.now():
            return False
        return bool(self._read("allowed_in_batch", *_leaf(leaf), proof.index, list(proof.path)))

    def _typed(self, message: dict[str, Any]) -> dict[str, Any]:
        kinds = {"expiry": "uint256", "nonce": "uint256", "deadline": "uint256"}
        return {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "Grant": [{"name": name, "type": kinds.get(name, "bytes32")} for name in message],
            },
            "primaryType": "Grant",
            "domain": {
                "name": "Xinglin AccessGrants",
                "version": "1",
                "chainId": int(self.chain.web3.eth.chain_id),
                "verifyingContract": self.contract.address,
            },
            "message": message,
        }


class AuditAnchor(Contract):
    """Sizes and roots of audit chains (``contracts/AuditAnchor.vy``)."""

    def anchor(self, account: Any, log_id: bytes, size: int, root: bytes) -> Sent:
        """Anchor a head; the size must grow."""
        return self._send("anchor", account, log_id, size, root)

    def newest(self, log_id: bytes) -> tuple[int, bytes]:
        """Return the newest size and root; ``(0, zeros)``: none yet."""
        size = int(self._read("size_of", log_id))
        return size, self.root_at(log_id, size)

    def root_at(self, log_id: bytes, size: int) -> bytes:
        """Return the root that was anchored at this size; zeros: none was."""
        return bytes(self._read("root_at", log_id, size))


def address(text: str) -> str:
    """Return an address in its checked spelling (EIP-55).

    Raises:
        InvalidInputError: it is none.
    """
    web3 = library("web3", "an address of the chain").Web3
    if not web3.is_address(text):
        raise InvalidInputError(f"expected an address of 40 hexadecimal digits after 0x, got {text[:50]!r}")
    return str(web3.to_checksum_address(text))


def _leaf(leaf: Leaf) -> tuple[bytes, bytes, bytes, int, bytes]:
    return leaf.dataset, leaf.who, leaf.purpose, leaf.expiry, leaf.salt
