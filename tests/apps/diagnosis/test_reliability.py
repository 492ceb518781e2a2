from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from xinglin.apps.diagnosis.evaluate.reliability import reliability_svg
from xinglin.apps.diagnosis.evaluate.row import CaseResult
from xinglin.errors import InvalidInputError


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
