"""Intake of any source -> Record, the archive that keeps records, and reading them for a purpose."""

from importlib import import_module
from typing import Any

_DOORS = {
    "create_dataset": "xinglin.records.archive",
    "decode_json": "xinglin.records.decode",
    "erase": "xinglin.records.archive",
    "read": "xinglin.records.archive",
    "read_one": "xinglin.records.archive",
    "read_record": "xinglin.records.intake",
    "record_from_bundle": "xinglin.records.fhir",
    "record_from_json": "xinglin.records.intake",
    "record_from_stored": "xinglin.records.codec",
    "record_to_json": "xinglin.records.codec",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
