"""Intake: FHIR R4 bundles and our own JSON -> Record."""

from importlib import import_module
from typing import Any

_DOORS = {
    "decode_json": "xinglin.records.decode",
    "read_record": "xinglin.records.intake",
    "record_from_bundle": "xinglin.records.fhir",
    "record_from_json": "xinglin.records.intake",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
