"""De-identification of text, records and DICOM; the vault that alone can undo it."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Deidentified": "xinglin.records.deidentify.text",
    "Options": "xinglin.records.deidentify.options",
    "Span": "xinglin.records.deidentify.spans",
    "Vault": "xinglin.records.deidentify.vault",
    "deidentifier": "xinglin.records.deidentify.record",
    "deidentify": "xinglin.records.deidentify.record",
    "deidentify_dataset": "xinglin.records.deidentify.dicom",
    "deidentify_text": "xinglin.records.deidentify.text",
    "find_identifiers": "xinglin.records.deidentify.analyzer",
    "pixel_text": "xinglin.records.deidentify.pixels",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
