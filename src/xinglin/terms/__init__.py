"""Coding systems and the reading of clinical text: a mention -> a code, a state, a value."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_DOORS = {
    "read": "reading",
    "Reading": "mention",
    "Mention": "mention",
    "Problem": "mention",
    "code": "coding",
    "CodedMention": "coding",
    "load_vocabulary": "vocabulary",
    "starter_vocabulary": "vocabulary",
    "Vocabulary": "vocabulary",
    "Term": "vocabulary",
    "Quantity": "quantity",
    "read_quantities": "quantity",
    "read_lab_table": "labtable",
    "read_patient": "patient",
    "load_snomed": "snomed",
    "ConceptSearch": "search",
    "open_search": "search",
    "load_crosswalk": "crosswalk",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(f"{__name__}.{_DOORS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; doors: {', '.join(_DOORS)}")
