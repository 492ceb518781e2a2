"""Experts that wake only when needed: a dense checkpoint made a mixture of experts, its load, its quick CPU path."""

from importlib import import_module
from typing import Any

_DOORS = {
    "UpcycleOptions": "xinglin.model.experts.options",
    "upcycle": "xinglin.model.experts.upcycling",
    "parameters": "xinglin.model.experts.counting",
    "balancing_loss": "xinglin.model.experts.balance",
    "quicken": "xinglin.model.experts.grouped",
    "ExpertLoad": "xinglin.model.experts.load",
    "measure_load": "xinglin.model.experts.load",
    "load_page": "xinglin.model.experts.page",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
