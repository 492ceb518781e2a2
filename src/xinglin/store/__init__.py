"""The one database: engine, schema, migrations, keys."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Store": "xinglin.store.database",
    "home_folder": "xinglin.store.home",
    "open_store": "xinglin.store.database",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
