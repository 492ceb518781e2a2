"""What a design leaves: molecules as CSV and SDF, the page, and the numbers as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

from xinglin.apps.drugs.design import DesignRun
from xinglin.apps.drugs.dock.known import KnownCheck
from xinglin.apps.drugs.dock.poses import write_sdf
from xinglin.apps.drugs.report.design_page import design_page
from xinglin.types import DISCLAIMER

CSV, SDF, PAGE, NUMBERS = "molecules.csv", "poses.sdf", "report.html", "design.json"


def write_design(run: DesignRun, out: Path, check: KnownCheck | None) -> list[Path]:
    """Write all files of a design; return their paths."""
    (out / CSV).write_text(molecules_csv(run), encoding="utf-8")
    named = [(f"{rank}", item.docked) for rank, item in enumerate(run.found, 1) if item.docked is not None]
    write_sdf(out / SDF, named)
    (out / PAGE).write_text(design_page(run, check), encoding="utf-8")
    body = {
        "target": run.target.digest,
        "calls": run.calls,
        "failed": run.failed,
        "problems": dict(run.problems),
        "refused": len(run.refusals),
        "prior": run.prior,
        "toxicity": run.toxicity,
        "check": None if check is None else check.as_json(),
        "curve": [list(point) for point in run.curve],
        "disclaimer": DISCLAIMER,
    }
    (out / NUMBERS).write_text(
        json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    return [out / name for name in (CSV, SDF, PAGE, NUMBERS)]


def molecules_csv(run: DesignRun) -> str:
    """Return the molecules with every value and its desirability; a missing value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [aim.name for aim in run.aims]
    worth = [f"{name}_desirability" for name in names]
    writer.writerow(["rank", "smiles", "inchikey", "reward", *names, *worth, "nearest_known", "notes"])
    for rank, item in enumerate(run.found, 1):
        docked = item.docked
        writer.writerow(
            [
                rank,
                item.smiles,
                docked.form.inchikey if docked is not None and docked.form is not None else "",
                f"{item.reward:.4f}",
                *(_number(item.values[name]) for name in names),
                *(_number(item.desirabilities[name]) for name in names),
                item.nearest or "",
                "; ".join(docked.notes) if docked is not None else "",
            ]
        )
    return text.getvalue()


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
