"""Annotation: schemes, rounds, truth from many annotators, selection, and the certificate of an error rate."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Truth": "xinglin.labels.votes",
    "Votes": "xinglin.labels.votes",
    "dawid_skene": "xinglin.labels.dawid_skene",
    "glad": "xinglin.labels.glad",
    "infer": "xinglin.labels.truth",
    "mace": "xinglin.labels.mace",
    "majority": "xinglin.labels.majority",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
