"""Signatures hold for one digest, one context and one key."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, MissingExtraError
from xinglin.ledger.signature import check_signature, new_key, sign

DIGEST = "ab" * 32


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    new_key(path)
    return path


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


def test_a_key_is_ours_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    old = os.umask(0)
    try:
        made = new_key(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made == public(path)
    assert len(made) == 64
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        new_key(path)
    assert path.read_bytes() == before


def test_sign_and_check(key: Path) -> None:
    signature = sign(DIGEST, key, "manifest")
    check_signature(signature, DIGEST, "manifest", public(key))
    assert sign(DIGEST, key, "manifest") == signature  # RFC 8032 is deterministic


def test_the_signature_is_plain_ed25519(key: Path) -> None:
    """A reader without this package can check it: RFC 8032 over the documented message."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signature = sign(DIGEST, key, "manifest")
    message = b"xinglin\0manifest\0" + bytes.fromhex(DIGEST)
    raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public(key)))
    raw.verify(bytes.fromhex(signature["signature"]), message)


def test_nothing_else_passes(key: Path, tmp_path: Path) -> None:
    signature = sign(DIGEST, key, "manifest")
    mine = public(key)
    other = new_key(tmp_path / "other.pem")
    flipped = f"{int(signature['signature'][0], 16) ^ 1:x}" + signature["signature"][1:]
    bad = [
        (signature, "cd" * 32, "manifest", mine),
        (signature, DIGEST, "certificate", mine),
        (signature, DIGEST, "manifest", other),
        ({**signature, "public_key": other}, DIGEST, "manifest", other),
        ({**signature, "signature": flipped}, DIGEST, "manifest", mine),
        ({**signature, "signature": "xyz"}, DIGEST, "manifest", mine),
        ({**signature, "context": "certificate"}, DIGEST, "certificate", mine),
        ({**signature, "algorithm": "none"}, DIGEST, "manifest", mine),
        (None, DIGEST, "manifest", mine),
    ]
    for item in bad:
        with pytest.raises(InvalidInputError):
            check_signature(*item)


def test_a_key_that_others_read_is_refused(key: Path) -> None:
    key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        sign(DIGEST, key, "manifest")


def test_what_is_no_key_or_no_digest_is_refused(key: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    with pytest.raises(MissingDataError):
        sign(DIGEST, tmp_path / "absent", "manifest")
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"", b"x", pem):
        path = tmp_path / "no.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(InvalidInputError, match="Ed25519"):
            sign(DIGEST, path, "manifest")
    with pytest.raises(InvalidInputError, match="SHA-256"):
        sign("ab", key, "manifest")


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[records\]"):
        new_key(tmp_path / "key.pem")
    assert list(tmp_path.glob("key*")) == []
