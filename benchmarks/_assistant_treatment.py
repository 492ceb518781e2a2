"""Treatment plans against what was done: concepts of ``gold_treatment`` in ai_hospital_cases.

A concept is a row of ``assistant_treatments.tsv``: a pattern over the record's own words and one over the options of the
graph. The table was written from the tuning half and the graph's option names (authored, unreviewed); the other half is
reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import bootstrap

TABLE = Path(__file__).with_name("assistant_treatments.tsv")
TOP = 3
"""Candidates whose options are taken, as the assistant shows them."""


@dataclass(frozen=True)
class Concepts:
    """The table, compiled."""

    rows: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]

    def of_gold(self, text: str) -> frozenset[str]:
        return frozenset(name for name, gold, _ in self.rows if gold.search(text))

    def of_options(self, options: Iterable[str]) -> frozenset[str]:
        joined = "\n".join(options)
        return frozenset(name for name, _, option in self.rows if option.search(joined))


def read_concepts() -> Concepts:
    _, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return Concepts(tuple((name, re.compile(gold), re.compile(option)) for name, gold, option in rows))


def lines_of(rows: Sequence[dict[str, Any]], differential: Any) -> list[Line]:
    """Score the plans of the reported half; the constant list is counted on the other."""
    from xinglin.apps.diagnosis.evaluate.hospital import case_text, reported
    from xinglin.serve.chat_tools import diagnosis_tools

    concepts, plan = read_concepts(), diagnosis_tools(differential)["treatment_plan"].function
    gold = [concepts.of_gold(str(row.get("gold_treatment", ""))) for row in rows]
    half = [reported(row) for row in rows]
    common = Counter(name for found, scored in zip(gold, half, strict=True) if not scored for name in found)
    cases = [(row, found) for row, found, scored in zip(rows, gold, half, strict=True) if scored and found]
    ours, checked, unchecked = [], 0, 0
    known = []
    for row, _ in cases:
        found = plan(text=case_text(row, "statement+exams")[:20_000])
        options = [option for item in found["plans"][:TOP] for option in item["options"]]
        ours.append(concepts.of_options(option["display"] for option in options))
        outcomes = [check["outcome"] for option in options for check in option["checks"]]
        unchecked += outcomes.count("not_checked")
        checked += len(outcomes)
        known.append(concepts.of_options(_options_of(differential, row["gold_diagnosis_list"])))
    size = round(float(np.mean([len(found) for found in ours])))
    floor = [frozenset(name for name, _ in common.most_common(size))] * len(cases)
    wanted = [found for _, found in cases]
    floor_figure = _recall(wanted, floor)
    lines = []
    for name, arm in (
        ("options of the first three candidates", ours),
        ("options of the diseases of the record's own diagnosis", known),
    ):
        for figure, measured, reference in (
            ("concept recall", _recall(wanted, arm), floor_figure),
            ("concept precision", _recall(arm, wanted), _recall(floor, wanted)),
        ):
            lines.append(
                Line(f"treatment plans, {name}", figure, measured.value, "", measured.n, measured.low,
                     measured.high, reference.value, f"the {size} most frequent concepts of the tuning half",
                     "ai_hospital_cases, reported half, statement and examinations; engine graph")
            )  # fmt: skip
    lines.append(
        Line("treatment plans, checks of the options", "share that reads 未核查", unchecked / max(1, checked),
             "", checked, note="a check without a row of the graph; no claim is made of it")
    )  # fmt: skip
    return lines


def _options_of(differential: Any, names: Sequence[str]) -> list[str]:
    vocabulary, knowledge = differential.vocabulary, differential.knowledge
    found = []
    for name in names:
        for term in vocabulary.spelled(str(name)):
            found += [option.option for option in knowledge.options_by_disease.get(term.name, ())]
    return found


def _recall(wanted: Sequence[frozenset[str]], found: Sequence[frozenset[str]]) -> Any:
    """Share of the wanted concepts that are found, over all cases; resampled by case."""
    hits = np.asarray([len(one & other) for one, other in zip(wanted, found, strict=True)], float)
    sizes = np.asarray([len(one) for one in wanted], float)
    return bootstrap(
        lambda index: float(hits[index].sum() / max(1.0, sizes[index].sum())), len(hits), repetitions=1000
    )
