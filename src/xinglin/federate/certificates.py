"""The federation's own certificate authority, the server's certificate, the hospitals' keys.

TLS proves the server to the hospitals; a hospital proves itself with its key, whose public half the coordinator
registers. Files are made with mode 0600 and never overwritten: a key that is lost is replaced under another name.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from xinglin.errors import ConfigurationError, MissingExtraError

CA_DAYS = 3650
SERVER_DAYS = 825
"""Longest that common TLS clients accept of a server's certificate."""
CA, SERVER, SERVER_KEY = "ca.pem", "server.pem", "server.key"


def new_authority(folder: Path, hosts: Iterable[str]) -> None:
    """Make a certificate authority and the server's certificate: ``ca.pem``, ``server.pem``, ``server.key``.

    The authority's own key is not kept: it signs once. A new server's certificate means a new authority.

    Args:
        folder: where; made if absent.
        hosts: names and addresses under which hospitals reach the server.

    Raises:
        ConfigurationError: one of the files is there already, or a host is none.
        MissingExtraError: ``cryptography`` is not installed.
    """
    x509, hashes, serialization, ec = _library()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC)
    ca_key, server_key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    ca_name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Xinglin federation")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = (
        _certificate(x509, ca_name, ca_name, ca_key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA384())
    )
    names = list(dict.fromkeys(hosts))
    if not names:
        raise ConfigurationError("hosts: name at least one under which the hospitals reach the server")
    server_name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, names[0][:64])])
    server = (
        _certificate(x509, server_name, ca_name, server_key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_host(x509, name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA384())
    )
    pem = serialization.Encoding.PEM
    create(folder / SERVER_KEY, _private(serialization, server_key, serialization.PrivateFormat.PKCS8))
    create(folder / SERVER, server.public_bytes(pem))
    create(folder / CA, ca.public_bytes(pem))


def new_node_key(path: Path) -> str:
    """Make a hospital's key: the private one in ``path``, the public one beside it in ``path.pub``, both OpenSSH.

    Returns:
        The public key, one line.

    Raises:
        ConfigurationError: there is a file already: a key is never overwritten.
        MissingExtraError: ``cryptography`` is not installed.
    """
    _, _, serialization, ec = _library()
    key = ec.generate_private_key(ec.SECP384R1())
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    create(path, _private(serialization, key, serialization.PrivateFormat.OpenSSH))
    create(path.with_name(path.name + ".pub"), public + b"\n")
    return public.decode("ascii")


def create(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600.

    Raises:
        ConfigurationError: it is there already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} is there already: keys and certificates are never overwritten"
        ) from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _certificate(x509: Any, subject: Any, issuer: Any, key: Any, now: datetime, days: int) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _host(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise ConfigurationError(f"host: expected a name or an address, got {name[:100]!r}") from None


def _private(serialization: Any, key: Any, form: Any) -> bytes:
    made: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return made


def _library() -> tuple[Any, Any, Any, Any]:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MissingExtraError("a federation", "federate") from error
    return x509, hashes, serialization, ec
