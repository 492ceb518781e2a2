"""Vision: 3-D networks of local instances, where they point, and the runtime that needs no torch."""

from importlib import import_module
from typing import Any

_DOORS = {
    "InstanceMaps": "xinglin.model.vision.runtime",
    "centre": "xinglin.model.vision.centring",
    "read_array": "xinglin.model.vision.images",
    "scaled": "xinglin.model.vision.images",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
