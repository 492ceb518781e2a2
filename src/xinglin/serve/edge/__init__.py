"""The diagnosis in a browser's tab: a static folder that answers on the device and sends nothing."""

from importlib import import_module
from typing import Any

_DOORS = {
    "export_web": "xinglin.serve.edge.build",
    "mount_edge": "xinglin.serve.edge.mounting",
    "write_edge": "xinglin.serve.edge.build",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
