"""Target: from a structure file to a receptor that can be docked into, and a box that says where."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Box": "xinglin.apps.drugs.target.box",
    "Cleaning": "xinglin.apps.drugs.target.clean",
    "Remark": "xinglin.apps.drugs.target.remarks",
    "Target": "xinglin.apps.drugs.target.target",
    "find_pockets": "xinglin.apps.drugs.target.detect",
    "prepare_target": "xinglin.apps.drugs.target.prepare",
    "read_structure": "xinglin.apps.drugs.target.read",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
