"""What was odd in a structure, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SHOWN = 12
"""Places that a sentence names before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One oddity, and what was done. A warning may change the docking; the rest is for the record."""

    kind: str
    """Stable name, e.g. ``altloc``, ``missing-atoms``, ``water``."""
    zh: str
    en: str
    where: tuple[str, ...] = ()
    """Residues as ``chain:number`` or ``chain:NAME:number``."""
    warning: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"where": list(self.where)}

    @staticmethod
    def from_json(body: dict[str, Any]) -> Remark:
        """Return a remark from ``as_json``."""
        return Remark(body["kind"], body["zh"], body["en"], tuple(body["where"]), bool(body["warning"]))


def told(remarks: Iterable[Remark]) -> str:
    """Return remarks as lines of text, warnings first."""
    lines = []
    for remark in sorted(remarks, key=lambda item: not item.warning):
        sign = "!" if remark.warning else "·"
        lines.append(f"{sign} {remark.zh} {remark.en}{places(remark.where)}")
    return "\n".join(lines)


def places(where: tuple[str, ...]) -> str:
    """Return named residues as a bracketed list, cut after a dozen."""
    if not where:
        return ""
    more = f", … +{len(where) - SHOWN}" if len(where) > SHOWN else ""
    return f" [{', '.join(where[:SHOWN])}{more}]"
