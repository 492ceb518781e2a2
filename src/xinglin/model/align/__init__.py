"""Images and words in one space: a place of a CT and a sentence, each as one vector, and where a sentence points."""

from importlib import import_module
from typing import Any

_DOORS = {"LungWords": "xinglin.model.align.runtime"}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
