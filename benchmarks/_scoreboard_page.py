"""The page ``docs/results/scoreboard.md`` out of the JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._render import read_rows, scoreboard

FIGURES = (
    *(
        "accuracy",
        "floor",
        "top3",
        "floor_top3",
        "top5",
        "any_in_5",
        "hit_at_5",
        "precision_at_5",
        "recall_at_5",
    ),
    *("nll", "brier", "ece", "slope", "intercept", "aurc", "coverage", "set_size", "turns"),
)
AIMS = {
    "toyhom-department": "accuracy > .975",
    "toyhom-disease": "accuracy > .78, top3 > .93 (weak topic)",
    "dxy-text": "accuracy > .89",
    "mz10-text": "accuracy > .54 from the self-report (templated)",
    "ai-hospital": "top5 of graph and model well above the graph alone",
}
HEAD = """# Scoreboard

Rebuilt by `python -m benchmarks scoreboard`; not edited by hand. Every figure with its 95 % interval (Wilson for
shares, bootstrap otherwise) and the floor of the same run. The parts that are scored are fixed and were read by
nothing that the package ships (`benchmarks/scoreboard.py` says how they are split); published figures are on the
official test parts, which are not here. The other cases of a set, from which the text sets learn here, *were* read
by the shipped model; so here its evidence out of fold flatters it, where a training file with new cases would
settle that (each set's remarks say which it was). Weak labels and templated texts are called so wherever they appear.

*slope* and *intercept*: Cox's calibration of the first label's confidence, 1 and 0 are perfect, a slope below 1 is
over-confidence. *aurc*: area under the risk-coverage curve, the mean error over all shares answered, surest first.
*coverage* and *set_size*: of adaptive prediction sets at 90 %, the quantile learnt on training cases.
"""


def write_page(results: Path, names: Sequence[str]) -> None:
    """Write the page of the sets that were scored."""
    path = results / "scoreboard.json"
    about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = [HEAD, scoreboard(results)]
    parts += [_section(name, read_rows(name, results), about.get(name, {})) for name in names]
    text = "\n\n".join(part.strip() for part in parts if part) + "\n"
    (results / "scoreboard.md").write_text(text, encoding="utf-8")


def _section(name: str, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    if not rows:
        return f"## {name}\n\nNot scored yet."
    shown = [key for key in FIGURES if any(key in row["metrics"] for row in rows)]
    table = [("mode", "arm", "n", *shown, "note"), ("---",) * (len(shown) + 4)]
    for row in rows:
        figures = [_cell(row["metrics"].get(key)) for key in shown]
        table.append((row["mode"], row["arm"], str(row["n"]), *figures, row.get("note", "")))
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table]
    parts = [f"## {name}"]
    if name in AIMS:
        parts.append(f"Aim: {AIMS[name]}.")
    parts.append("\n".join(lines))
    if about.get("plots"):
        parts.append(f"![Reliability]({name}-reliability.svg)\n\n![Risk and coverage]({name}-risk.svg)")
    if about.get("remarks"):
        parts.append("\n".join(f"- {remark}" for remark in about["remarks"]))
    if about:
        parts.append(
            f"Code {about['code']}, model {about['model'][:16]}, seed {about['seed']}, {about['seconds']} s on "
            f"{about['machine']}."
        )
    return "\n\n".join(parts)


def _cell(figure: Mapping[str, float] | None) -> str:
    return "" if figure is None else f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
