"""Does docking into ABL1 (1IEP) tell known binders from property-matched molecules of ZINC?

Actives: ABL1 ligands with a measured Ki (ChEMBL by MoleculeACE, train part), drawn at random among those with pKi >= 7.
Decoys: for each, the molecules of ZINC250k nearest in weight, logP, hydrogen bonds, torsions and charge, none similar to
an active (Tanimoto of ECFP4 < 0.35), in the manner of DUD-E (Mysinger et al. 2012): presumed, not measured inactives.
Scores are kept in XINGLIN_HOME, so an interrupted run goes on.
"""

from __future__ import annotations

import csv
import lzma
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line
from xinglin.measure import Figure

ROOT = Path(__file__).resolve().parents[1]
ACTIVES, EACH = 30, 4
"""Actives, and decoys for each."""
STRONG = 7.0
"""pKi from which a ligand counts as active."""
POOL = 20_000
"""Molecules of ZINC among which decoys are looked for."""


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
    if not (data / "docking-abl1").is_dir():
        return [
            Line("docking check", "AUROC", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")
        ]
    from xinglin.apps.drugs.dock.known import check_known
    from xinglin.apps.drugs.dock.options import DockOptions
    from xinglin.apps.drugs.dock.pool import Pool
    from xinglin.apps.drugs.dock.shelf import Shelf
    from xinglin.apps.drugs.target.prepare import prepare_target

    folder = data / "docking-abl1"
    target = prepare_target(folder / "1iep_receptorH.pdb", reference=str(folder / "1iep_ligand.sdf"))
    known = known_molecules(data, 10 if quick else ACTIVES, 1 if quick else EACH)
    options = DockOptions(exhaustiveness=1)
    shelf = Shelf.home(options.digest(target.digest))
    with Pool(target, options, int(os.environ.get("XINGLIN_BENCH_WORKERS", "0")) or None) as pool:
        found = check_known(known, options, pool, shelf, _progress)
    lines = []
    seconds = sum(row.answer.seconds for row in found.rows) / len(found.rows)
    for name, figures in found.ranked.items():
        title = name.split(" ", 1)[1]
        note = (
            f"{figures.actives} actives, {figures.decoys} decoys, {figures.failed} failed, exhaustiveness 1"
        )
        lines += [
            _line(title, "EF1%", figures.enrichment, note),
            _line(title, "AUROC", figures.auroc, note),
            _line(title, "Spearman with pKi", figures.spearman, "actives alone"),
        ]
    lines.append(
        Line("docking", "seconds a molecule", seconds, "s", len(found.rows), note="wall clock, one core each")
    )
    lines += [
        Line("docking", "warning", None, "", len(found.rows), note=warning) for warning in found.warnings
    ]
    return lines


def _line(name: str, figure: str, value: Figure | None, note: str) -> Line:
    if value is None:
        return Line(name, figure, None, "", 0, note="too few molecules")
    return Line(name, figure, value.value, "", value.n, value.low, value.high, note=note)


def _progress(done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        print(f"{done}/{total}", file=sys.stderr, flush=True)


def known_molecules(data: Path, actives: int, each: int, *, seed: int = 0) -> tuple[Any, ...]:
    """Return actives with their pKi and, for each, property-matched decoys."""
    from xinglin.apps.drugs.dock.known import Known

    with (data / "docking-abl1" / "abl1_known_ligands_chembl_train.csv").open() as file:
        rows = [(row["smiles"], float(row["p_activity"])) for row in csv.DictReader(file)]
    generator = np.random.default_rng(seed)
    strong = [row for row in rows if row[1] >= STRONG]
    chosen = [strong[i] for i in sorted(generator.choice(len(strong), actives, replace=False))]
    with lzma.open(data / "zinc250k" / "zinc250k.smi.xz", "rt") as file:
        zinc = [line.split()[0] for line in file if line.strip()]
    pool = [zinc[i] for i in sorted(generator.choice(len(zinc), POOL, replace=False))]
    found = [
        Known(f"active {i}", f"active {i}", smiles, True, value)
        for i, (smiles, value) in enumerate(chosen, 1)
    ]
    for i, smiles in enumerate(
        _decoys([smiles for smiles, _ in chosen], [smiles for smiles, _ in rows], pool, each), 1
    ):
        found.append(Known(f"decoy {i}", f"decoy {i}", smiles, False, float("nan")))
    return tuple(found)


def _decoys(actives: list[str], similar_to: list[str], pool: list[str], each: int) -> list[str]:
    from rdkit.DataStructs import BulkTanimotoSimilarity

    table = np.array([_properties(smiles) for smiles in pool])
    spread = table.std(axis=0)
    prints = [_print(smiles) for smiles in similar_to]
    taken: set[int] = set()
    for smiles in actives:
        distance = np.abs((table - _properties(smiles)) / spread).sum(axis=1)
        count = 0
        for index in map(int, np.argsort(distance, kind="stable")):
            if index in taken or max(BulkTanimotoSimilarity(_print(pool[index]), prints)) >= 0.35:
                continue
            taken.add(index)
            count += 1
            if count == each:
                break
    return [pool[index] for index in sorted(taken)]


def _properties(smiles: str) -> NDArray[np.float64]:
    """Weight, logP, donors, acceptors, torsions and charge at pH 7.4, as docked."""
    from rdkit import Chem
    from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

    from xinglin.apps.drugs.dock.charges import charged

    molecule = Chem.MolFromSmiles(smiles)
    return np.array(
        [
            Descriptors.MolWt(molecule),
            Crippen.MolLogP(molecule),
            rdMolDescriptors.CalcNumHBD(molecule),
            rdMolDescriptors.CalcNumHBA(molecule),
            rdMolDescriptors.CalcNumRotatableBonds(molecule),
            Chem.GetFormalCharge(charged(molecule)[0]),
        ],
        float,
    )


def _print(smiles: str) -> Any:
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    return GetMorganGenerator(radius=2, fpSize=2048).GetFingerprint(Chem.MolFromSmiles(smiles))
