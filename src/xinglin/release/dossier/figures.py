"""What a reader must be told about a figure: no interval, no n, outside its interval, weak or synthetic labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

FIGURES = frozenset({"metric", "faithfulness", "robustness"})
"""Kinds whose content is one figure: name, value, low, high, n, data."""
NO_INTERVAL = "无区间 no interval"
NO_N = "无样本量 no n"
OUTSIDE = "数值在区间之外 the value lies outside its interval"
NOT_FINITE = "不是数 not a number"
WEAK = "弱标签或合成数据,不代表临床性能 weak or synthetic labels: no clinical performance"
WEAK_UNSAID = "未说明是否弱标签或合成 not stated whether labels are weak or synthetic"
_WEAK = re.compile(r"(?<![a-z])(weak|synthetic|simulated)(?![a-z])|弱标签|合成|模拟", re.IGNORECASE)


def warnings(
    figure: Mapping[str, Any], weak_data: frozenset[str], *, says_weak: bool = True
) -> tuple[str, ...]:
    """Return what is to be said beside a figure.

    Args:
        figure: ``value``, ``low``, ``high``, ``n``, and ``name``, ``data``, ``weak`` as far as they are known.
        weak_data: names of data sets that the manifest calls weak.
        says_weak: whether such a figure is expected to say ``weak`` itself.
    """
    value, low, high = figure.get("value"), figure.get("low"), figure.get("high")
    found = []
    if not is_number(value):
        found.append(NOT_FINITE)
    if not (is_number(low) and is_number(high)):
        found.append(NO_INTERVAL)
    elif is_number(value) and not low <= value <= high:
        found.append(OUTSIDE)
    count = figure.get("n")
    if not is_number(count) or count <= 0:
        found.append(NO_N)
    name, data = (str(figure.get(key) or "") for key in ("name", "data"))
    if figure.get("weak") is True or data in weak_data or _WEAK.search(f"{name} {data}".replace("_", " ")):
        found.append(WEAK)
    elif says_weak and not isinstance(figure.get("weak"), bool):
        found.append(WEAK_UNSAID)
    return tuple(found)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def weak_sets(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the data sets that a manifest calls weak."""
    data = manifest.get("data")
    listed = data if isinstance(data, list) else []
    return frozenset(
        str(item["name"])
        for item in listed
        if isinstance(item, dict) and item.get("weak") is True and "name" in item
    )
