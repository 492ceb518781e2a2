"""Quantisation-aware training: 8 bits are felt while the weights can still answer to them."""

from importlib import import_module
from typing import Any

_DOORS = {
    "QuantizeOptions": "xinglin.train.quantize.aware",
    "fine_tune_quantised": "xinglin.train.quantize.text",
    "fold": "xinglin.train.quantize.aware",
    "insert": "xinglin.train.quantize.aware",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
