"""The web workbench: case page, history, graph and about, on the same app as the API."""

from importlib import import_module
from typing import Any

_DOORS = {"mount": "xinglin.serve.workbench.mounting"}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
