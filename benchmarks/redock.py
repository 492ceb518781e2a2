"""1IEP and imatinib: docked back into the structure it was taken from.

Receptor from 1iep_receptorH.pdb by our own preparation, box around the crystal ligand. Two ligands: the crystal's
conformer, as AutoDock Vina's own example has it (its torsions and place are searched anew, ring shapes and bond lengths
stay), and one made from SMILES alone by ETKDG, of which nothing is the crystal's. Reference: -13.2 kcal/mol, the first
pose of that example.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from benchmarks._line import Line, aim

ROOT = Path(__file__).resolve().parents[1]
IMATINIB = "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1"


def run(quick: bool) -> list[Line]:
    data = (
        Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules" / "docking-abl1"
    )
    if not data.is_dir():
        return [
            Line("1IEP / imatinib", "score", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")
        ]
    from rdkit import Chem

    from xinglin.apps.drugs.dock.engine import Engine
    from xinglin.apps.drugs.dock.ligand import given_conformer, ligand_form
    from xinglin.apps.drugs.dock.options import DockOptions
    from xinglin.apps.drugs.dock.poses import pose_molecule, symmetric_rmsd
    from xinglin.apps.drugs.target.prepare import prepare_target

    crystal = next(iter(Chem.SDMolSupplier(str(data / "1iep_ligand.sdf"), removeHs=False)))
    target = prepare_target(data / "1iep_receptorH.pdb", reference=str(data / "1iep_ligand.sdf"))
    published = re.search(
        r"REMARK VINA RESULT:\s+(-?[\d.]+)", (data / "1iep_ligand_vina_out.pdbqt").read_text()
    )
    reference = float(published.group(1)) if published else None
    options = DockOptions(exhaustiveness=1 if quick else 8)
    engine = Engine(target.receptor, target.box, options)
    note = f"exhaustiveness {options.exhaustiveness}, seed {options.seed}"
    lines = []
    for name, dock in (
        ("crystal's conformer", lambda: engine.dock_prepared(given_conformer(crystal, options))),
        ("from SMILES alone", lambda: engine.dock(ligand_form(IMATINIB, options))),
    ):
        started = time.process_time()
        answer = dock()
        spent = time.process_time() - started
        name = f"1IEP / imatinib, {name}"
        if answer.score is None or answer.pose is None:
            lines.append(Line(name, "score", None, "", 1, note=answer.error or ""))
            continue
        rmsd = symmetric_rmsd(pose_molecule(answer.pose), crystal)
        gap = abs(answer.score - reference) if reference is not None else float("nan")
        lines += [
            Line(name, "score", answer.score, "kcal/mol", 1, reference=reference,
                 reference_name="AutoDock Vina's example", note=f"{note}; {aim(gap, 0.3, 'kcal/mol apart')}"),
            Line(name, "RMSD", rmsd, "Å", 1, note=f"symmetry-corrected, to the crystal; {aim(rmsd, 2.0, 'Å')}"),
            Line(name, "CPU time", spent, "s", 1, note="one core, beside the receptor's maps"),
        ]  # fmt: skip
    return lines
