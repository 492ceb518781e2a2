"""How answers are distributed, counted by day: what drift is looked for in. Counts only; no answer can be told apart.

Every counted answer falls into one bin of each feature. The counts are local and belong to no patient: age and sex are
counted by themselves, never together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from xinglin.apps.diagnosis.wording import model_line

EDGES: dict[str, tuple[float, ...]] = {
    "age": (1, 6, 14, 18, 30, 40, 50, 60, 70, 80),
    "length": (10, 20, 40, 80, 160, 320),
    "findings": (1, 2, 3, 4, 6, 8, 12),
    "set": (1, 2, 3, 4, 6, 10),
    "score": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}
"""Lower edges of the bins above the first; ``length`` in characters, ``set`` the size of the prediction set."""
UNKNOWN = "unknown"
_COUNT = text(
    "INSERT INTO model_traffic (model, day, feature, bin, count) VALUES (:model, :day, :feature, :bin, 1) "
    "ON CONFLICT (model, day, feature, bin) DO UPDATE SET count = model_traffic.count + 1"
)


def features(case: str, answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the bin of each feature.

    Args:
        case: the input.
        answer: rendered answer.
    """
    patient, candidates = answer["patient"], answer["candidates"]
    top = candidates[0] if candidates else None
    present = sum(item["state"] == "present" for item in answer["findings"])
    return {
        "age": _bin("age", patient["age"]),
        "sex": patient["sex"] or UNKNOWN,
        "length": _bin("length", len(case)),
        "findings": _bin("findings", present),
        "set": _bin("set", len(answer["prediction_set"])),
        "score": _bin("score", None if top is None else _score(top)),
        "triage": str(answer["triage_level"]),
        "abstained": "yes" if answer["abstained"] else "no",
    }


def count(connection: Connection, case: str, answer: Mapping[str, Any]) -> None:
    """Count an answer, in the caller's write transaction."""
    model, day = model_line(answer["model"]), datetime.now(UTC).date().isoformat()
    connection.execute(
        _COUNT,
        [
            {"model": model, "day": day, "feature": feature, "bin": bin_}
            for feature, bin_ in features(case, answer).items()
        ],
    )


def _score(candidate: Mapping[str, Any]) -> float | None:
    probability = candidate["probability"]
    value = candidate["score"] if probability is None else probability
    return None if value is None else float(value)


def _bin(feature: str, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    edges = EDGES[feature]
    place = bisect_right(edges, value)
    low, high = (edges[place - 1] if place else None), (edges[place] if place < len(edges) else None)
    return f"< {high:g}" if low is None else f">= {low:g}" if high is None else f"{low:g} to {high:g}"
