"""What a new device must pass: every operator as our models use it, every shipped model whole, with right answers."""

from importlib import import_module
from typing import Any

_DOORS = {
    "BACKENDS": "xinglin.release.conformance.backends",
    "backend": "xinglin.release.conformance.backends",
    "check_report": "xinglin.release.conformance.report",
    "conform": "xinglin.release.conformance.report",
    "signed": "xinglin.release.conformance.report",
    "suite": "xinglin.release.conformance.vectors",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
