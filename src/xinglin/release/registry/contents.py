"""What each kind of evidence must say: fields, types and ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.release.registry.version import Kind

_DIGEST = re.compile(r"[0-9a-f]{64}")
_GROUP = {"kind", "value"}


def check_content(kind: Kind, content: Mapping[str, Any]) -> None:
    """Check the content of a piece of evidence.

    Raises:
        InvalidInputError: a field is missing, unknown, or not what it must be; the message names it.
    """
    fields, optional = FIELDS[kind]
    if not isinstance(content, Mapping):
        raise InvalidInputError(f"evidence {kind}: expected an object, got {type(content).__name__}")
    if not fields:
        return
    unknown = sorted(set(content) - set(fields) - set(optional))
    missing = sorted(set(fields) - set(content))
    if unknown or missing:
        raise InvalidInputError(
            f"evidence {kind}: missing {', '.join(missing) or 'nothing'}; unknown {', '.join(unknown) or 'nothing'}"
        )
    for name, check in (fields | optional).items():
        if name in content and not check(content[name]):
            raise InvalidInputError(
                f"evidence {kind}: {name} is not what it must be: {str(content[name])[:80]!r}"
            )
    _interval(kind, content)


def _interval(kind: str, content: Mapping[str, Any]) -> None:
    value, low, high = (content.get(name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return
    if not low <= value <= high:
        raise InvalidInputError(f"evidence {kind}: expected low <= value <= high, got {low}, {value}, {high}")


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= 20_000


def _any_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 20_000


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _bool(value: Any) -> bool:
    return isinstance(value, bool)


def _hash(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(_text(item) for item in value)


def _object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _group(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping) and set(value) == _GROUP and all(map(_text, value.values()))
    )


def _points(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(p, list) and len(p) == 2 and all(map(_number, p)) for p in value
    )


def _decision(value: Any) -> bool:
    return value in ("approve", "reject")


def _positive(value: Any) -> bool:
    return _number(value) and value >= 0


Checks = dict[str, Callable[[Any], bool]]
_FIGURE: Checks = {
    "name": _text,
    "value": _number,
    "low": _number,
    "high": _number,
    "n": _count,
    "data": _text,
}
FIELDS: dict[Kind, tuple[Checks, Checks]] = {
    "approval": ({"person": _text, "role": _text, "decision": _decision, "statement": _text}, {}),
    "certificate": ({"statement": _object, "signature": _object}, {}),
    "consent": (
        {
            "dataset": _text,
            "basis": _text,
            "purposes": _texts,
            "grants": _texts,
            "subjects": _count,
            "withdrawn": _count,
        },
        {"chain": _object},
    ),
    "curves": ({"name": _text, "points": _points}, {}),
    "environment": ({"python": _text, "platform": _text, "lock": _object}, {"hardware": _text}),
    "faithfulness": (_FIGURE, {}),
    "gate": ({}, {}),
    "metric": (_FIGURE, {"group": _group, "weak": _bool, "synthetic": _bool}),
    "monitoring": (
        {"name": _text, "value": _number, "limit": _number, "since": _text, "breached": _bool},
        {"n": _count},
    ),
    "privacy": (
        {
            "dataset": _text,
            "unit": _text,
            "epsilon": _positive,
            "delta": _positive,
            "rounds": _count,
            "report": _hash,
        },
        {},
    ),
    "probabilities": ({"data": _text, "sha256": _hash, "cases": _count}, {}),
    "risk": (
        dict.fromkeys(
            ("hazard", "situation", "harm", "severity", "probability", "control", "residual"), _text
        ),
        {},
    ),
    "robustness": (_FIGURE, {}),
    "statement": ({"requirement": _text, "zh": _any_text, "en": _any_text, "person": _text}, {}),
    "use": (
        {"purpose_zh": _text, "purpose_en": _text, "users": _text, "setting": _text, "not_for": _text},
        {"contraindications": _text},
    ),
}
"""Of each kind, the fields it must have and those it may have; the gate's verdict is written by the gate itself."""
