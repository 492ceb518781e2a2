"""The manifest of a data set: what lies in it, by whose leave, how it came about, and how it is split.

A manifest is JSON. Its digest is SHA-256 over the canonical form (sorted keys, no spaces, UTF-8), so two manifests
with the same content have the same digest whatever their layout. The ``certificate`` slot is left out of the digest:
the certificate of the annotation error names the digest, and could not if it changed it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.decode import decode_json
from xinglin.store.keys import canonical_json

MAX_BYTES = 256 * 1024 * 1024
"""Bound on a manifest file; a million files take about 150 MB."""
MAX_FILES = 1_000_000
_BLOCK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")

Kind = Literal["changed", "missing", "added", "irregular"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ManifestFile(_Strict):
    """One file by its place below the data set's folder."""

    path: str
    bytes: int = Field(ge=0)
    sha256: str

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if not is_inside(path):
            raise ValueError("expected a relative path with / and without .. or empty parts")
        return path

    @field_validator("sha256")
    @classmethod
    def _hex(cls, digest: str) -> str:
        if not _SHA256.fullmatch(digest):
            raise ValueError("expected 64 hexadecimal digits in lower case")
        return digest


class Consent(_Strict):
    """By whose leave the data are used."""

    basis: str = Field(min_length=1)
    """E.g. ``synthetic``, ``open licence``, ``informed consent``, ``separate consent (PIPL Art. 29)``."""
    reference: str | None = None
    """Where it is recorded: an ethics approval, a digest of the ledger."""


class Transformation(_Strict):
    """One step that made the data what they are; steps stand in the order in which they were taken."""

    step: str = Field(min_length=1)
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    code: str = Field(min_length=1)
    """Program and version, e.g. ``xinglin 0.1.0``."""


class Part(_Strict):
    """One part of a split."""

    records: int = Field(ge=0)
    subjects: int | None = Field(None, ge=0)
    sites: dict[str, int] | None = None
    """Site -> records."""


class Splits(_Strict):
    """How the records are divided."""

    by: str
    """``subject``, ``site`` or ``time``."""
    seed: int | None = None
    table: str | None = None
    """The file of the data set that says which record lies where."""
    parts: dict[str, Part]


class Counts(_Strict):
    """How much there is; ``None`` is *not counted*."""

    records: int | None = Field(None, ge=0)
    subjects: int | None = Field(None, ge=0)
    sites: int | None = Field(None, ge=0)


class Manifest(_Strict):
    """A data set."""

    format: Literal["xinglin-manifest/1"] = "xinglin-manifest/1"
    name: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    consent: Consent
    counts: Counts = Counts()
    files: list[ManifestFile]
    transformations: list[Transformation] = Field(default_factory=list)
    splits: Splits | None = None
    certificate: dict[str, JsonValue] | None = None
    """The certificate of the annotation error, which names this manifest's digest; outside of that digest."""

    @field_validator("files")
    @classmethod
    def _in_order(cls, files: list[ManifestFile]) -> list[ManifestFile]:
        paths = [file.path for file in files]
        if paths != sorted(set(paths)):
            raise ValueError("expected each file once, in the order of its path")
        return files


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not what the manifest says."""

    path: str
    kind: Kind
    """``irregular``: a link, a device or a name that is no text."""
    said: str = ""
    """Bytes and SHA-256 by the manifest."""
    found: str = ""


def is_inside(path: str) -> bool:
    """Whether a path stays below its folder: relative, POSIX, no ``..``, no empty part, no back-slash or colon."""
    parts = path.split("/")
    return bool(path) and not any(
        part in ("", ".", "..") or "\\" in part or ":" in part or "\0" in part for part in parts
    )


def canonical(value: JsonValue | Mapping[str, Any]) -> bytes:
    """Return JSON in one spelling: sorted keys, no spaces, UTF-8; numbers as Python writes them."""
    return canonical_json(value)


def manifest_digest(manifest: Manifest | Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a manifest's canonical form, its certificate left out.

    Raises:
        InvalidInputError: it is no manifest; names the element.
    """
    checked = manifest if isinstance(manifest, Manifest) else _checked(manifest, "manifest")
    return hashlib.sha256(canonical(checked.model_dump(exclude={"certificate"}))).hexdigest()


