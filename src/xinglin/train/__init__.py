"""Training: pre-training, fine-tuning, the recipe of the shipped model."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "narratives": "xinglin.train.narratives",
    "mine": "xinglin.train.weak",
    "departments": "xinglin.train.departments",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
