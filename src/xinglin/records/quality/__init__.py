"""The quality report of a data set: rules by the harmonised framework of Kahn et al. 2016."""

from importlib import import_module
from typing import Any

_DOORS = {
    "QualityOptions": "xinglin.records.quality.options",
    "QualityReport": "xinglin.records.quality.report",
    "Row": "xinglin.records.quality.row",
    "assess": "xinglin.records.quality.report",
    "page": "xinglin.records.quality.report_page",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
