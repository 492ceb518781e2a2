"""What leaves the house: export to ONNX and INT8, the page of an annotation certificate."""

from importlib import import_module
from typing import Any

_DOORS = {
    "ExportReport": "xinglin.release.export.report",
    "certificate_html": "xinglin.release.certificate_page",
    "export_onnx": "xinglin.release.export.classifier",
    "export_report": "xinglin.release.export.report",
    "quantise_int8": "xinglin.release.export.dynamic",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
