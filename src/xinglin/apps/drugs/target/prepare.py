"""A structure file -> a target: read, clean, protonate, place the box; everything odd is said."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.drugs.target.box import Box
from xinglin.apps.drugs.target.clean import Cleaned, Cleaning, clean
from xinglin.apps.drugs.target.protonate import protonate
from xinglin.apps.drugs.target.read import read_structure
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.apps.drugs.target.site import Site, lining, site_detected, site_of_ligand, site_of_residues
from xinglin.apps.drugs.target.target import Target, receptor_atoms
from xinglin.errors import ConfigurationError

PROTEIN = Cleaning()
"""Protein and metals of all chains."""
CLOSE = 8.0
"""Ångström beyond the box within which what was done to a residue may change a docking."""


def prepare_target(
    path: Path,
    *,
    reference: str | None = None,
    residues: str | None = None,
    detect: bool = False,
    box: Box | None = None,
    cleaning: Cleaning = PROTEIN,
) -> Target:
    """Return the target of a structure file.

    Args:
        path: PDB, mmCIF or a ready receptor PDBQT; also gzipped.
        reference: a ligand file in the same frame, or a residue of the structure (``STI``, ``A:STI:201``).
        residues: ``A:315,A:381``.
        detect: find a pocket by geometry.
        box: stated.
        cleaning: what to keep; a ready PDBQT is taken as it is.

    Raises:
        ConfigurationError: not exactly one way to place the box.
        InvalidInputError: the file is no receptor, or the site is not there.
    """
    ways = [way for way in (reference, residues, detect or None, box) if way is not None]
    if len(ways) != 1:
        raise ConfigurationError(
            f"expected exactly one of a reference ligand, residues, detection and a stated box, got {len(ways)}"
        )
    file = read_structure(path)
    said: tuple[Remark, ...]
    if file.format == "pdbqt":
        cleaned = Cleaned(file.structure, (), (), ())
        receptor = "".join(
            f"{line}\n" for line in file.text.splitlines() if line.startswith(("ATOM  ", "HETATM", "TER"))
        )
        said = (
            Remark(
                "ready",
                "已是 PDBQT:原样使用,不再清理或加氢。",
                "Already PDBQT: used as it is, neither cleaned nor protonated.",
            ),
        )
    else:
        cleaned = clean(file.structure, cleaning)
        receptor, said = protonate(cleaned)
    protein = receptor_atoms(receptor)
    site = _site(cleaned, protein, reference, residues, box)
    around = lining(cleaned.structure, site.box)
    remarks = (*file.remarks, *cleaned.remarks, *said, *site.remarks)
    close = _near_site(remarks, cleaned, site.box)
    about: dict[str, Any] = {
        "format": file.format,
        "source_sha256": hashlib.sha256(file.text.encode()).hexdigest(),
        "atoms": len(protein),
        "residues": sum(len(chain) for chain in cleaned.structure[0]),
        "lining": list(around),
        "pockets": [{"center": list(p.center), "volume": p.volume} for p in site.pockets],
        "reference": None if site.reference is None else site.reference.round(3).tolist(),
    }
    return Target(path.name, receptor, site.box, (*remarks, *close), about)


def _site(
    cleaned: Cleaned, protein: Any, reference: str | None, residues: str | None, box: Box | None
) -> Site:
    if reference is not None:
        return site_of_ligand(reference, cleaned, protein)
    if residues is not None:
        return site_of_residues(residues, cleaned.structure)
    if box is None:
        return site_detected(protein)
    if not box.holds(protein).any():
        remark = Remark(
            "empty-box",
            "盒内没有受体原子:坐标系是否一致?",
            "No receptor atom lies in the box: is it in the same frame?",
            warning=True,
        )
        return Site(box, (remark,))
    return Site(box)


def _near_site(remarks: tuple[Remark, ...], cleaned: Cleaned, box: Box) -> tuple[Remark, ...]:
    """Name the residues that were cut back, guessed at or bound to metal within reach of the box."""
    wide = Box(box.center, tuple(edge + 2 * CLOSE for edge in box.size))  # type: ignore[arg-type]
    reached = {name.split(":")[0] + ":" + name.split(":")[-1] for name in lining(cleaned.structure, wide)}
    kinds = ("missing-atoms", "non-standard", "no-template", "altloc", "histidine", "microheterogeneity")
    found = []
    for remark in remarks:
        if remark.kind in kinds:
            for place in remark.where:
                parts = place.split("→")[0].split("=")[0].split(":")
                if f"{parts[0]}:{parts[-1]}" in reached:
                    found.append(f"{place} ({remark.kind})")
    found += [f"{name} (metal)" for _, point, name in cleaned.metals if wide.holds(np.asarray([point])).any()]
    if not found:
        return ()
    return (
        Remark(
            "near-site", f"其中位于盒子 {CLOSE:g} Å 以内、可能影响对接的:",
            f"Of these, within {CLOSE:g} Å of the box, where they may change the docking:",
            tuple(dict.fromkeys(found)), warning=True,
        ),
    )  # fmt: skip
