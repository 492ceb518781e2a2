"""A structure from outside becomes one standard form, or is refused with the reason.

The steps are those of the ChEMBL structure pipeline (Bento et al. 2020, doi 10.1186/s13321-020-00456-1), done with
RDKit's MolStandardize: sanitise, isotope labels off, ionically written metals apart, functional groups normalised, salts
and solvents away, charges neutralised. We differ in refusing what the models cannot describe (metal complexes, mixtures,
radicals, query atoms) instead of keeping the largest part silently, and in repeating the steps until nothing
changes, so that a standard form is its own standard form. Tautomers are not made canonical: the models are trained on
tautomers as written, and a canonical tautomer is often not the one a chemist would draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.molecules.parsing import complaint, rdkit, read_smiles, short

MAX_LENGTH = 4000
"""Characters of a SMILES."""
MAX_ATOMS = 600
"""Atoms without hydrogens; the largest approved peptide drugs of SIDER stay below."""
MACROCYCLE = 12
"""Atoms of the smallest ring that is called a macrocycle (Garcia Jimenez et al. 2023, doi 10.1021/acs.jmedchem.3c00134:
at least twelve)."""
LARGE_PART = 16
"""Atoms without hydrogens from which a second part, at least half as large as the first and no known salt or solvent,
makes a mixture; usual organic counter-ions stay below (tartrate 10, tosylate 11, citrate 13, camsylate 15)."""
MOST_PASSES = 5

_NONMETALS = frozenset((1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 33, 34, 35, 36, 52, 53, 54))
_SALT_METALS = frozenset((3, 11, 12, 19, 20, 37, 38, 55, 56))
"""Li, Na, Mg, K, Ca, Rb, Sr, Cs, Ba: as ions they are counter-ions, not a part of the drug."""
_IONIC_NEIGHBOURS = frozenset((8, 9, 16, 17, 35, 53))


@dataclass(frozen=True, slots=True)
class Molecule:
    """One structure in standard form."""

    smiles: str
    """Canonical isomeric SMILES of the parent."""
    inchikey: str
    """Standard InChIKey (27 characters) of the parent: equal for duplicates, however they were written. Empty only in
    a lenient reading of what InChI cannot express, such as query atoms."""
    notes: tuple[str, ...] = ()
    """What was changed or deserves notice, in order, e.g. ``salt or solvent removed: Cl``."""
    doubts: tuple[str, ...] = ()
    """What a strict reading would have refused; always empty when ``StandardOptions.strict``."""


@dataclass(frozen=True, slots=True)
class StandardOptions:
    """How ``standardise`` treats what it cannot describe well."""

    strict: bool = True
    """Refuse metal complexes, mixtures, radicals, query atoms and structures without carbon; else keep them (of a
    mixture the largest part) and say so in ``Molecule.doubts``."""
    max_length: int = MAX_LENGTH
    """Characters of a SMILES."""
    max_atoms: int = MAX_ATOMS
    """Atoms without hydrogens, all parts together."""


STRICT = StandardOptions()
LENIENT = StandardOptions(strict=False)


def standardise(text: str, *, options: StandardOptions = STRICT) -> Molecule:
    """Return the standard form of a SMILES.

    Raises:
        InvalidInputError: not a SMILES that RDKit can read (its message is carried), or refused with the reason.
        InputTooLargeError: too long or too many atoms.
        MissingExtraError: RDKit is not installed.
    """
    molecule = _parse(text, options)
    notes: list[str] = []
    doubts: list[str] = []
    smiles = _once(molecule, options, notes, doubts)
    molecule = read_smiles(smiles)
    seen = [smiles]
    while len(seen) <= MOST_PASSES:
        # Canonical SMILES of stereo centres that depend on each other, and charges that only now are next to each
        # other, may need another pass; where nothing was changed, only the SMILES can differ.
        smiles = _once(molecule, options, [], []) if notes else _written(molecule)
        molecule = read_smiles(smiles)
        if smiles in seen:
            break
        seen.append(smiles)
    cycle = seen[seen.index(smiles) :] if smiles in seen else seen
    if len(cycle) > 1:
        smiles = min(cycle)
        molecule = read_smiles(smiles)
    if molecule is None:
        raise InvalidInputError(
            f"expected a molecule with a standard form, {short(smiles)} cannot be read back"
        )
    rings = [len(ring) for ring in molecule.GetRingInfo().AtomRings()]
    if rings and max(rings) >= MACROCYCLE:
        notes.append(f"macrocycle: ring of {max(rings)} atoms")
    return Molecule(smiles, _inchikey(molecule, options), tuple(notes), tuple(dict.fromkeys(doubts)))


def _parse(text: str, options: StandardOptions) -> Any:
    """The sanitised molecule of a text, within the bounds."""
    if not isinstance(text, str):
        raise InvalidInputError(f"expected a SMILES, got {type(text).__name__}")
    text = text.strip()
    if not text:
        raise InvalidInputError("expected a SMILES, it is empty")
    if len(text) > options.max_length:
        raise InputTooLargeError(
            f"expected a SMILES of at most {options.max_length:,} characters, got {len(text):,}"
        )
    if not text.isascii() or any(mark.isspace() or not mark.isprintable() for mark in text):
        raise InvalidInputError(
            f"expected one SMILES without blanks, got {short(text)}: remove what is not SMILES"
        )
    molecule = read_smiles(text)
    if molecule is None:
        raise InvalidInputError(f"expected a valid SMILES, got {short(text)}: {complaint(text)}")
    if molecule.GetNumHeavyAtoms() == 0:
        raise InvalidInputError(f"expected a molecule, {short(text)} has no atom beside hydrogen")
    if molecule.GetNumHeavyAtoms() > options.max_atoms:
        raise InputTooLargeError(
            f"expected at most {options.max_atoms:,} atoms without hydrogens, got {molecule.GetNumHeavyAtoms():,}"
        )
    return molecule


@lru_cache(maxsize=1)
def _steps() -> tuple[Any, Any, Any, Any]:
    """Disconnector, normaliser, salt remover, uncharger: built once, since each reads its rules."""
    standard = rdkit()[2]
    return (
        standard.MetalDisconnector(),
        standard.Normalizer(),
        standard.FragmentRemover(),
        standard.Uncharger(True),
    )


def _written(molecule: Any) -> str:
    return str(rdkit()[0].MolToSmiles(molecule))


def _once(molecule: Any, options: StandardOptions, notes: list[str], doubts: list[str]) -> str:
    """One pass of all steps; returns the canonical SMILES of the parent."""
    base = rdkit()[1]
    disconnect, normalise, salts, uncharge = _steps()
    with base.BlockLogs():
        # One walk over the atoms: RDKit's Python atoms are slow.
        seen = [
            (atom.GetAtomicNum(), atom.GetIsotope(), atom.GetFormalCharge(), atom.GetNumRadicalElectrons())
            for atom in molecule.GetAtoms()
        ]
        numbers = {number for number, *_ in seen}
        if 1 in numbers or any(isotope for _, isotope, _, _ in seen):
            molecule = _without_isotopes(molecule, notes)
        if not numbers <= _NONMETALS | {0}:
            metal = _metal(molecule)
            if metal:
                _doubt(
                    f"{metal}: metal complexes and organometallic compounds are not described",
                    options,
                    doubts,
                )
            else:
                molecule = disconnect.Disconnect(molecule)
        before = _written(molecule)
        molecule = normalise.normalize(molecule)
        after = _written(molecule)
        if after != before:
            notes.append("functional groups normalised")
        if "." in after:
            molecule = _parent(molecule, salts, options, notes, doubts)
        if "+" in after or "-]" in after or any(charge for _, _, charge, _ in seen):
            before = _written(molecule)
            molecule = uncharge.uncharge(molecule)
            after = _written(molecule)
            if after != before:
                notes.append("charge neutralised")
        if 0 in numbers:
            _doubt("an unspecified atom (*) is a query or a polymer, not a molecule", options, doubts)
        if not any(atom.GetAtomicNum() == 6 for atom in molecule.GetAtoms()):
            _doubt("no carbon: the models know organic molecules only", options, doubts)
        if any(radical for *_, radical in seen) and _radical(molecule):
            _doubt(
                "a radical: an atom has an unpaired electron (or hydrogens were left out)", options, doubts
            )
        return _written(molecule)


def _radical(molecule: Any) -> bool:
    return any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())


def _without_isotopes(molecule: Any, notes: list[str]) -> Any:
    chem = rdkit()[0]
    labelled = sorted({f"{a.GetIsotope()}{a.GetSymbol()}" for a in molecule.GetAtoms() if a.GetIsotope()})
    molecule = chem.Mol(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
    if labelled:
        notes.append(f"isotope label removed: {', '.join(labelled)}")
    return chem.RemoveHs(molecule)


def _metal(molecule: Any) -> str | None:
    """Symbol of a metal that is not a mere counter-ion."""
    for atom in molecule.GetAtoms():
        number = atom.GetAtomicNum()
        if number == 0 or number in _NONMETALS:
            continue
        neighbours = {other.GetAtomicNum() for other in atom.GetNeighbors()}
        if number not in _SALT_METALS or not neighbours <= _IONIC_NEIGHBOURS:
            return str(atom.GetSymbol())
    return None


def _parent(molecule: Any, salts: Any, options: StandardOptions, notes: list[str], doubts: list[str]) -> Any:
    """The largest part, once known salts and solvents and repeated parts are away."""
    chem = rdkit()[0]
    uncharge = _steps()[3]
    everything = chem.GetMolFrags(molecule, asMols=True)
    rest = salts.remove(molecule)
    # Parts that differ in charge only are one part: an acid beside its own anion.
    parts = {chem.MolToSmiles(uncharge.uncharge(part)): part for part in chem.GetMolFrags(rest, asMols=True)}
    sizes = {name: _size(part) for name, part in parts.items()}
    order = sorted(sorted(parts), key=lambda name: sizes[name], reverse=True)
    largest = sizes[order[0]][1]
    rivals = [name for name in order[1:] if sizes[name][1] >= max(LARGE_PART, largest / 2)]
    if rivals:
        _doubt(f"a mixture of {1 + len(rivals)} large parts has no single structure", options, doubts)
    kept = chem.MolToSmiles(parts[order[0]])
    away = sorted({chem.MolToSmiles(part) for part in everything} - {kept})
    if away:
        notes.append(f"salt or solvent removed: {', '.join(away)}")
    else:
        notes.append("repeated part removed")
    return parts[order[0]]


def _size(molecule: Any) -> tuple[bool, int]:
    """Organic before inorganic, then atoms without hydrogens: a large inorganic ion is never the parent."""
    organic = any(atom.GetAtomicNum() == 6 for atom in molecule.GetAtoms())
    return organic, int(molecule.GetNumHeavyAtoms())


def _doubt(reason: str, options: StandardOptions, doubts: list[str]) -> None:
    if options.strict:
        raise InvalidInputError(f"refused: {reason}")
    doubts.append(reason)


def _inchikey(molecule: Any, options: StandardOptions) -> str:
    chem, base, _ = rdkit()
    with base.BlockLogs():
        key = str(chem.MolToInchiKey(molecule))
    if not key and options.strict:
        raise InvalidInputError(
            f"expected a structure with an InChIKey, {short(_written(molecule))} has none"
        )
    return key
