"""A few hundred real reactions, and a small model of them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

COLUMN = "reactants>reagents>production"


def some(data: Path, count: int, *, stereo: bool | None = None) -> list[dict[str, str]]:
    """The first reactions of USPTO-50k's staged part, as rows."""
    with gzip.open(data / "molecules" / "uspto50k" / "valid.csv.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if stereo is None or ("@" in row[COLUMN]) == stereo]
    return rows[:count]


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as they were."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
