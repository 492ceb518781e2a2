"""Reports of drug design: pages that need no other file, with a view in three dimensions that needs no WebGL."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "target_page": "xinglin.apps.drugs.report.target_page",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
