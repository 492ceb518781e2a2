"""A SMILES -> the PDBQT of one conformer: standard form, charges, hydrogens, ETKDG, Meeko's torsions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xinglin.apps.drugs.dock.charges import charged
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.errors import DockingError, MissingExtraError
from xinglin.records.molecules.standard import standardise

MOST_ATOMS = 100
"""Atoms other than hydrogen: far above what Vina was made for, and near what it can still search."""
MOST_TORSIONS = 32
"""Rotatable bonds above which AutoDock's formats and searches are not meant (AutoDock's own bound)."""
MOST_STEPS = 200
"""Of the force field that relaxes a conformer."""


@dataclass(frozen=True, slots=True)
class LigandForm:
    """The form of a molecule that is docked: what decides the score, and the key under which it is kept."""

    smiles: str
    """Canonical, with the charges it is docked with."""
    inchikey: str
    """Of the standard form (the neutral parent)."""
    heavy_atoms: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ligand:
    """A ligand ready for docking."""

    form: LigandForm
    pdbqt: str
    notes: tuple[str, ...]
    """Of this conformer, e.g. that stereochemistry was not stated."""


def ligand_form(smiles: str, options: DockOptions) -> LigandForm:
    """Return the form of a molecule that is docked.

    Raises:
        InvalidInputError: no molecule, a mixture, a metal complex, ...
        DockingError: too large.
    """
    molecule = standardise(smiles)
    notes = list(molecule.notes)
    chem = _chem()
    parent = chem.MolFromSmiles(molecule.smiles)
    if options.protonation == "ph7":
        parent, said = charged(parent)
        notes += said
    else:
        parent = _as_drawn(smiles)
    atoms = parent.GetNumHeavyAtoms()
    if atoms > MOST_ATOMS:
        raise DockingError(f"{atoms} atoms other than hydrogen, at most {MOST_ATOMS} can be docked")
    return LigandForm(chem.MolToSmiles(parent), molecule.inchikey, atoms, tuple(notes))


def prepare_ligand(form: LigandForm, options: DockOptions) -> Ligand:
    """Return a ligand with one conformer.

    Args:
        form: from ``ligand_form``.
        options: the seed of the conformer.

    Raises:
        DockingError: no conformer, an element without an AutoDock type, too many torsions.
    """
    chem = _chem()
    molecule = chem.MolFromSmiles(form.smiles)
    notes = []
    open_places = _open_stereo(molecule)
    if open_places:
        notes.append(
            f"{open_places} 处立体构型未注明,任取一种对接 stereo not stated at {open_places} place(s): one arbitrary "
            "isomer was docked"
        )
    conformer = _embedded(chem.AddHs(molecule), options.seed)
    return Ligand(form, _pdbqt(conformer), tuple(notes))


def given_conformer(molecule: Any, options: DockOptions) -> Ligand:
    """Return a ligand in the conformer that it has, e.g. of a crystal: ring shapes and bond lengths are rigid in docking.

    Args:
        molecule: an RDKit molecule in three dimensions with its hydrogens.
        options: as :func:`ligand_form`; the charges stay as drawn.

    Raises:
        DockingError: no three-dimensional conformer, hydrogens missing, or what ``prepare_ligand`` raises.
        InvalidInputError: as :func:`ligand_form`.
    """
    chem = _chem()
    if molecule.GetNumConformers() == 0 or not molecule.GetConformer().Is3D():
        raise DockingError("expected a molecule in three dimensions")
    if any(atom.GetNumExplicitHs() or atom.GetNumImplicitHs() for atom in molecule.GetAtoms()):
        raise DockingError("expected a molecule with its hydrogens as atoms")
    plain = chem.MolToSmiles(chem.RemoveHs(molecule))
    return Ligand(ligand_form(plain, options), _pdbqt(molecule), ("the conformer given, not one made",))


def _chem() -> Any:
    try:
        from rdkit import Chem
    except ImportError as error:
        raise MissingExtraError("xinglin drugs dock", "drugs") from error
    return Chem


def _as_drawn(smiles: str) -> Any:
    """The largest part with the charges of the input."""
    from rdkit.Chem import GetMolFrags

    parts = GetMolFrags(_chem().MolFromSmiles(smiles.strip()), asMols=True)
    return max(parts, key=lambda part: part.GetNumHeavyAtoms())


def _open_stereo(molecule: Any) -> int:
    """How many stereo centres and double bonds have no stated geometry."""
    from rdkit.Chem import FindPotentialStereo, StereoSpecified

    return sum(info.specified == StereoSpecified.Unspecified for info in FindPotentialStereo(molecule))


def _embedded(molecule: Any, seed: int) -> Any:
    """A conformer by ETKDGv3 (Wang et al. 2020), relaxed by MMFF94s, or UFF where MMFF lacks a type."""
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    with rdBase.BlockLogs():
        parameters: Any = rdDistGeom.ETKDGv3()
        parameters.randomSeed = seed + 1
        parameters.maxIterations = 50
        if rdDistGeom.EmbedMolecule(molecule, parameters) != 0:
            parameters.useRandomCoords = True
            if rdDistGeom.EmbedMolecule(molecule, parameters) != 0:
                raise DockingError(
                    "no three-dimensional conformer could be made: is the stereochemistry possible?"
                )
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, mmffVariant="MMFF94s", maxIters=MOST_STEPS)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.UFFOptimizeMolecule(molecule, maxIters=MOST_STEPS)
    return molecule


def _pdbqt(molecule: Any) -> str:
    from meeko import MoleculePreparation, PDBQTWriterLegacy

    try:
        setup = MoleculePreparation().prepare(molecule)[0]
        text, whole, said = PDBQTWriterLegacy.write_string(setup)
    except (RuntimeError, ValueError, KeyError) as error:
        raise DockingError(
            f"Meeko cannot prepare this ligand: {' '.join(str(error).split())[:160]}"
        ) from error
    if not whole:
        raise DockingError(f"Meeko cannot prepare this ligand: {' '.join(str(said).split())[:160]}")
    torsions = text.count("\nBRANCH")
    if torsions > MOST_TORSIONS:
        raise DockingError(f"{torsions} rotatable bonds, at most {MOST_TORSIONS} can be docked")
    return str(text)
