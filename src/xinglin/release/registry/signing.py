"""Signatures over whole checkpoints in the format of OpenSSF model signing, with a local key.

The signature is a Sigstore bundle with a DSSE envelope over the SHA-256 of every file, which the tools of other
people check as well (``model_signing verify key``). No certificate authority and no transparency log is asked: the
key is a file (ECDSA P-256), whose public half reaches the reader by their own way.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from xinglin.errors import CheckpointError, ConfigurationError, MissingDataError, MissingExtraError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.types import Checkpoint


def new_model_key(path: Path) -> None:
    """Make a key: the private one in ``path`` (PEM, mode 0600), the public one beside it in ``path.pub`` (PEM).

    Raises:
        ConfigurationError: there is a file already: a key is never overwritten.
        MissingExtraError: the signing library is not installed.
    """
    _library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already: a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private)
    path.with_name(path.name + ".pub").write_bytes(public)


def signature_file(folder: Path) -> Path:
    """Return where a folder's signature lies: beside it."""
    return folder.with_name(folder.name + ".sig")


def sign_folder(folder: Path, key: Path) -> Path:
    """Sign a checkpoint's folder; return the file of the signature.

    Raises:
        CheckpointError: the folder is not whole: nothing broken is signed.
        ConfigurationError: others may read the key.
        MissingDataError: there is no key file.
        MissingExtraError: the signing library is not installed.
    """
    signing, _, hashing = _library()
    if not key.is_file():
        raise MissingDataError(f"there is no key file {key}")
    if os.name == "posix" and stat.S_IMODE(key.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{key}: others may read this key. Run: chmod 600 {key}")
    verify_checkpoint(folder)
    out = signature_file(folder)
    try:
        signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(hashing.Config()).sign(
            folder, out
        )
    except ValueError as error:
        raise ConfigurationError(f"{key.name}: it cannot sign: {error}") from None
    return out


def verify_folder(folder: Path, public_key: Path, signature: Path | None = None) -> Checkpoint:
    """Check a checkpoint's seal and its signature; to be done before anything of it is loaded.

    Args:
        folder: of the checkpoint.
        public_key: PEM file of the key that the reader trusts.
        signature: file of the signature; ``None``: beside the folder.

    Raises:
        CheckpointError: no signature, one of another key, or over other bytes.
        MissingDataError: there is no file of the key.
        MissingExtraError: the signing library is not installed.
    """
    _, verifying, _ = _library()
    if not public_key.is_file():
        raise MissingDataError(f"there is no key file {public_key}")
    file = signature or signature_file(folder)
    if not file.is_file():
        raise CheckpointError(f"{folder}: it is not signed: there is no {file.name} beside it")
    checkpoint = verify_checkpoint(folder)
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=public_key).verify(folder, file)
    except (
        Exception
    ) as error:  # the library raises what its parsers raise: whatever it is, nothing is verified
        raise CheckpointError(
            f"{folder}: its signature is not that of the key given over these files: {str(error)[:200]}"
        ) from None
    return checkpoint


def _library() -> tuple[Any, Any, Any]:
    try:
        from model_signing import hashing, signing, verifying
    except ImportError:
        raise MissingExtraError("signing a model", "release") from None
    return signing, verifying, hashing
