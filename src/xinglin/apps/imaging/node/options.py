"""What a node is told: its name, whom it listens to, where results go, and its bounds."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Peer:
    """Where results go."""

    aet: str
    host: str
    port: int

    @staticmethod
    def parse(text: str) -> Peer:
        """Read ``AET@HOST:PORT``.

        Raises:
            ConfigurationError: it is not of that form.
        """
        aet, at, place = text.partition("@")
        host, colon, port = place.rpartition(":")
        if not (at and colon and host and port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigurationError("peer: expected AET@HOST:PORT, e.g. PACS@10.0.0.5:104")
        return Peer(checked_aet(aet), host, int(port))


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates of a node (PS3.15 B); files in PEM."""

    certificate: Path
    key: Path
    authority: Path
    """Who signs the certificates of those that may connect, and the peer's: both sides must show one."""

    def server(self) -> ssl.SSLContext:
        """Return the context of the listening side."""
        return self._with(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def client(self) -> ssl.SSLContext:
        """Return the context of the sending side; the peer's certificate must carry the name it is called by."""
        return self._with(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def _with(self, context: ssl.SSLContext) -> ssl.SSLContext:
        try:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"TLS: the certificate, key or authority cannot be read: {error.strerror}"
            ) from None
        return context


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """The settings of a node."""

    spool: Path
    """Folder for what is received and not yet worked on, and for results not yet sent."""
    callers: tuple[str, ...]
    """AE titles that may connect; at least one."""
    peer: Peer | None = None
    """Where results go; without one they stay in the spool."""
    aet: str = "XINGLIN"
    host: str = "127.0.0.1"
    """Address to listen at; another than this machine's own should go with TLS."""
    port: int = 11112
    idle: float = 15.0
    """Seconds without a new image after which a series counts as complete."""
    retry: float = 30.0
    """Seconds before a failed sending is tried again; doubled each time up to an hour."""
    timeout: float = 30.0
    """Seconds of silence on a connection, and of waiting for an answer."""
    max_file: int = 64 * 1024**2
    """Bytes of one image."""
    max_images: int = 5000
    """Of one series."""
    max_series: int = 100
    """Waiting at one time."""
    max_connections: int = 8
    quota: int = 20 * 1024**3
    """Bytes of the spool."""
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if not self.callers:
            raise ConfigurationError("a node needs the AE titles that may connect: there is no 'anyone'")
        for title in (self.aet, *self.callers):
            checked_aet(title)
        numbers = (
            self.idle,
            self.retry,
            self.timeout,
            self.max_file,
            self.max_images,
            self.max_series,
            self.quota,
        )
        if min(numbers) <= 0 or self.max_connections < 1:
            raise ConfigurationError("the bounds of a node must be positive")


def checked_aet(title: str) -> str:
    """Return an AE title (PS3.5: 1 to 16 printable characters, no backslash).

    Raises:
        ConfigurationError: it is none.
    """
    if not (
        len(title.strip()) > 0
        and len(title) <= 16
        and title.isascii()
        and title.isprintable()
        and "\\" not in title
    ):
        raise ConfigurationError("AE title: expected 1 to 16 printable ASCII characters")
    return title.strip()
