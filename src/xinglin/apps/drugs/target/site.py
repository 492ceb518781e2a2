"""Where to dock: around a reference ligand, around named residues, or in a detected pocket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.drugs.target.box import MOST, PADDING, Array, Box, box_around
from xinglin.apps.drugs.target.clean import Cleaned, named
from xinglin.apps.drugs.target.detect import Pocket, find_pockets
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError

TOUCHING = 6.0
"""A reference ligand with no atom closer to the receptor than this, Ångström, lies in another frame."""
LINING = 5.0
"""Ångström around a ligand, for naming the residues of a site."""
MOST_REFERENCE_BYTES = 4_000_000
_RESIDUE = re.compile(r"(?:(?P<chain>[^:\s]*):)?(?P<number>-?\d+[A-Za-z]?)")


@dataclass(frozen=True, slots=True)
class Site:
    """A box and what is known of it."""

    box: Box
    remarks: tuple[Remark, ...] = ()
    pockets: tuple[Pocket, ...] = ()
    reference: Array | None = None
    """n x 3 positions of the reference ligand, Å."""


def site_of_ligand(reference: str, cleaned: Cleaned, protein: Array) -> Site:
    """Return the box around a reference ligand.

    Args:
        reference: a file (SDF, MOL, MOL2, PDB, PDBQT) in the receptor's frame, or a residue of the structure as
            ``STI``, ``A:STI`` or ``A:STI:201``.
        cleaned: with the residues that were removed.
        protein: n x 3 positions of the receptor, Å.

    Raises:
        InvalidInputError: no such file or residue, or it does not touch the receptor.
    """
    path = Path(reference)
    remarks: list[Remark] = []
    if path.is_file():
        points, origin = ligand_points(path), f"ligand {path.name}"
    else:
        points, origin, remarks = _residue_points(reference, cleaned)
    nearest = float(min(np.linalg.norm(protein - point, axis=1).min() for point in points))
    if nearest > TOUCHING:
        raise InvalidInputError(
            f"reference {reference}: its nearest atom is {nearest:.1f} Å from the receptor, at most {TOUCHING:g} "
            "expected: it lies in another frame; superpose both first"
        )
    if float(np.ptp(points, axis=0).max()) + 2 * PADDING > MOST:
        remarks.append(
            Remark("large-reference", f"参考配体很长,盒子边长限于 {MOST:g} Å。",
                   f"The reference ligand is long: edges of the box are held at {MOST:g} Å.", warning=True)
        )  # fmt: skip
    return Site(box_around(points, origin), tuple(remarks), reference=points)


def site_of_residues(specification: str, structure: Any) -> Site:
    """Return the box around residues given as ``A:315,A:381`` (``315`` where the chain has no name).

    Raises:
        InvalidInputError: not of that form, or no such residue.
    """
    points: list[list[float]] = []
    for item in specification.split(","):
        match = _RESIDUE.fullmatch(item.strip())
        if match is None:
            raise InvalidInputError(f"residue {item.strip()!r}: expected CHAIN:NUMBER, e.g. A:315")
        chain, number = match["chain"], match["number"]
        found = [
            residue for part in structure[0] for residue in part
            if (chain is None or part.name == chain) and str(residue.seqid).strip() == number
        ]  # fmt: skip
        if not found:
            chains = ", ".join(
                f"{part.name or '(no name)'} {part[0].seqid}–{part[-1].seqid}" for part in structure[0]
            )
            raise InvalidInputError(f"there is no residue {item.strip()}; the receptor has {chains}")
        points += [atom.pos.tolist() for residue in found for atom in residue if not atom.is_hydrogen()]
    return Site(box_around(np.asarray(points), f"residues {specification}"))


def site_detected(protein: Array) -> Site:
    """Return the box around the largest detected pocket.

    Raises:
        InvalidInputError: the protein has none.
    """
    pockets = tuple(find_pockets(protein))
    if not pockets:
        raise InvalidInputError(
            "no pocket was found in this structure: name one with --reference or --residues, or check that it is a whole "
            "protein"
        )
    remark = Remark(
        "detected", "口袋由几何检测得出,未必是结合位点:请核对盒内残基。",
        "The pocket was detected by geometry and need not be the binding site: check the residues in the box.",
        warning=True,
    )  # fmt: skip
    return Site(pockets[0].box(1, len(pockets)), (remark,), pockets)


def ligand_points(path: Path) -> Array:
    """Return positions (n x 3, Å) of a ligand file's atoms other than hydrogen.

    Raises:
        InvalidInputError: not a ligand file with coordinates in three dimensions.
    """
    if path.stat().st_size > MOST_REFERENCE_BYTES:
        raise InputTooLargeError(f"{path.name}: more than {MOST_REFERENCE_BYTES:,} bytes for a ligand")
    text = path.read_text(encoding="utf-8", errors="replace")
    if any(line.startswith(("ATOM  ", "HETATM")) for line in text.splitlines()):
        points = _pdb_points(path, text)
    else:
        points = _rdkit_points(path, text)
    if len(points) < 3 or not np.isfinite(points).all():
        raise InvalidInputError(
            f"{path.name}: {len(points)} atoms with coordinates, at least 3 expected of a ligand"
        )
    if np.ptp(points, axis=0).min() == 0 and np.all(points[:, 2] == 0):
        raise InvalidInputError(
            f"{path.name}: a flat drawing; coordinates in the receptor's frame are needed"
        )
    return points


def _pdb_points(path: Path, text: str) -> Array:
    points = []
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        kind = line[77:79].strip() if len(line) > 77 else ""
        if line.startswith(("ATOM  ", "HETATM")) and (kind or line[12:16].strip()[:1]) not in ("H", "HD"):
            try:
                points.append([float(line[30:38]), float(line[38:46]), float(line[46:54])])
            except ValueError as error:
                raise InvalidInputError(f"{path.name}: expected coordinates, got {line[30:54]!r}") from error
    return np.asarray(points, float)


def _rdkit_points(path: Path, text: str) -> Array:
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingExtraError("xinglin drugs target", "drugs") from error
    with rdBase.BlockLogs():
        if "@<TRIPOS>MOLECULE" in text:
            molecule = Chem.MolFromMol2Block(text, sanitize=False)
        else:
            molecule = Chem.MolFromMolBlock(text.split("$$$$")[0], sanitize=False)
    if molecule is None or molecule.GetNumConformers() == 0:
        raise InvalidInputError(f"{path.name}: not an SDF, MOL, MOL2, PDB or PDBQT file of a ligand")
    heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    return np.asarray(molecule.GetConformer().GetPositions()[heavy], float)


def _residue_points(reference: str, cleaned: Cleaned) -> tuple[Array, str, list[Remark]]:
    wanted = reference.split(":")
    found = []
    for chain, residue in cleaned.removed:
        number = str(residue.seqid).strip()
        if wanted in ([residue.name], [chain, residue.name], [chain, residue.name, number]):
            found.append((f"{chain}:{residue.name}:{number}", residue))
    if not found:
        candidates = [f"{chain}:{residue.name}:{str(residue.seqid).strip()}" for chain, residue in cleaned.removed
                      if len(residue) > 5]  # fmt: skip
        near = (
            f"; ligands in the structure: {', '.join(candidates)}"
            if candidates
            else "; the structure has no ligand"
        )
        raise InvalidInputError(
            f"reference {reference!r}: neither a file nor a residue of the structure{near}"
        )
    label, residue = found[0]
    remarks = []
    if len(found) > 1:
        others = tuple(name for name, _ in found[1:])
        remarks.append(
            Remark(
                "several-ligands",
                f"参考配体出现多次,取 {label};其余:",
                f"The reference occurs several times, {label} is taken; others:",
                others,
                warning=True,
            )
        )
    points = [atom.pos.tolist() for atom in residue if not atom.is_hydrogen()]
    return np.asarray(points, float), f"ligand {label}", remarks


def lining(structure: Any, box: Box) -> tuple[str, ...]:
    """Return the residues with an atom in the box, as ``A:THR:315``."""
    found = []
    for chain in structure[0]:
        for residue in chain:
            points = np.array([atom.pos.tolist() for atom in residue])
            if len(points) and box.holds(points).any():
                found.append(named(chain, residue))
    return tuple(found)
