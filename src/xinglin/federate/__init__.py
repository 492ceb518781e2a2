"""Hospitals train one model together: Flower, a privacy budget that adds up, checks of what comes in."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Job": "xinglin.federate.job",
    "read_job": "xinglin.federate.job",
    "run_local": "xinglin.federate.local",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
