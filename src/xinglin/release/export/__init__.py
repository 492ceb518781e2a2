"""Export: a checkpoint as ONNX, INT8 and other targets, each probed beside its source and gated before it is let out."""

from importlib import import_module
from typing import Any

_DOORS = {
    "ExportReport": "xinglin.release.export.report",
    "TARGETS": "xinglin.release.export.targets",
    "export_model": "xinglin.release.export.door",
    "export_onnx": "xinglin.release.export.classifier",
    "export_report": "xinglin.release.export.report",
    "quantise_int8": "xinglin.release.export.dynamic",
    "verify_export": "xinglin.release.export.package",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
