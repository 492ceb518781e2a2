"""Molecules: reading, normalising and refusing structures from outside, and the tables that list them."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Molecule": "xinglin.records.molecules.standard",
    "StandardOptions": "xinglin.records.molecules.standard",
    "murcko": "xinglin.records.molecules.scaffold",
    "read_molecules": "xinglin.records.molecules.tables",
    "scaffold_split": "xinglin.records.molecules.scaffold",
    "standardise": "xinglin.records.molecules.standard",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
