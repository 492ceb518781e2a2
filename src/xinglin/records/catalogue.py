"""The catalogue of open data sets: what each is, whence, under which licence, and its files by SHA-256.

The package ships the list (``catalogue.json``), never the data. A set whose licence does not allow weights to be
trained on it and given away says why, and is refused for training unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.records.decode import decode_json
from xinglin.records.manifest import ManifestFile

CATALOGUE = Path(__file__).with_name("catalogue.json")


class _SetJson(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    folder: str = Field(pattern=r"^[a-z]+/[A-Za-z0-9][A-Za-z0-9_.-]*$")
    licence: str | None
    upstream: list[str]
    use: tuple[str, str]
    caution: tuple[str, str] | None
    problem: tuple[str, str] | None
    files: list[tuple[str, int, str]]


@dataclass(frozen=True, slots=True)
class DataSet:
    """One set of the catalogue."""

    name: str
    folder: str
    """Where it lies in a mirror, e.g. ``text/medquad``."""
    licence: str | None
    """SPDX expression; ``None``: none is stated."""
    upstream: tuple[str, ...]
    """Repository at commit, where known."""
    use: tuple[str, str]
    """What it is for: Chinese, English."""
    caution: tuple[str, str] | None
    """What a reader of its figures must know."""
    problem: tuple[str, str] | None
    """Why it may not be trained on without asking; ``None``: it may."""
    files: tuple[ManifestFile, ...]

    @property
    def restricted(self) -> bool:
        """Whether its licence forbids, or does not state, what training and sharing need."""
        return self.problem is not None

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


def read_catalogue(path: Path = CATALOGUE) -> dict[str, DataSet]:
    """Read a catalogue, by name.

    Raises:
        InvalidInputError: it breaks its schema: an element of a wrong type, a path that leaves its folder, a name twice.
    """
    decoded = decode_json(path.read_bytes(), path.name)
    if not isinstance(decoded, dict) or decoded.get("format") != "xinglin-catalogue/1":
        raise InvalidInputError(f"{path.name}: expected a catalogue of format xinglin-catalogue/1")
    sets: dict[str, DataSet] = {}
    for number, item in enumerate(decoded.get("sets") or []):
        try:
            parsed = _SetJson.model_validate(item)
            files = tuple(
                ManifestFile(path=path, bytes=size, sha256=digest) for path, size, digest in parsed.files
            )
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise InvalidInputError(f"{path.name}: sets.{number}.{place}: {first['msg']}") from None
        if parsed.name in sets:
            raise InvalidInputError(f"{path.name}: {parsed.name} is there twice")
        sets[parsed.name] = DataSet(
            parsed.name, parsed.folder, parsed.licence, tuple(parsed.upstream), parsed.use, parsed.caution,
            parsed.problem, files,
        )  # fmt: skip
    return sets


@cache
def catalogue() -> dict[str, DataSet]:
    """The catalogue that comes with the package, by name; read on first use."""
    return read_catalogue()


def data_set(name: str) -> DataSet:
    """Return one set.

    Raises:
        UnknownNameError: no such set; names the nearest.
    """
    sets = catalogue()
    if name not in sets:
        near = get_close_matches(name, sets, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise UnknownNameError(f"there is no data set {name!r}; {hint}all: xinglin data list")
    return sets[name]


def for_training(name: str, *, restricted: bool = False) -> DataSet:
    """Return a set that weights may be trained on.

    Args:
        restricted: the caller asks for a restricted set and keeps what it trains to itself.

    Raises:
        UnknownNameError: no such set.
        NotPermittedError: its licence does not allow it and it was not asked for; says why.
    """
    found = data_set(name)
    if found.problem is not None and not restricted:
        raise NotPermittedError(
            f"{name} is not for training: {found.problem[1]} Ask for it as restricted if you may use it, and do not "
            "share what it trains."
        )
    return found
