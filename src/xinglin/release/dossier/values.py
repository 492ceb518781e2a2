"""JSON values as text that a person reads: bounded, one line, missing where there is nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "缺失 missing"
EMPTY = "空 empty"
LONGEST_TEXT = 2000
LONGEST_LIST = 24
DEEPEST = 6
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
"""Line breaks, control characters, and marks that turn the reading direction."""


def shown(value: Any, depth: int = 0) -> str:
    """Return a value as one line; ``MISSING`` for null, an empty text, or an empty object.

    Numbers have six significant digits. A long list is its length, its first and its last item; a long text is cut,
    and says so: the digest beside it stands for the whole.
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else MISSING
    if isinstance(value, Mapping):
        return _object(value, depth) if value else MISSING
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(value, depth) if value else EMPTY
    return line(str(value)) or MISSING


def line(text: str) -> str:
    """Return a text as one line of bounded length."""
    plain = _BREAKS.sub(" ", text).strip()
    if len(plain) <= LONGEST_TEXT:
        return plain
    return f"{plain[:LONGEST_TEXT]}…(共 {len(plain)} 字,已截断 cut, {len(plain)} characters in all)"


def _object(value: Mapping[str, Any], depth: int) -> str:
    if depth >= DEEPEST:
        return f"{len(value)} 项 fields"
    inner = "; ".join(f"{line(str(key))}: {shown(item, depth + 1)}" for key, item in value.items())
    return f"({inner})" if depth else inner


def _list(value: Sequence[Any], depth: int) -> str:
    if depth >= DEEPEST:
        return f"{len(value)} 项 items"
    if len(value) > LONGEST_LIST:
        return f"{len(value)} 项 items, {shown(value[0], depth + 1)} … {shown(value[-1], depth + 1)}"
    inner = ", ".join(shown(item, depth + 1) for item in value)
    return f"[{inner}]" if depth else inner
