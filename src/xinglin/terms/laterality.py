"""The side a mention speaks of: 左, 右, 双侧; *left*, *right*, *bilateral*."""

from __future__ import annotations

import re
from typing import Literal

Laterality = Literal["left", "right", "bilateral"]

_SIDES: tuple[tuple[Laterality, re.Pattern[str]], ...] = (
    ("bilateral", re.compile(r"双侧?|两侧|两边|两只|两条|左右|\b(?:bilateral(?:ly)?|both)\b")),
    ("left", re.compile(r"左|\bleft(?:-sided)?\b")),
    ("right", re.compile(r"右|\bright(?:-sided)?\b")),
)
_CLAUSE_TAIL = re.compile(r"[^,。;、!?\n|]*$")
_FOLLOWING = re.compile(r"\s+(?:in|of|on)\s+(?:the|his|her|my)?\s*(left|right)\b")
_REACH = 6
"""Chinese characters to the left of a mention that may still name its side (左侧季肋部疼痛)."""


def laterality_of(text: str, start: int, end: int, previous: int) -> Laterality | None:
    """The side named inside a mention of a normalised text, or shortly before it, or in English just after.

    Args:
        previous: end of the mention before, whose side is its own.
    """
    for side, pattern in _SIDES:
        if pattern.search(text, start, end):
            return side
    latin = text[start:end].isascii()
    left = max(previous, start - (16 if latin else _REACH), 0)
    if tail := _CLAUSE_TAIL.search(text[left:start]):
        left = start - len(tail.group())
    for side, pattern in _SIDES:
        if pattern.search(text, left, start):
            return side
    if latin and (match := _FOLLOWING.match(text, end)):
        return "left" if match.group(1) == "left" else "right"
    return None
