"""A DICOM node: series come in by C-STORE, reports go out by C-STORE; and the same by DICOMweb."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Node": "xinglin.apps.imaging.node.run",
    "NodeOptions": "xinglin.apps.imaging.node.options",
    "Peer": "xinglin.apps.imaging.node.options",
    "Web": "xinglin.apps.imaging.node.web",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
