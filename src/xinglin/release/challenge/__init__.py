"""Challenges anyone can enter: hidden data committed beforehand, a board that adaptive entries do not overfit."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Case": "xinglin.release.challenge.parts",
    "Manifest": "xinglin.release.challenge.manifest",
    "check_opening": "xinglin.release.challenge.parts",
    "close_challenge": "xinglin.release.challenge.closing",
    "create_challenge": "xinglin.release.challenge.record",
    "enter": "xinglin.release.challenge.entering",
    "open_board": "xinglin.release.challenge.board",
    "predict": "xinglin.release.challenge.evaluation",
    "read_manifest": "xinglin.release.challenge.manifest",
    "read_predictions": "xinglin.release.challenge.predictions",
    "score_on_site": "xinglin.release.challenge.on_site",
    "verify_challenge": "xinglin.release.challenge.verifying",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
