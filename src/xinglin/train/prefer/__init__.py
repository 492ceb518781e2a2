"""Preferences: pairs of a better and a worse answer from open data, and direct preference optimisation on them."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Pair": "xinglin.train.prefer.pairs",
    "pairs": "xinglin.train.prefer.pairs",
    "prefer": "xinglin.train.prefer.dpo",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
