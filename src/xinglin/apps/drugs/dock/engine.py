"""AutoDock Vina with one receptor's maps, computed once; one ligand at a time on one core."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xinglin.apps.drugs.dock.ligand import Ligand, LigandForm, prepare_ligand
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.target.box import Box
from xinglin.errors import DockingError, MissingExtraError, XinglinError

POSES = 1
"""Poses kept of a ligand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one ligand: a score and a pose, or an error."""

    score: float | None
    """kcal/mol; lower is better. ``None``: it could not be docked."""
    pose: str | None
    """PDBQT of the best pose."""
    seconds: float
    notes: tuple[str, ...] = ()
    error: str | None = None


class Engine:
    """A receptor whose maps are ready.

    Raises:
        DockingError: Vina does not accept receptor or box.
        MissingExtraError: Vina is not installed.
    """

    def __init__(self, receptor: str, box: Box, options: DockOptions) -> None:
        try:
            from vina import Vina
        except ImportError as error:
            raise MissingExtraError("xinglin drugs dock", "drugs") from error
        self._options = options
        # Seed 0 would let Vina choose one by itself.
        self._vina = Vina(sf_name=options.scoring, cpu=1, seed=options.seed + 1, verbosity=0)
        with tempfile.TemporaryDirectory(prefix="xinglin-dock-") as folder:
            path = Path(folder) / "receptor.pdbqt"
            path.write_text(receptor, encoding="utf-8")
            try:
                self._vina.set_receptor(str(path))
                self._vina.compute_vina_maps(center=list(box.center), box_size=list(box.size))
            except (RuntimeError, ValueError, TypeError) as error:
                raise DockingError(
                    f"AutoDock Vina refuses the receptor: {' '.join(str(error).split())[:200]}"
                ) from error

    def dock(self, form: LigandForm) -> Answer:
        """Return the best pose of a ligand, or the error that stood against it."""
        started = time.perf_counter()
        try:
            ligand = prepare_ligand(form, self._options)
        except XinglinError as error:
            return Answer(None, None, time.perf_counter() - started, (), str(error))
        return self.dock_prepared(ligand)

    def dock_prepared(self, ligand: Ligand) -> Answer:
        """Return the best pose of a ligand in the conformer that it has, or the error that stood against it."""
        started = time.perf_counter()
        notes = ligand.notes
        try:
            self._vina.set_ligand_from_string(ligand.pdbqt)
            self._vina.dock(exhaustiveness=self._options.exhaustiveness, n_poses=POSES)
            energies = self._vina.energies(n_poses=POSES)
            pose = str(self._vina.poses(n_poses=POSES))
        except (RuntimeError, ValueError, TypeError) as error:
            said = f"AutoDock Vina: {' '.join(str(error).split())[:160]}"
            return Answer(None, None, time.perf_counter() - started, notes, said)
        score = float(energies[0][0]) if np.size(energies) else float("nan")
        if not np.isfinite(score) or score == 0.0 or "MODEL" not in pose:
            return Answer(None, None, time.perf_counter() - started, notes, "AutoDock Vina found no pose")
        return Answer(score, pose, time.perf_counter() - started, notes)

    def score_only(self, pdbqt: str) -> float:
        """Return the score (kcal/mol) of a ligand as it lies, without moving it."""
        self._vina.set_ligand_from_string(pdbqt)
        return float(self._vina.score()[0])
