"""Causal language models of plain ``transformers``: a folder is looked at before a library may load it."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "open_decoder": "xinglin.model.decoder.opening",
    "Decoder": "xinglin.model.decoder.opening",
    "check_folder": "xinglin.model.decoder.folder",
    "folder_id": "xinglin.model.decoder.folder",
    "prompt_text": "xinglin.model.decoder.chat",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
