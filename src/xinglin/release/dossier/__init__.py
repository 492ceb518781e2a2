"""The dossier: what a regulator asks of a model, answered from evidence alone."""

from importlib import import_module
from typing import Any

_DOORS = {
    "AUTHORITIES": "xinglin.release.dossier.questions",
    "Dossier": "xinglin.release.dossier.dossier",
    "as_bom": "xinglin.release.dossier.bom",
    "as_markdown": "xinglin.release.dossier.markdown",
    "as_pdf": "xinglin.release.dossier.pdf",
    "build": "xinglin.release.dossier.dossier",
    "check": "xinglin.release.dossier.questions",
    "requirements": "xinglin.release.dossier.questions",
    "write_dossier": "xinglin.release.dossier.write",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
