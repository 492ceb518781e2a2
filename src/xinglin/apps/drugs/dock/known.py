"""Known binders and others, docked before a design: how well the score tells them apart, beside size alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.drugs.dock.check import FEWEST, Enrichment, enrichment
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.pool import Dockers
from xinglin.apps.drugs.dock.run import Docked, Progress, dock_many
from xinglin.apps.drugs.dock.shelf import Shelf
from xinglin.errors import InvalidInputError
from xinglin.measure import Figure
from xinglin.records.molecules.tables import read_molecules

SCORE, PER_ATOM, SIZE = (
    "对接分数 docking score",
    "每重原子 per heavy atom",
    "仅分子大小 size alone (heavy atoms)",
)
ACTIVE, AFFINITY = ("active", "label"), ("affinity", "p_activity", "pki", "pic50", "y")
"""Names of columns, in any case of letters."""


@dataclass(frozen=True, slots=True)
class Known:
    """One molecule of known activity."""

    place: str
    name: str
    smiles: str
    active: bool
    affinity: float
    """-log10 of mol/l (pKi); NaN: not measured."""


@dataclass(frozen=True, slots=True)
class KnownCheck:
    """What docking the known molecules showed."""

    rows: tuple[Docked, ...]
    ranked: Mapping[str, Enrichment]
    """By what was ranked."""
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return figures and warnings as JSON values."""
        return {
            "ranked": {name: _json(found) for name, found in self.ranked.items()},
            "warnings": list(self.warnings),
        }


def read_known(path: Path) -> tuple[Known, ...]:
    """Return the molecules of a CSV with ``smiles``, ``active`` (1 or 0) and, where measured, ``affinity``.

    Without a column ``active``, all are taken as actives: then only the correlation is given.

    Raises:
        InvalidInputError: a row that is no molecule or has another ``active`` than 0 or 1, or too few molecules.
    """
    found = []
    for entry in read_molecules(path).entries:
        cells = {name.lower(): value.strip() for name, value in entry.cells.items()}
        active = next((cells[name] for name in ACTIVE if name in cells), "1")
        affinity = next((cells[name] for name in AFFINITY if name in cells), "")
        if active not in ("0", "1", "0.0", "1.0"):
            raise InvalidInputError(
                f"{path.name} {entry.place}: column active: expected 1 or 0, got {active[:20]!r}"
            )
        try:
            value = float(affinity) if affinity else math.nan
        except ValueError as error:
            raise InvalidInputError(
                f"{path.name} {entry.place}: affinity: expected a number, got {affinity[:20]!r}"
            ) from error
        found.append(Known(entry.place, cells.get("name", entry.place), entry.text, active[0] == "1", value))
    if len(found) < FEWEST:
        raise InvalidInputError(
            f"{path.name}: {len(found)} molecules, at least {FEWEST} needed to say anything"
        )
    return tuple(found)


def check_known(
    known: Sequence[Known],
    options: DockOptions,
    dockers: Dockers,
    shelf: Shelf | None = None,
    progress: Progress | None = None,
    *,
    seed: int = 0,
) -> KnownCheck:
    """Dock known molecules and return how the score ranks them, with warnings.

    Args:
        known: molecules with their labels.
        options: of docking.
        dockers: what docks.
        shelf: where scores are kept.
        progress: called with (done, of).
        seed: of the bootstrap.
    """
    rows = dock_many([item.smiles for item in known], options, dockers, shelf, progress)
    active = np.array([item.active for item in known])
    affinity = np.array([item.affinity for item in known])
    score = -np.array([np.nan if row.score is None else row.score for row in rows])
    each = -np.array([np.nan if row.per_heavy_atom is None else row.per_heavy_atom for row in rows])
    # Where docking failed the size is left out as well: all rankings are over the same molecules.
    size = np.array(
        [np.nan if row.score is None or row.form is None else row.form.heavy_atoms for row in rows], float
    )
    ranked = {
        name: enrichment(values, active, affinity, seed=seed)
        for name, values in ((SCORE, score), (PER_ATOM, each), (SIZE, size))
    }
    return KnownCheck(tuple(rows), ranked, tuple(_warnings(ranked)))


def _warnings(ranked: Mapping[str, Enrichment]) -> list[str]:
    score, size = ranked[SCORE], ranked[SIZE]
    found = []
    if score.auroc is None and score.spearman is None:
        found.append(
            f"已知分子太少,无法判断 too few known molecules to judge: {score.actives} actives, {score.decoys} decoys, "
            f"at least {FEWEST} each"
        )
    elif not score.better_than_chance:
        found.append(
            "对接在此靶点上不优于随机:不要据此设计 docking into this target is not better than chance: do not design by it"
        )
    if score.spearman is not None and score.spearman.low <= 0:
        found.append(
            "对接分数与实测亲和力的相关不可与零区分 the correlation of score and measured affinity cannot be told from zero"
        )
    if score.auroc is not None and size.auroc is not None and size.auroc.value >= score.auroc.value:
        found.append("仅凭分子大小排序不比对接差 ranking by size alone is no worse than docking")
    if score.failed:
        found.append(f"{score.failed} 个未能对接,排在最后 could not be docked and rank last")
    return found


def _json(found: Enrichment) -> dict[str, Any]:
    def figure(value: Figure | None) -> dict[str, float] | None:
        return None if value is None else value.as_json() | {"n": value.n}

    return {
        "enrichment_1_percent": figure(found.enrichment),
        "auroc": figure(found.auroc),
        "spearman": figure(found.spearman),
        "actives": found.actives,
        "decoys": found.decoys,
        "failed": found.failed,
    }
