"""A challenge in one file that a pull request can carry: task, metric, dates, rules, commitments. TOML or JSON.

The file holds no data: of the public part a name, a digest and the recipe that makes it, of the hidden part the
commitments (``parts``). It may come from a stranger: every text is bounded, every file name is a plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.decode import check_keys, decode_json, read_toml
from xinglin.release.challenge.metrics import METRICS
from xinglin.store.keys import canonical_json, digest

MAX_BYTES = 256 * 1024
SLUG = r"^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$"
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""A name within the manifest's own folder: no separator, no leading dot."""
EntryKind = Literal["predictions", "model"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Said(_Section):
    """A text in both languages."""

    zh: Long
    en: Long


class PublicPart(_Section):
    """The development data that anyone may have."""

    file: FileName
    """Its name, beside the manifest or wherever the recipe writes it."""
    sha256: Hex
    rows: int = Field(ge=1)
    recipe: Short
    """The command that makes the file from its source."""
    source: Short
    licence: Short


class Commitment(_Section):
    """What was fixed before the first entry: HMAC-SHA-256 under salts that are told at close (``parts.commit``)."""

    inputs: Hex
    labels: Hex
    cases: int = Field(ge=2)
    board: int = Field(ge=1)
    """Cases of the part that feeds the board while the challenge is open; the others decide at close."""


class Limits(_Section):
    """What a model may use while it is evaluated."""

    cpu_seconds: int = Field(600, ge=1, le=24 * 3600)
    wall_seconds: int = Field(900, ge=1, le=24 * 3600)
    memory_mib: int = Field(4096, ge=256, le=256 * 1024)
    model_mib: int = Field(512, ge=1, le=16 * 1024)
    """All files of a model together, unpacked."""


class Site(_Section):
    """A hospital whose signed figures are taken."""

    name: Short
    public_key: Hex
    """Ed25519."""


class Manifest(_Section):
    """A challenge."""

    format: Literal["xinglin-challenge-1"] = "xinglin-challenge-1"
    name: Annotated[str, StringConstraints(pattern=SLUG)]
    title: Said
    task: Said
    labels: tuple[Short, ...] = Field(strict=False, min_length=2, max_length=1000)
    """The answers among which an entry chooses, sorted."""
    metric: str
    """One of ``metrics.METRICS``."""
    entries: tuple[EntryKind, ...] = Field(("predictions", "model"), strict=False, min_length=1)
    inputs: Literal["public", "hidden"] = "public"
    """Whether the hidden part's questions are told while it is open; only models can answer hidden ones."""
    opens: str
    """A moment with its zone, ISO 8601."""
    closes: str
    daily: int = Field(3, ge=1, le=1000)
    """Entries a person may make a day (UTC)."""
    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Level at which two entries' difference counts, after Holm's correction over all pairs."""
    public: PublicPart | None = None
    commitment: Commitment | None = None
    """``None`` in a draft: ``create`` fills it in."""
    limits: Limits = Limits()
    sites: tuple[Site, ...] = Field((), strict=False, max_length=500)
    rules: tuple[Said, ...] = Field((), strict=False, max_length=50)

    @model_validator(mode="after")
    def _fits(self) -> Manifest:
        if self.metric not in METRICS:
            raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {self.metric!r}")
        if list(self.labels) != sorted(set(self.labels)):
            raise ValueError("labels: expected them sorted, each once")
        if _moment(self.opens) >= _moment(self.closes):
            raise ValueError("closes: expected a moment after opens")
        if self.inputs == "hidden" and "predictions" in self.entries:
            raise ValueError("entries: nobody can predict hidden inputs: leave out predictions")
        keys = [site.public_key for site in self.sites]
        if len(set(keys)) < len(keys) or len({site.name for site in self.sites}) < len(keys):
            raise ValueError("sites: expected each name and each key once")
        if self.commitment and self.commitment.board >= self.commitment.cases:
            raise ValueError("commitment: the board's part leaves no case for the ranking at close")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest in one spelling: what the ledger names."""
        return digest(canonical_json(self.as_json()))

    @property
    def opening(self) -> datetime:
        """The moment from which entries are taken."""
        return _moment(self.opens)

    @property
    def closing(self) -> datetime:
        """The moment from which no entry is taken."""
        return _moment(self.closes)

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values, defaults written out."""
        return self.model_dump(mode="json")

    def committed(self) -> Commitment:
        """Return the commitment.

        Raises:
            InvalidInputError: this is a draft.
        """
        if self.commitment is None:
            raise InvalidInputError(
                f"{self.name}: a draft without a commitment: run `xinglin challenge create` first"
            )
        return self.commitment


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, ``.toml`` or ``.json``.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: more than 256 KiB.
        InvalidInputError: an unknown key (the nearest is named), or a value of a wrong type or range.
    """
    if path.suffix == ".toml":
        return manifest_from(read_toml(path, "manifest", MAX_BYTES), path.name)
    if not path.is_file():
        raise MissingDataError(f"there is no manifest file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes")
    return manifest_from(decode_json(path.read_bytes(), path.name), path.name)


def manifest_from(decoded: Any, name: str = "manifest") -> Manifest:
    """Return the manifest of decoded TOML or JSON.

    Raises:
        InvalidInputError: as :func:`read_manifest`.
    """
    if not isinstance(decoded, Mapping):
        raise InvalidInputError(f"{name}: expected a table of settings")
    _check_known(decoded, Manifest, name)
    try:
        return Manifest.model_validate(dict(decoded))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise InvalidInputError(f"{name}: {place}: {first['msg']}") from None


def _check_known(decoded: Mapping[Any, Any], kind: type[BaseModel], at: str) -> None:
    """Refuse unknown keys at every depth, naming the nearest known one."""
    check_keys(decoded, tuple(kind.model_fields), at)
    for key, about in kind.model_fields.items():
        inner = next(
            (
                part
                for part in (about.annotation, *get_args(about.annotation))
                if isinstance(part, type) and issubclass(part, BaseModel)
            ),
            None,
        )
        value = decoded.get(key)
        if inner is None or value is None:
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Mapping):
                _check_known(item, inner, f"{at}: {key}")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise ValueError(
            f"expected a moment with its zone such as 2027-01-31T18:00:00+08:00, got {text[:40]!r}"
        )
    return moment.astimezone(UTC)
