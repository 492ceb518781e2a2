from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

from xinglin.apps.diagnosis.evaluate.reliability import reliability_svg, risk_svg
from xinglin.apps.diagnosis.evaluate.row import CaseResult
from xinglin.errors import InvalidInputError
from xinglin.measure import aurc


def case(confidence: float | None, hit: bool, arm: str = "clean") -> CaseResult:
    return CaseResult("x", "full", arm, [("甲", confidence), ("乙", None)], ["甲" if hit else "乙"])


def test_points_stand_where_accuracy_and_confidence_are() -> None:
    cases = [case(0.2, i % 5 == 0) for i in range(50)] + [case(0.9, i % 10 != 0) for i in range(50)]
    root = ET.fromstring(reliability_svg("<set>", [*cases, case(0.5, True, "other")]))
    circles = [item for item in root.iter() if item.tag.endswith("circle")]
    first = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in circles][:10]
    assert len(circles) == 11
    assert first[0] == (pytest.approx(42 + 0.2 * 220), pytest.approx(46 + 0.8 * 220))
    assert first[-1] == (pytest.approx(42 + 0.9 * 220), pytest.approx(46 + 0.1 * 220))


def test_without_probabilities_there_is_no_plot() -> None:
    with pytest.raises(InvalidInputError, match="not calibrated"):
        reliability_svg("x", [case(None, True)])


def test_curves_end_at_the_accuracy_and_name_their_area() -> None:
    cases = [case(0.9 - i / 200, i < 60) for i in range(100)] + [
        case(0.9 - i / 200, i >= 40, "<other>") for i in range(100)
    ]
    text = risk_svg("set", cases)
    root = ET.fromstring(text)
    lines = [item.get("points", "").split() for item in root.iter() if item.tag.endswith("polyline")]
    assert len(lines) == 2
    # Both end at .6 of an axis that starts at the lowest tenth any curve reaches.
    (good, bad) = [[tuple(map(float, point.split(","))) for point in line] for line in lines]
    assert good[-1] == bad[-1]
    assert good[0][1] == 46, "the surest are all right"
    assert all(one[0] < other[0] for one, other in pairwise(good))
    words = [item.text or "" for item in root.iter() if item.tag.endswith("text")]
    hits = np.arange(100) < 60
    assert f"clean: all answered 0.600, AURC {aurc(-np.arange(100.0), hits):.3f}" in words
    assert any(word.startswith("<other>: all answered 0.600") for word in words)
