"""A medical assistant that answers from the graph and from documents, with its sources, and never with a dose."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Assistant": "xinglin.apps.assistant.assistant",
    "Message": "xinglin.apps.assistant.conversation",
    "Tool": "xinglin.apps.assistant.tools",
    "build_index": "xinglin.apps.assistant.index",
    "load_index": "xinglin.apps.assistant.index",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
