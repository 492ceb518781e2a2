"""What one person says of one record: its codes. One under a single-label scheme, any number under a multi-label one.

Codes stand in the scheme's order, each once, so that equal answers are equal tuples; ``()`` under a multi-label scheme
says that none of its classes applies. A row keeps an answer as its values joined by spaces (no code has one), and no
value at all where a record was passed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from xinglin.types import Code

Answer: TypeAlias = tuple[Code, ...]
NONE = "none"
"""How an answer without a code is written."""


def written(answer: Iterable[Code]) -> str:
    """Return an answer as evidence and votes spell it: ``system:value``, several sorted and joined by spaces."""
    return " ".join(sorted(f"{code.system}:{code.value}" for code in answer)) or NONE


def columns_of(answer: Answer | None) -> dict[str, str | None]:
    """Return an answer as the columns ``system``, ``value`` and ``display`` of a row; ``None``: passed on."""
    if answer is None:
        return dict.fromkeys(("system", "value", "display"))
    return {
        "system": answer[0].system if answer else None,
        "value": " ".join(code.value for code in answer),
        "display": "\n".join(" ".join(code.display.splitlines()) for code in answer),
    }


def answer_of(system: str | None, value: str | None, display: str | None) -> Answer | None:
    """Return the answer of a row's columns."""
    if value is None:
        return None
    values = value.split()
    names = (display or "").split("\n") if values else []
    return tuple(Code(system or "", one, name) for one, name in zip(values, names, strict=True))
