"""What hospitals can train together: a table, the text encoder, LoRA on a decoder, images."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Archived": "xinglin.federate.tasks.protocol",
    "Files": "xinglin.federate.tasks.protocol",
    "Privacy": "xinglin.federate.tasks.protocol",
    "Task": "xinglin.federate.tasks.protocol",
    "Update": "xinglin.federate.tasks.protocol",
    "task": "xinglin.federate.tasks.registry",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
