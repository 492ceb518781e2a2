"""Docking: many ligands into one target with AutoDock Vina; a failure is an error, never a score."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "DockOptions": "xinglin.apps.drugs.dock.options",
    "Docked": "xinglin.apps.drugs.dock.run",
    "Enrichment": "xinglin.apps.drugs.dock.check",
    "Pool": "xinglin.apps.drugs.dock.pool",
    "Shelf": "xinglin.apps.drugs.dock.shelf",
    "dock_many": "xinglin.apps.drugs.dock.run",
    "enrichment": "xinglin.apps.drugs.dock.check",
    "prepare_ligand": "xinglin.apps.drugs.dock.ligand",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
