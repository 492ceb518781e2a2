"""What is remembered: the hash-chained ledger."""

from importlib import import_module
from typing import Any

_DOORS = {
    "append": "xinglin.ledger.chain",
    "entries": "xinglin.ledger.chain",
    "verify": "xinglin.ledger.chain",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
