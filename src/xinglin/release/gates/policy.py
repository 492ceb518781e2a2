"""The thresholds, read from one TOML file. A section that is absent is not asked; a section present must be met.

Figures are compared by the bad end of their interval: at most X means that the interval's upper end is at most X.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xinglin.errors import InvalidInputError
from xinglin.records.decode import check_keys, read_toml
from xinglin.store.keys import canonical_json, digest

MAX_BYTES = 256 * 1024


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class AtMost(_Section):
    """A figure that must not exceed a limit."""

    name: str = Field(min_length=1)
    """Of the metric, as the evidence names it."""
    data: str | None = None
    """On which data set; ``None``: on any one, and on every one that is there."""
    at_most: float
    min_n: int = Field(1, ge=1)
    """A figure from fewer cases does not count."""
    weak: bool = False
    """Whether a figure on weak labels counts."""


class AtLeast(_Section):
    """A figure that must reach a limit."""

    name: str = Field(min_length=1)
    data: str | None = None
    at_least: float
    min_n: int = Field(1, ge=1)
    weak: bool = False


class Worst(_Section):
    """The floor of the worst group: every group's figure must reach it."""

    name: str = Field(min_length=1)
    at_least: float
    groups: tuple[str, ...] = Field(strict=False, min_length=1)
    """Kinds of group, e.g. ``site`` or ``sex``, ``age``; each must be there."""
    min_n: int = Field(20, ge=1)
    """A smaller group is named, but its figure does not close the gate."""


class Privacy(_Section):
    """The budget spent on each data set."""

    epsilon_at_most: float = Field(gt=0)
    units: tuple[str, ...] = Field(("patient",), strict=False)
    """Whose presence must be hidden."""


class Certificate(_Section):
    """The certificate of the annotation error."""

    claim_at_most: float = Field(gt=0, lt=1)
    issuers: tuple[str, ...] = Field(strict=False, min_length=1)
    """Public keys (hex) that are trusted to issue one."""


class Approvals(_Section):
    """Who must have agreed."""

    roles: tuple[str, ...] = Field(strict=False, min_length=1)
    """Each by another person."""


class Interval(_Section):
    """Time between updates."""

    days: float = Field(gt=0)
    """Since the last promotion of this model."""


class Policy(_Section):
    """All gates of one kind of model."""

    name: str = Field(min_length=1, max_length=100)
    error: AtMost | None = None
    worst_site: Worst | None = None
    worst_subgroup: Worst | None = None
    ece: AtMost | None = None
    """Expected calibration error."""
    coverage: AtLeast | None = None
    """Of prediction sets."""
    faithfulness: AtLeast | None = None
    """Of explanations."""
    typos: AtLeast | None = None
    """Robustness to typing errors."""
    paraphrase: AtLeast | None = None
    """Robustness to other words."""
    privacy: Privacy | None = None
    certificate: Certificate | None = None
    approvals: Approvals | None = None
    interval: Interval | None = None
    figures: tuple[AtMost | AtLeast, ...] = Field((), strict=False)
    """Any other figures that a kind of model is judged by."""
    signature: bool = True
    """Whether the folder's signature is checked at promotion."""

    @property
    def digest(self) -> str:
        """SHA-256 of the thresholds."""
        return digest(canonical_json(self.model_dump(mode="json")))


def read_policy(path: Path) -> Policy:
    """Read a file of thresholds.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: more than 256 KiB.
        InvalidInputError: not TOML, an unknown key (the nearest is named), or a value of a wrong type or range.
    """
    return policy_from(read_toml(path, "policy", MAX_BYTES), path.name)


def policy_from(decoded: Mapping[str, Any], name: str = "policy") -> Policy:
    """Return the thresholds of decoded TOML.

    Raises:
        InvalidInputError: as :func:`read_policy`.
    """
    check_keys(decoded, tuple(Policy.model_fields), name)
    try:
        return Policy.model_validate(dict(decoded))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "policy"
        raise InvalidInputError(f"{name}: {place}: {first['msg']}") from None
