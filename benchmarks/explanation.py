"""Explanations: the time of a report, against ``shap``, a planted signal, and how faithful each method is.

    python -m benchmarks explanation [--only PART]

``report``: a full SHAP report of a 120-character note on the shipped checkpoint, HTML included. ``peer``: the same
values by ``shap`` over the fp32 ``transformers`` pipeline, both against the exact values of that fp32 model.
``planted``: a transformer trained here on a planted word, which the explanation must put first. ``faithfulness``: the
methods on the parts of two sets that nothing shipped was trained on. Each part that was run replaces its own in
``docs/results/explanation.json``, from which ``docs/results/explanation.md`` is written anew; the figures of a part are
of one run.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PARTS = ("report", "peer", "planted", "faithfulness")
TITLES = {
    "report": "The time of a whole report of a note.",
    "peer": "SHAP values beside ``shap`` over the fp32 ``transformers`` pipeline, at equal error against exact values.",
    "planted": "A transformer trained here on a planted word (synthetic), which the explanation must put first.",
    "faithfulness": "The methods beside random orders, on notes that nothing shipped was trained on.",
}


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    parts = {name: _part(name)(quick) for name in only or PARTS}
    if not quick:
        _write(parts)
    return [line for lines in parts.values() for line in lines]


def _part(name: str) -> Callable[[bool], list[Line]]:
    from benchmarks import _explain_faithful, _explain_planted, _explain_speed

    parts = {
        "report": _explain_speed.report,
        "peer": _explain_speed.peer,
        "planted": _explain_planted.planted,
        "faithfulness": _explain_faithful.faithfulness,
    }
    return parts[name]


def _write(parts: dict[str, list[Line]]) -> None:
    from benchmarks.__main__ import SHARED
    from benchmarks._machine import machine
    from benchmarks._table import markdown

    data = RESULTS / "explanation.json"
    kept = json.loads(data.read_text(encoding="utf-8")) if data.is_file() else {}
    told = {name: [line.as_json() for line in lines] for name, lines in parts.items()}
    both = kept | told
    known = {name: both[name] for name in PARTS if name in both}
    machines = kept.get("machines", {}) | dict.fromkeys(told, machine())
    titles = {name: f"{TITLES[name]} Machine: {machines.get(name, 'not noted')}." for name in known}
    fields = [field.name for field in dataclasses.fields(Line)]
    shown = {
        name: [Line(**{key: row[key] for key in fields}) for row in rows] for name, rows in known.items()
    }
    page = markdown(
        shown, titles, "stated with each part, since each was run by itself", SHARED, ["explanation"]
    )
    body = json.dumps(known | {"machines": machines}, ensure_ascii=False, indent=2, allow_nan=False)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for path, text in ((data, body + "\n"), (RESULTS / "explanation.md", page)):
        new = path.with_name(f".{path.name}.new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
