"""DICOMweb (PS3.18): series found by QIDO-RS, fetched by WADO-RS, results stored by STOW-RS. Within bounds.

On the standard library alone. Answers go to the disk as they come and are cut into parts there; a redirect is not
followed, since it would carry the authorisation to another place.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from xinglin.errors import (
    ConfigurationError,
    InputTooLargeError,
    InvalidInputError,
    MissingDataError,
    XinglinError,
)

CHUNK = 1024**2
MAX_JSON = 16 * 1024**2


class WebError(XinglinError):
    """A DICOMweb server refused, or cannot be reached."""

    title = "the DICOMweb server did not answer as asked"
    status = 502


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Web:
    """A DICOMweb server."""

    base: str
    """Its root, e.g. ``https://pacs.example/dicom-web``."""
    authorization: str | None = None
    """Value of the Authorization header."""
    timeout: float = 60.0
    """Seconds of silence."""
    max_bytes: int = 4 * 1024**3
    """Of one series."""
    max_images: int = 5000
    """Of one series."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ConfigurationError(
                "DICOMweb: expected http(s)://HOST/PATH without user or password; give those as the authorisation"
            )

    def series(self, study: str) -> list[str]:
        """Return the UIDs of the CT series of a study (QIDO-RS).

        Raises:
            WebError: the server refused or cannot be reached.
            InvalidInputError: it is no UID, or the answer is not DICOM JSON.
        """
        path = f"/studies/{_uid(study)}/series?Modality=CT"
        with self._ask(path, accept="application/dicom+json") as answer:
            body = answer.read(MAX_JSON + 1)
        if not body:
            return []
        try:
            if len(body) > MAX_JSON:
                raise InputTooLargeError(f"DICOMweb: an answer of more than {MAX_JSON} bytes")
            return [_uid(one["0020000E"]["Value"][0]) for one in json.loads(body)]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            if isinstance(error, XinglinError):
                raise
            raise InvalidInputError("DICOMweb: the answer to a search is not DICOM JSON") from None

    def fetch(self, study: str, series: str, folder: Path) -> int:
        """Write the images of a series into an empty folder (WADO-RS); returns how many.

        Raises:
            WebError: the server refused or cannot be reached.
            InputTooLargeError: more bytes or images than a series may have.
            InvalidInputError: no UID, or the answer is not multipart DICOM.
            MissingDataError: the series has no images.
        """
        path = f"/studies/{_uid(study)}/series/{_uid(series)}"
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        with tempfile.TemporaryFile(dir=folder) as spooled:
            with self._ask(path, accept=accept) as answer:
                boundary = _boundary(answer.headers)
                self._spool(answer, spooled)
            count = _cut(spooled, boundary, folder, self.max_images)
        if count == 0:
            raise MissingDataError("DICOMweb: the series has no images")
        return count

    def store(self, files: Sequence[Path]) -> None:
        """Store objects (STOW-RS), all or an error.

        Raises:
            WebError: the server refused one, or cannot be reached.
        """
        boundary = uuid.uuid4().hex
        parts = []
        for path in files:
            head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            parts += [head, path.read_bytes(), b"\r\n"]
        parts.append(f"--{boundary}--\r\n".encode())
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        with self._ask(
            "/studies", accept="application/dicom+json", body=b"".join(parts), kind=kind
        ) as answer:
            body = answer.read(MAX_JSON)
        try:
            failed = json.loads(body).get("00081198", {}).get("Value", []) if body else []
        except (ValueError, AttributeError, RecursionError):
            raise InvalidInputError("DICOMweb: the answer to a store is not DICOM JSON") from None
        if failed:
            raise WebError(f"DICOMweb: {len(failed)} of {len(files)} objects were not stored")

    def _ask(self, path: str, *, accept: str, body: bytes | None = None, kind: str | None = None) -> Any:
        headers = {"Accept": accept}
        if kind is not None:
            headers["Content-Type"] = kind
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        request = Request(self.base.rstrip("/") + path, data=body, headers=headers)
        try:
            return build_opener(_Stay()).open(request, timeout=self.timeout)
        except HTTPError as error:
            error.close()
            raise WebError(f"DICOMweb: {request.get_method()} was answered with {error.code}") from None
        except (URLError, OSError, HTTPException) as error:
            raise WebError(f"DICOMweb: the server cannot be reached ({type(error).__name__})") from None

    def _spool(self, answer: Any, spooled: IO[bytes]) -> None:
        total = 0
        try:
            while chunk := answer.read(CHUNK):
                total += len(chunk)
                if total > self.max_bytes:
                    raise InputTooLargeError(f"DICOMweb: a series of more than {self.max_bytes} bytes")
                spooled.write(chunk)
        except (OSError, HTTPException) as error:
            if isinstance(error, XinglinError):
                raise
            raise WebError(f"DICOMweb: the answer broke off ({type(error).__name__})") from None
        spooled.flush()


def _uid(text: Any) -> str:
    told = str(text)
    if not (0 < len(told) <= 64 and set(told) <= set("0123456789.")):
        raise InvalidInputError("DICOMweb: expected a UID of digits and dots")
    return quote(told)


def _boundary(headers: Message) -> bytes:
    told = headers.get_param("boundary")
    if (
        headers.get_content_type() != "multipart/related"
        or not isinstance(told, str)
        or not 0 < len(told) <= 70
    ):
        raise InvalidInputError("DICOMweb: expected an answer of type multipart/related with a boundary")
    return b"--" + told.encode()


def _cut(spooled: IO[bytes], boundary: bytes, folder: Path, most: int) -> int:
    """Write the parts of a multipart body (RFC 2046 5.1) as files."""
    if os.fstat(spooled.fileno()).st_size == 0:
        return 0
    count = 0
    with mmap.mmap(spooled.fileno(), 0, access=mmap.ACCESS_READ) as body:
        at = body.find(boundary)
        while at >= 0 and body[at + len(boundary) : at + len(boundary) + 2] != b"--":
            start = body.find(b"\r\n\r\n", at)
            end = body.find(b"\r\n" + boundary, start + 2)
            if start < 0 or end < 0:
                raise InvalidInputError("DICOMweb: the answer is cut short")
            if count >= most:
                raise InputTooLargeError(f"DICOMweb: a series of more than {most} images")
            (folder / f"{count:05d}.dcm").write_bytes(body[start + 4 : end])
            count += 1
            at = end + 2
        if at < 0:
            raise InvalidInputError("DICOMweb: the answer is cut short")
    return count
