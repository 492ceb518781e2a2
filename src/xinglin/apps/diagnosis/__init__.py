"""Assisted diagnosis: a patient's words and results -> an audited differential."""

from importlib import import_module
from typing import Any

_DOORS = {
    "diagnose": "xinglin.apps.diagnosis.door",
    "load_differential": "xinglin.apps.diagnosis.differential",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
