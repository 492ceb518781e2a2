"""Epsilon of the accountant against Google's dp-accounting, over rounds, jobs and patients with several examples.

The reference comes from ``_privacy_reference.json``, made by ``_privacy_reference.py`` under a Python of its own; with
``XINGLIN_DP_ACCOUNTING`` (such a Python) it is computed in this run. Bounds are compared with bounds: an upper bound
below the exact value would be a false promise.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks._line import Line
from xinglin.federate.privacy.accountant import Step, epsilon

FOLDER = Path(__file__).parent


def reference() -> tuple[list[dict[str, Any]], str]:
    """The reference's rows, and where they come from."""
    python = os.environ.get("XINGLIN_DP_ACCOUNTING")
    if python is None:
        return json.loads((FOLDER / "_privacy_reference.json").read_text(encoding="utf-8")), "committed table"
    done = subprocess.run(
        [python, FOLDER / "_privacy_reference.py"], check=True, capture_output=True, text=True, env={}
    )
    return json.loads(done.stdout), "run now"


def ours(row: dict[str, Any], kind: Any) -> float:
    """Epsilon of a row by our accountant, for a patient with so many examples."""
    steps = [Step(*step).of_group(row["group"]) for step in row["steps"]]
    return epsilon(steps, row["delta"], kind)


def run(quick: bool) -> list[Line]:
    rows, origin = reference()
    lines = []
    for row in rows[:4] + rows[-1:] if quick else rows:
        steps = sum(step[2] for step in row["steps"])
        note = f"delta {row['delta']:.3g}; {len(row['steps'])} kinds of step; {origin}"
        if row["rdp"] is not None:
            lines.append(
                Line(row["name"], "epsilon, rdp", ours(row, "rdp"), "", steps,
                     reference=row["rdp"], reference_name="dp-accounting, RDP", note=note)
            )  # fmt: skip
        lines.append(
            Line(row["name"], "epsilon, prv", ours(row, "prv"), "", steps,
                 reference=row["pld"], reference_name="dp-accounting, PLD", note=note)
        )  # fmt: skip
    return lines
