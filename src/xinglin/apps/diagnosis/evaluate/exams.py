"""xywy-exams: recommend examinations for a disease from its symptoms and departments, never its name.

Rows with exams of one file are learned; each disease of another file (by name not in the first) is
answered and scored by exact exam names. Compared with what the department alone would recommend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.diagnosis.evaluate.exam_model import ExamModel, fit_exams, recommend
from xinglin.apps.diagnosis.evaluate.row import CaseResult, Evaluation, ResultRow, mean, rate
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.measure import hit_at, paired_accuracy, precision_at, recall_at

__all__ = ["ExamModel", "department_lists", "evaluate_exams", "fit_exams", "read_rows", "recommend"]

LENGTH = 5
FLOOR = "most frequent exams of the same department"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read rows with the lists that are used here.

    Raises:
        InvalidInputError: a row lacks a name or one of its lists is no list of strings.
    """
    rows = []
    for number, row in read_lines(path):
        for key in ("symptoms", "departments", "exams"):
            value = row.get(key, [])
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise InvalidInputError(f"{path.name}:{number}: {key}: expected a list of strings")
        if not isinstance(row.get("name"), str):
            raise InvalidInputError(f"{path.name}:{number}: name: expected a name")
        rows.append(row)
    return rows


def evaluate_exams(data: Path, train: Path, *, seed: int = 0) -> Evaluation:
    """Fit on one file and score another of the same format.

    Args:
        data: JSONL whose rows with exams are answered from their symptoms and departments.
        train: file of the same format whose rows with exams are learned.
        seed: of the fit and the intervals.

    Raises:
        InvalidInputError: no row to score.
    """
    return score_exams(read_rows(train), read_rows(data), seed=seed)


def score_exams(
    train: Sequence[Mapping[str, Any]], test: Sequence[Mapping[str, Any]], *, seed: int = 0
) -> Evaluation:
    """Fit on rows and score other rows; a test disease is dropped from the training rows by name."""
    cases = [row for row in test if row.get("exams")]
    if not cases:
        raise InvalidInputError("expected rows with exams to score; got none")
    names = {row["name"] for row in cases}
    learned = [row for row in train if row["name"] not in names]
    model = fit_exams(learned, seed)
    result = Evaluation([])
    ours: list[list[str]] = []
    for row in cases:
        ranked = recommend(model, row["symptoms"], row["departments"], LENGTH)
        ours.append([exam for exam, _ in ranked])
        result.cases.append(
            CaseResult(row["name"], "unseen disease", "xinglin", list(ranked), list(row["exams"]))
        )
    floor = department_lists(learned, cases, LENGTH)
    hits = {}
    for arm, lists, note in (("xinglin", ours, ""), ("department", floor, FLOOR)):
        hits[arm] = np.array([hit_at(r, c["exams"], LENGTH) for r, c in zip(lists, cases, strict=True)], bool)
        metrics = {
            "hit_at_5": rate(hits[arm]),
            "precision_at_5": mean(
                [precision_at(r, c["exams"], LENGTH) for r, c in zip(lists, cases, strict=True)], seed
            ),
            "recall_at_5": mean(
                [recall_at(r, set(c["exams"]), LENGTH) for r, c in zip(lists, cases, strict=True)], seed
            ),
        }
        result.rows.append(ResultRow("xywy-exams", "unseen disease", arm, len(cases), metrics, note))
    test_ = paired_accuracy(hits["xinglin"], hits["department"])
    result.remarks.append(
        f"xywy-exams hit@5: {hits['xinglin'].mean():.3f} against department alone "
        f"{hits['department'].mean():.3f}, gain {test_.gain:+.3f} [{test_.low:+.3f}, {test_.high:+.3f}], "
        f"p = {test_.p:.3g}"
    )
    return result


def department_lists(
    train: Iterable[Mapping[str, Any]], cases: Sequence[Mapping[str, Any]], k: int
) -> list[list[str]]:
    """Return the ``k`` most frequent exams of each case's department, filled up from all departments."""
    everywhere: Counter[str] = Counter()
    within: dict[tuple[str, ...], Counter[str]] = {}
    for row in train:
        exams = set(row.get("exams") or [])
        everywhere.update(sorted(exams))
        within.setdefault(tuple(row["departments"]), Counter()).update(sorted(exams))
    lists = []
    for row in cases:
        here = within.get(tuple(row["departments"]), Counter())
        names = [exam for exam, _ in (*here.most_common(k), *everywhere.most_common(2 * k))]
        lists.append(list(dict.fromkeys(names))[:k])
    return lists
