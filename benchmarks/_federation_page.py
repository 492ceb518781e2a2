"""The page ``docs/results/federation.md`` out of the JSON of both federation benchmarks beside it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks._line import Line
from benchmarks._machine import machine
from benchmarks._table import HEAD, cells

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
NAMES = ("fed-heart", "fed-diagnosis")
TOP = """# Federation 联邦学习

Rendered by `python -m benchmarks fed-heart fed-diagnosis`; not edited by hand. Research figures on old, small or made
data: 仅供研究,不代表临床性能。Intervals are 95 %."""


def write_page(name: str, lines: Sequence[Line]) -> None:
    """Keep the lines of one benchmark as JSON, and write the page of all that are kept."""
    body = {"machine": machine(), "lines": [line.as_json() for line in lines]}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    parts = [TOP, *(_section(each) for each in NAMES if (RESULTS / f"{each}.json").is_file())]
    (RESULTS / "federation.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _section(name: str) -> str:
    body = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    lines = [Line(**{key: value for key, value in line.items() if key != "ratio"}) for line in body["lines"]]
    about = inspect.cleandoc(import_module(f"benchmarks.{name.replace('-', '_')}").__doc__ or "")
    title, _, text = about.partition("\n")
    rows = [HEAD, ("---",) * len(HEAD), *map(cells, lines)]
    grid = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return f"## {name}\n\n{title}\n\n{text.strip()}\n\nMachine: {body['machine']}.\n\n{grid}"
