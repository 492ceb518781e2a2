"""``python -m benchmarks._render``: the README's scoreboard out of the JSON below ``docs/results``.

``docs/results/NAME.json`` is what ``xinglin evaluate NAME --json`` printed; nothing in the table is typed by
hand but the references. Triage has a page of its own (``docs/results/triage.md``): a rate over cases that were
mended after they were read would mislead here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
BEGIN, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"
HRL = "HRL, official test set (DISCOpen readme)"
PUBLISHED = {
    ("dxy", "interactive", "published"): f".779 {HRL}",
    ("mz4", "interactive", "published"): f".735 {HRL}",
    ("mz10", "interactive", "published"): f".556 {HRL}",
    ("mz10", "full", "published"): ".706 full-information bound (DISCOpen readme)",
}
"""Accuracy that others have published; the floors of the text sets are of the same run."""
ROWS = [
    ("dxy", "interactive", "published", "accuracy"),
    ("mz4", "interactive", "published", "accuracy"),
    ("mz10", "interactive", "published", "accuracy"),
    ("mz10", "full", "published", "accuracy"),
    ("mz10", "self-report", "published", "accuracy"),
    ("dxy", "interactive", "clean", "accuracy"),
    ("mz4", "interactive", "clean", "accuracy"),
    ("mz10", "interactive", "clean", "accuracy"),
    ("mz10", "full", "published", "slope"),
    ("mz10", "full", "published", "coverage"),
    ("ai-hospital", "statement+exams", "starter", "top5"),
    ("ai-hospital", "statement+exams", "model", "top5"),
    ("ai-hospital", "statement+exams", "both", "top5"),
    ("ai-hospital", "statement+exams", "starter+echo", "top5"),
    ("ai-hospital", "statement+exams", "xywy", "top5"),
    ("ai-hospital", "one-step answer", "gpt4", "top5"),
    ("dxbench", "explicit+implicit", "starter", "accuracy"),
    ("xywy-exams", "*", "*", "hit_at_5"),
    ("toyhom-department", "question", "encoder", "accuracy"),
    ("toyhom-department", "question", "xinglin", "accuracy"),
    ("toyhom-disease", "question, name masked", "encoder", "accuracy"),
    ("toyhom-disease", "question, name masked", "xinglin", "accuracy"),
    ("toyhom-disease", "question, name masked", "xinglin", "top3"),
    ("dxy-text", "self-report", "encoder", "accuracy"),
    ("dxy-text", "self-report", "xinglin", "accuracy"),
    ("mz10-text", "self-report", "encoder", "accuracy"),
    ("mz10-text", "self-report", "xinglin", "accuracy"),
    ("mz10-text", "full", "xinglin", "accuracy"),
]
SHORT = {"toyhom-disease": " (weak topic)", "mz10-text": " (templated)"}
"""What must be said beside the name of a set wherever one of its figures stands."""


def read_rows(name: str, results: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the rows of a set, none if it was never scored."""
    path = results / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _cell(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def scoreboard(results: Path = RESULTS) -> str:
    """Return the table as Markdown."""
    lines = [
        "| set | mode | arm | n | figure | ours [95 %] | floor, same run | published |",
        "|" + "---|" * 8,
    ]
    for name, mode, arm, figure in ROWS:
        for row in read_rows(name, results):
            if mode not in ("*", row["mode"]) or arm not in ("*", row["arm"]) or figure not in row["metrics"]:
                continue
            floor = row["metrics"].get({"accuracy": "floor", "top3": "floor_top3"}.get(figure, ""))
            shown = _cell(floor) if floor else ""
            published = PUBLISHED.get((name, row["mode"], row["arm"]), "") if figure == "accuracy" else ""
            cells = (
                name + SHORT.get(name, ""),
                row["mode"],
                row["arm"],
                str(row["n"]),
                figure,
                _cell(row["metrics"][figure]),
                shown,
                published,
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Rewrite the section of the README between the markers."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n{scoreboard()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
