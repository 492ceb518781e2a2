"""Keyed digests: what is derived from a patient is an HMAC under a salt that can be erased.

Erasing the salt makes the digest in the ledger meaningless while the chain stays whole
(PIPL Art. 47, GDPR Art. 17 crypto-shredding).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> bytes:
    """Return JSON in one spelling: sorted keys, no blanks, UTF-8; numbers as Python writes them (not RFC 8785).

    Raises:
        TypeError, ValueError: a value that is no JSON, NaN among them.
    """
    return _CANONICAL.encode(value).encode()


def new_salt() -> str:
    """Return 32 random bytes as hex."""
    return secrets.token_hex(32)


def keyed_digest(salt: str, data: bytes) -> str:
    """Return HMAC-SHA-256 of ``data`` under the hex ``salt``, as hex."""
    return hmac.digest(bytes.fromhex(salt), data, "sha256").hex()


def digest(data: bytes) -> str:
    """Return SHA-256 of ``data`` as hex; for what is not derived from a patient."""
    return hashlib.sha256(data).hexdigest()
