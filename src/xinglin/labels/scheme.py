"""Interim: the scheme of a campaign, until the full module is merged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from xinglin.types import Code


@dataclass(frozen=True)
class Scheme:
    """A set of codes with definitions."""

    name: str
    codes: tuple[Code, ...]
    definitions: dict[Code, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the scheme."""
        return hashlib.sha256(json.dumps(scheme_to_json(self), sort_keys=True).encode()).hexdigest()


def scheme_to_json(scheme: Scheme) -> dict[str, Any]:
    """Return plain data."""
    return {
        "name": scheme.name,
        "codes": [[c.system, c.value, c.display, scheme.definitions.get(c, "")] for c in scheme.codes],
    }


def scheme_from_json(data: dict[str, Any]) -> Scheme:
    """Return the scheme of plain data."""
    codes = tuple(Code(*row[:3]) for row in data["codes"])
    return Scheme(data["name"], codes, {code: row[3] for code, row in zip(codes, data["codes"], strict=True)})
