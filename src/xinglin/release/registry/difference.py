"""Two versions side by side: what differs in data, settings, code, files and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.release.registry.version import Version


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same."""

    part: str
    """``data``, ``settings``, ``code``, ``seeds``, ``parents``, ``files``, ``metrics``, ``limits`` or a kind of evidence."""
    name: str
    before: Any
    """``None``: it was not there."""
    after: Any


def difference(before: Version, after: Version) -> list[Difference]:
    """Return what differs, part by part; the order is that of the parts, then of the names."""
    found = []
    for part in ("data", "settings", "code", "seeds", "parents", "files", "metrics", "limits"):
        found += _part(part, _named(before.manifest[part]), _named(after.manifest[part]))
    ours, theirs = _figures(before), _figures(after)
    for kind in sorted(ours.keys() | theirs.keys()):
        found += _part(kind, ours.get(kind, {}), theirs.get(kind, {}))
    return found


def _part(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(part, name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _named(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return {
            str(item.get("name", place)) if isinstance(item, Mapping) else str(item): item
            for place, item in enumerate(value)
        }
    return {"": value}


def _figures(version: Version) -> dict[str, dict[str, Any]]:
    """The newest figure of each name, data set and group, by kind of evidence."""
    found: dict[str, dict[str, Any]] = {}
    for item in version.evidence:
        content = item.content
        if item.kind in ("metric", "robustness", "faithfulness", "privacy", "monitoring"):
            group = content.get("group")
            parts = (content.get("name"), content.get("data") or content.get("dataset"))
            name = " ".join(str(part) for part in (*parts, *(group.values() if group else ())) if part)
            found.setdefault(item.kind, {})[name] = {
                key: value
                for key, value in content.items()
                if key not in ("name", "data", "dataset", "group")
            }
    return found
