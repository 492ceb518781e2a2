"""Rows of docked molecules as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from xinglin.apps.drugs.dock.run import Docked

COLUMNS = (
    "place", "name", "smiles", "docked_smiles", "inchikey", "score_kcal_mol", "score_per_heavy_atom", "heavy_atoms",
    "seconds", "kept", "notes", "error",
)  # fmt: skip


def docked_csv(rows: Iterable[tuple[str, str, Docked]]) -> str:
    """Return (place, name, row) as CSV; a molecule that was not docked has an empty score and an error."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, name, row in rows:
        form = row.form
        writer.writerow(
            (
                place,
                name,
                row.smiles,
                form.smiles if form else "",
                form.inchikey if form else "",
                "" if row.score is None else f"{row.score:.3f}",
                "" if row.per_heavy_atom is None else f"{row.per_heavy_atom:.4f}",
                form.heavy_atoms if form else "",
                f"{row.answer.seconds:.1f}",
                "yes" if row.kept else "no",
                "; ".join(row.notes),
                row.answer.error or "",
            )
        )
    return text.getvalue()
