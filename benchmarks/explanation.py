"""Explanations: the time of a report, against ``shap``, a planted signal, and how faithful each method is.

    python -m benchmarks explanation [--only PART]

``report``: a full SHAP report of a 120-character note on the shipped checkpoint, HTML included. ``peer``: the same
values by ``shap`` over the fp32 ``transformers`` pipeline, both against the exact values of that fp32 model.
``planted``: a transformer trained here on a planted word, which the explanation must put first. ``faithfulness``: the
methods on the parts of two sets that nothing shipped was trained on. A run of all parts writes
``docs/results/explanation.json`` and ``docs/results/explanation.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PARTS = ("report", "peer", "planted", "faithfulness")


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    lines = [line for name in only or PARTS for line in _part(name)(quick)]
    if not quick and not only:
        _write(lines)
    return lines


def _part(name: str) -> Callable[[bool], list[Line]]:
    from benchmarks import _explain_faithful, _explain_planted, _explain_speed

    parts = {
        "report": _explain_speed.report,
        "peer": _explain_speed.peer,
        "planted": _explain_planted.planted,
        "faithfulness": _explain_faithful.faithfulness,
    }
    return parts[name]


def _write(lines: Sequence[Line]) -> None:
    from benchmarks.__main__ import SHARED
    from benchmarks._machine import machine
    from benchmarks._table import markdown

    titles = {"explanation": (__doc__ or "").splitlines()[0]}
    page = markdown({"explanation": lines}, titles, machine(), SHARED, ["explanation"])
    body = json.dumps([line.as_json() for line in lines], ensure_ascii=False, indent=2, allow_nan=False)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, text in (("explanation.json", body + "\n"), ("explanation.md", page)):
        new = RESULTS / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        os.replace(new, RESULTS / name)
