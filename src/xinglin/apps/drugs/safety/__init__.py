"""What is not designed: chemical weapons, controlled drugs and their precursors, known by structure."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Duty": "xinglin.apps.drugs.safety.screening",
    "Refusal": "xinglin.apps.drugs.safety.screening",
    "duties": "xinglin.apps.drugs.safety.screening",
    "load": "xinglin.apps.drugs.safety.entries",
    "refuse": "xinglin.apps.drugs.safety.screening",
    "remember": "xinglin.apps.drugs.safety.remembered",
    "screen": "xinglin.apps.drugs.safety.screening",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
