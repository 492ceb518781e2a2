"""Public diagnosis sets through `xinglin evaluate`, beside a floor of the same run and published figures.

Sets that must be learned are split by SHA-256 of the case's id (or the disease's name): one fifth is scored.
The published figures are on the official test parts, which are not here: compare with care.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
DISCOPEN = "DISCOpen readme (official test part)"
TABLE = "this project's table of numbers to beat, development data"
APART = "this project's table of numbers to beat, a part that is not here"


@dataclass(frozen=True, slots=True)
class Set:
    """A data set: its file below the data folder, and the field it is split by (``None``: nothing to learn)."""

    path: str
    key: str | None = None


SETS = {
    "ai-hospital": Set("text/ai_hospital_cases/dev.jsonl.gz"),
    "dxbench": Set("restricted/dxbench/dev.jsonl.gz"),
    "xywy-exams": Set("restricted/zh_disease_kg_xywy/kg.jsonl.gz", "name"),
    "dxy": Set("text/mz_dxy_diagnosis/dxy_train.jsonl.gz", "id"),
    "mz4": Set("text/mz_dxy_diagnosis/mz4_train.jsonl.gz", "id"),
    "mz10": Set("text/mz_dxy_diagnosis/mz10_train.jsonl.gz", "id"),
}
QUICK = ("ai-hospital",)
PUBLISHED: dict[tuple[str, str, str, str], tuple[float, str, str]] = {
    ("dxy", "interactive", "published", "accuracy"): (0.779, "HRL", DISCOPEN),
    ("mz4", "interactive", "published", "accuracy"): (0.735, "HRL", DISCOPEN),
    ("mz10", "interactive", "published", "accuracy"): (0.556, "HRL", DISCOPEN),
    ("dxy", "full", "published", "accuracy"): (0.846, "full information", DISCOPEN),
    ("mz4", "full", "published", "accuracy"): (0.755, "full information", DISCOPEN),
    ("mz10", "full", "published", "accuracy"): (0.706, "full information", DISCOPEN),
    ("mz10", "self-report", "published", "accuracy"): (0.517, "logistic regression", TABLE),
    ("mz4", "full", "clean", "accuracy"): (0.704, "logistic regression, no diagnosis words", TABLE),
    ("mz10", "full", "clean", "accuracy"): (0.595, "logistic regression, no diagnosis words", TABLE),
    ("toyhom-department", "question", "xinglin", "accuracy"): (0.968, "linear SVM", APART),
    ("toyhom-disease", "question, name masked", "xinglin", "accuracy"): (0.741, "linear SVM", APART),
    ("toyhom-disease", "question, name masked", "xinglin", "top3"): (0.888, "linear SVM", APART),
    ("dxy-text", "self-report", "xinglin", "accuracy"): (0.856, "linear SVM", APART),
    ("mz10-text", "self-report", "xinglin", "accuracy"): (0.517, "logistic regression", TABLE),
    ("xywy-exams", "unseen disease", "xinglin", "hit_at_5"): (0.76, "symptoms + department", TABLE),
    ("xywy-exams", "unseen disease", "xinglin", "precision_at_5"): (0.28, "symptoms + department", TABLE),
    ("xywy-exams", "unseen disease", "xinglin", "recall_at_5"): (0.32, "symptoms + department", TABLE),
}
"""(set, mode, arm, figure) -> value, whose, source."""
FIGURES = (
    "accuracy",
    "top3",
    "top5",
    "any_in_5",
    "hit_at_5",
    "precision_at_5",
    "recall_at_5",
    "coverage",
    "set_size",
)
FLOORS = ("floor", "linear", "department", "most frequent", "first candidate", "gpt4")
DIALOGUES = ("dxy", "mz4", "mz10")


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    lines: list[Line] = []
    for name in QUICK if quick else SETS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            lines += _one(name, SETS[name], data, Path(folder), quick)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return lines


def _one(name: str, which: Set, data: Path, folder: Path, quick: bool) -> list[Line]:
    path = data / which.path
    if not path.is_file():
        return [absent(name, f"no file {which.path} below the data folder (XINGLIN_DATA)")]
    try:
        from xinglin.apps.diagnosis.evaluate import evaluate
        from xinglin.apps.diagnosis.evaluate.door import Request

        rows = path.read_bytes()
        lines = gzip.decompress(rows).decode().splitlines()
        if quick:
            # A few cases, and no imported graph: it takes long to compile.
            lines, os.environ["XINGLIN_DATA"] = lines[:12], str(folder)
        train = None
        if which.key is not None:
            train = _write(folder / "train.jsonl", [line for line in lines if not _held(line, which.key)])
            lines = [line for line in lines if _held(line, which.key)]
        scored = _write(folder / "scored.jsonl", lines)
        graphs = None
        if not quick:
            graphs = {
                key: data / f"restricted/zh_disease_kg_{key}/kg.jsonl.gz"
                for key in ("xywy", "39")
                if (data / f"restricted/zh_disease_kg_{key}/kg.jsonl.gz").is_file()
            }
        result = evaluate(Request(name, scored, train, graphs))
    except ImportError as error:
        return [absent(name, f"not available: {error}")]
    finally:
        if quick:
            os.environ["XINGLIN_DATA"] = str(data)
    return lines_of(name, result.rows)


def lines_of(name: str, rows: Sequence[Any]) -> list[Line]:
    """Return the figures of a set, with the floors of the same run and what is published."""
    lines = []
    for row in rows:
        for key in (key for key in FIGURES if key in row.metrics):
            figure = row.metrics[key]
            title = f"{name}, {row.mode}, {row.arm}"
            for reference, whose in _floors(row, key, rows) or [(None, None)]:
                lines.append(
                    Line(
                        *(title, key, figure.value, "", figure.n, figure.low, figure.high),
                        reference=reference,
                        reference_name=whose,
                        note=row.note,
                    )
                )
            published = PUBLISHED.get((name, row.mode, row.arm, key))
            if published is not None:
                value, who, source = published
                lines.append(
                    Line(
                        *(
                            title,
                            f"{key}, against published",
                            figure.value,
                            "",
                            figure.n,
                            figure.low,
                            figure.high,
                        ),
                        reference=value,
                        reference_name=who,
                        note=f"reference: {source}; ours: own split",
                    )
                )
    return lines


def _floors(row: Any, key: str, rows: Sequence[Any]) -> list[tuple[float, str]]:
    """Return the same figure of every floor in the same run: in the row's mode, else in the floor's own."""
    if key == "accuracy" and row.set in DIALOGUES:
        return [(row.metrics["floor"].value, "naive Bayes + information gain, same run")]
    found: dict[str, tuple[float, str]] = {}
    if row.arm not in FLOORS:
        for other in sorted(rows, key=lambda item: item.mode != row.mode):
            if other.arm in FLOORS and key in other.metrics:
                named = (other.metrics[key].value, f"{other.arm} ({other.mode}), same run")
                found.setdefault(other.arm, named)
    return list(found.values())


def _held(line: str, key: str) -> bool:
    """Whether a case is in the fifth that is scored."""
    case: Mapping[str, Any] = json.loads(line)
    return int(hashlib.sha256(str(case[key]).encode()).hexdigest(), 16) % 5 == 0


def _write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def absent(name: str, why: str) -> Line:
    """Return the line of a set that could not be scored."""
    return Line(name, "accuracy", None, "", 0, note=why)
