"""The model: tokenizer, encoder, knowledge, checkpoints, and the runtime that needs no torch."""

from importlib import import_module
from typing import Any

_DOORS = {
    "TextClassifier": "xinglin.model.runtime",
    "amending": "xinglin.model.checkpoint",
    "saving": "xinglin.model.saving",
    "seal_checkpoint": "xinglin.model.checkpoint",
    "shipped_folder": "xinglin.model.shipped",
    "verify_checkpoint": "xinglin.model.checkpoint",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
