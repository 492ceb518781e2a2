"""Xinglin 杏林: an open medical model commons.

``xinglin.diagnose(text)`` is the Python door of the first application; the command ``xinglin`` has
one verb a door. Not registered as a medical device; for research and decision support only.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_DOORS = {"diagnose": "xinglin.apps.diagnosis", "read": "xinglin.terms"}
__all__ = ["__version__", *_DOORS]


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"module 'xinglin' has no attribute {name!r}; doors: {', '.join(_DOORS)}")
