"""Volumes: DICOM series, NIfTI, NRRD and MetaImage as one array in (z, y, x) with its affine to LPS millimetres."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Scan": "xinglin.records.volumes.scan",
    "Series": "xinglin.records.volumes.series",
    "find_series": "xinglin.records.volumes.series",
    "keep": "xinglin.records.volumes.files",
    "open_volume": "xinglin.records.volumes.files",
    "read_scan": "xinglin.records.volumes.door",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