def build_manifest(
    folder: Path,
    *,
    name: str,
    licence: str,
    consent: Consent,
    counts: Counts = Counts(),  # noqa: B008 (frozen)
    transformations: Iterable[Transformation] = (),
    splits: Splits | None = None,
    leave_out: Iterable[str] = (),
) -> Manifest:
    """Read every file below a folder.

    Args:
        leave_out: paths below the folder that are no part of the data: the manifest itself, its signature.

    Raises:
        MissingDataError: no such folder, or no file in it.
        InvalidInputError: a link, a device or a name that is no text: what cannot be verified cannot be vouched for.
        InputTooLargeError: more than a million files.
    """
    skip = set(leave_out)
    files = []
    for path, regular in _walk(folder):
        if path in skip:
            continue
        if not regular:
            raise InvalidInputError(f"{path!r} is no regular file: a manifest holds files only, no links")
        size, digest = _hashed(folder / path)
        files.append(ManifestFile(path=path, bytes=size, sha256=digest))
    if not files:
        raise MissingDataError(f"there is no file in {folder}")
    return Manifest(
        name=name,
        licence=licence,
        consent=consent,
        counts=counts,
        files=files,
        transformations=list(transformations),
        splits=splits,
    )


def verify_manifest(
    manifest: Manifest, folder: Path, leave_out: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """Compare a folder with its manifest; returns what differs, in the order of the paths.

    Raises:
        MissingDataError: no such folder.
        InputTooLargeError: more than a million files.
    """
    said = {file.path: file for file in manifest.files}
    skip = set(leave_out) - set(said)
    found: list[Difference] = []
    for path, regular in _walk(folder):
        if path in skip:
            continue
        file = said.pop(path, None)
        if file is None:
            found.append(Difference(path, "added"))
            continue
        expected = f"{file.bytes} bytes, {file.sha256}"
        if not regular:
            found.append(Difference(path, "irregular", expected))
            continue
        size, digest = _hashed(folder / path)
        if (size, digest) != (file.bytes, file.sha256):
            found.append(Difference(path, "changed", expected, f"{size} bytes, {digest}"))
    found += [
        Difference(path, "missing", f"{file.bytes} bytes, {file.sha256}") for path, file in said.items()
    ]
    return tuple(sorted(found, key=lambda item: item.path))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file.

    Raises:
        MissingDataError: no such file.
        InputTooLargeError: more than 256 MiB.
        InvalidInputError: it is no manifest; names the element.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no manifest {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    return _checked(decode_json(path.read_bytes(), path.name), path.name)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest, readable and whole or not at all."""
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text + "\n", encoding="utf-8")
    os.replace(new, path)


def _checked(decoded: Any, name: str) -> Manifest:
    try:
        return Manifest.model_validate(decoded)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise InvalidInputError(f"{name}: {place}: {first['msg']}") from None


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield (path below the folder, whether it is a regular file) in order; links are not followed."""
    if not folder.is_dir():
        raise MissingDataError(f"there is no folder {folder}")
    found: list[tuple[str, bool]] = []
    waiting = [(os.fspath(folder), PurePosixPath())]
    while waiting:
        place, below = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                path = str(below / entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, below / entry.name))
                    continue
                found.append((path, entry.is_file(follow_symlinks=False) and is_inside(path) and _text(path)))
        if len(found) > MAX_FILES:
            raise InputTooLargeError(f"{folder}: at most {MAX_FILES} files")
    yield from sorted(found)


def _text(path: str) -> bool:
    """Whether a name is text: bytes that are no UTF-8 come from the system as halves of surrogate pairs."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hashed(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
