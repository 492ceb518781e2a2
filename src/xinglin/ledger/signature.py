"""A digest signed with Ed25519 (RFC 8032): key files, signature, check.

What is signed is ``xinglin``, the context, and the digest: a signature over a manifest is none over something else
that happens to have the same digest. A signature proves that the holder of a key signed; whose key it is, is for the
reader to know, so the check wants the public key that the reader trusts.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, MissingExtraError

ALGORITHM = "Ed25519"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def new_key(path: Path) -> str:
    """Make a key: the private one in ``path`` (PEM, mode 0600), the public one beside it in ``path.pub`` (hex).

    Returns:
        The public key, 64 hexadecimal digits.

    Raises:
        ConfigurationError: there is a file already: a key is never overwritten.
        MissingExtraError: ``cryptography`` is not installed.
    """
    _, private, serialization = _library()
    key = private.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = _public(key)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} is there already: a key is never overwritten, give another name"
        ) from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
    path.with_name(path.name + ".pub").write_text(public + "\n", encoding="ascii")
    return public


def sign(digest: str, key: Path, context: str) -> dict[str, Any]:
    """Sign a digest.

    Args:
        digest: SHA-256, hex.
        key: file of the private key.
        context: what the digest is of, e.g. ``manifest``.

    Returns:
        ``{"algorithm", "context", "digest", "public_key", "signature"}``, hex.

    Raises:
        ConfigurationError: others may read the key file.
        MissingDataError: there is no key file.
        InvalidInputError: it holds no Ed25519 key, or the digest is none.
        MissingExtraError: ``cryptography`` is not installed.
    """
    loaded = _private(key)
    signature = loaded.sign(_message(digest, context)).hex()
    return {
        "algorithm": ALGORITHM,
        "context": context,
        "digest": digest,
        "public_key": _public(loaded),
        "signature": signature,
    }


def public_key(key: Path) -> str:
    """Return the public key of a private key's file, 64 hexadecimal digits.

    Raises:
        As :func:`sign`.
    """
    return _public(_private(key))


def check_signature(signature: Any, digest: str, context: str, public_key: str) -> None:
    """Check that the holder of a key signed this digest.

    Args:
        signature: as :func:`sign` returned it.
        public_key: of the key that the reader trusts, 64 hexadecimal digits.

    Raises:
        InvalidInputError: not a signature, of another key, over something else, or false.
        MissingExtraError: ``cryptography`` is not installed.
    """
    invalid, _, _ = _library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not isinstance(signature, dict) or signature.get("algorithm") != ALGORITHM:
        raise InvalidInputError(f"expected a signature with algorithm {ALGORITHM}")
    for name, expected in (("context", context), ("digest", digest), ("public_key", public_key)):
        if signature.get(name) != expected:
            raise InvalidInputError(
                f"signature: {name} is not the one expected: it was made for or by another"
            )
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(str(signature.get("signature"))), _message(digest, context))
    except (ValueError, invalid):
        raise InvalidInputError("signature: it is false: the digest was not signed with this key") from None


def _private(key: Path) -> Any:
    _, private, serialization = _library()
    if not key.is_file():
        raise MissingDataError(f"there is no key file {key}: make one with new_key")
    if os.name == "posix" and stat.S_IMODE(key.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{key}: others may read this key. Run: chmod 600 {key}")
    try:
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, private):
        raise InvalidInputError(f"{key.name}: expected an Ed25519 private key in PEM without a password")
    return loaded


def _message(digest: str, context: str) -> bytes:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInputError("expected a SHA-256 of 64 hexadecimal digits to sign")
    return b"\0".join((b"xinglin", context.encode(), bytes.fromhex(digest)))


def _public(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return str(raw.hex())


def _library() -> tuple[Any, Any, Any]:
    """The library's parts: (exception of a false signature, class of a private key, serialisation)."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise MissingExtraError("signing a digest", "records") from None
    return InvalidSignature, Ed25519PrivateKey, serialization
