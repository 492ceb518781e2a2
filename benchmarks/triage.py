"""The frozen vignettes: under-triage of emergencies and over-triage of benign cases, by part and language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._line import Line
from xinglin.measure import proportion

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "apps" / "diagnosis" / "vignettes"


def run(quick: bool) -> list[Line]:
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.answer import answer
    from xinglin.apps.diagnosis.facts import gather
    from xinglin.graph.knowledge import TRIAGE

    model, now = load_differential(), TRIAGE.index("emergency_now")
    outcomes: dict[tuple[str, str, str], list[bool]] = {}
    for kind, lang, case in _cases(quick):
        urgent = TRIAGE.index(answer(model, gather(model, case["text"])).triage) >= now
        outcomes.setdefault((kind, case["part"], lang), []).append(urgent)
    lines = []
    for kind in ("emergencies", "benign"):
        for part in ("development", "held_out"):
            by_lang = {lang: outcomes.get((kind, part, lang), []) for lang in ("zh", "en")}
            everything = by_lang | {"zh + en": by_lang["zh"] + by_lang["en"]}
            for lang, urgent in everything.items():
                if urgent:
                    lines.append(_line(kind, part, lang, urgent))
    return lines


def _cases(quick: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind in ("emergencies", "benign"):
        for lang in ("zh", "en"):
            rows = (FOLDER / f"{kind}_{lang}.jsonl").read_text(encoding="utf-8").splitlines()
            for row in rows[: 20 if quick else None]:
                yield kind, lang, json.loads(row)


def _line(kind: str, part: str, lang: str, urgent: list[bool]) -> Line:
    from xinglin.measure.intervals import upper_bound_zero_or_more

    n = len(urgent)
    if kind == "emergencies":
        missed = n - sum(urgent)
        bound = upper_bound_zero_or_more(missed, n)
        note = f"{missed}/{n} below 'emergency now'; high: one-sided 95 % Clopper-Pearson upper bound"
        return Line(f"under-triage, {part}, {lang}", "rate", missed / n, "", n, 0.0, bound, note=note)
    figure = proportion(sum(urgent), n)
    note = f"{sum(urgent)}/{n} at 'emergency now' or above; Wilson interval"
    return Line(
        f"over-triage, {part}, {lang}", "rate", figure.value, "", n, figure.low, figure.high, note=note
    )
