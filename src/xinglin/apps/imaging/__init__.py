"""Imaging: series of CT and MR as volumes; lung nodules with coordinates."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "isotropic": "xinglin.apps.imaging.resample",
    "lung_mask": "xinglin.apps.imaging.lungs",
    "own_window": "xinglin.apps.imaging.grey",
    "upright": "xinglin.apps.imaging.resample",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
