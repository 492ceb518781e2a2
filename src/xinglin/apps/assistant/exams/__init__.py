"""Examining a language model: prompts, likelihoods, answers read strictly, figures with intervals."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Examination": "xinglin.apps.assistant.exams.run",
    "Paper": "xinglin.apps.assistant.exams.run",
    "examine": "xinglin.apps.assistant.exams.run",
    "read_answer": "xinglin.apps.assistant.exams.answers",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
