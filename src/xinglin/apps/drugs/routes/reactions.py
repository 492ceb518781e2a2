"""Atom-mapped reactions: what templates are learned from.

USPTO-50k as staged maps every atom; a template wants leaving groups unmapped, so the maps of atoms that the product lacks
are taken off, and reactants that give the product no atom are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.delimited import open_table
from xinglin.records.molecules.parsing import rdkit, read_smiles
from xinglin.records.molecules.standard import MAX_ATOMS, MAX_LENGTH
from xinglin.records.table import positions

COLUMN = "reactants>reagents>production"
MAX_REACTIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Reaction:
    """One reaction with a single product."""

    id: str
    mapped: str
    """``reactants>>product``, atom maps on what the product keeps."""
    product: str
    """Canonical SMILES without maps."""
    reactants: str
    """Canonical SMILES without maps, parts joined by dots, of those that give the product an atom."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """The reactions of a file, and what could not be used."""

    rows: tuple[Reaction, ...]
    problems: dict[str, str]
    """By place in the file."""


def read_reactions(path: Path, column: str = COLUMN, *, most: int | None = None) -> Reactions:
    """Read a table with a header and one column of atom-mapped reaction SMILES; an ``id`` column is kept.

    Args:
        path: the table, also gzipped.
        column: of the reactions.
        most: stop after so many.

    Raises:
        MissingDataError: the file is absent.
        InvalidInputError: it has no such column, or none of its rows is a usable reaction.
        MissingExtraError: RDKit is not installed.
    """
    if not path.is_file():
        raise MissingDataError(f"expected a table of reactions, there is none at {path.name}")
    table = open_table(path)
    wanted = [column, "id"] if "id" in table.header else [column]
    at = positions(table.header, wanted)
    rows: list[Reaction] = []
    problems: dict[str, str] = {}
    for row in table.rows:
        if len(rows) == most:
            break
        if len(rows) == MAX_REACTIONS:
            raise InvalidInputError(f"{path.name}: expected at most {MAX_REACTIONS:,} reactions")
        if row.problem:
            problems[row.place] = row.problem
            continue
        name = str(row.cells[at["id"]]) if "id" in at else row.place
        try:
            rows.append(parse_reaction(name, str(row.cells[at[column]] or "")))
        except InvalidInputError as error:
            problems[row.place] = str(error)
    if not rows:
        raise InvalidInputError(f"{path.name}: expected atom-mapped reactions, none of its rows is one")
    return Reactions(tuple(rows), problems)


def parse_reaction(name: str, text: str) -> Reaction:
    """Return a reaction from its SMILES ``reactants>reagents>product`` with atom maps.

    Raises:
        InvalidInputError: it is not that, or has another number of products than one, or a product atom without map.
    """
    parts = text.strip().split(">")
    if len(text) > 4 * MAX_LENGTH or len(parts) != 3:
        raise InvalidInputError("expected reactants>reagents>product as SMILES, at most 16,000 characters")
    if "." in parts[2]:
        raise InvalidInputError("expected one product, got several")
    chem = rdkit()[0]
    product = read_smiles(parts[2])
    reactants = [read_smiles(part) for part in parts[0].split(".")]
    if product is None or None in reactants or product.GetNumAtoms() == 0:
        raise InvalidInputError("expected SMILES that RDKit reads on both sides")
    if max(molecule.GetNumHeavyAtoms() for molecule in (product, *reactants)) > MAX_ATOMS:
        raise InvalidInputError(f"expected at most {MAX_ATOMS} heavy atoms a molecule")
    kept = [atom.GetAtomMapNum() for atom in product.GetAtoms()]
    if 0 in kept or len(set(kept)) != len(kept):
        raise InvalidInputError("expected every product atom to bear an atom map of its own")
    giving = []
    for molecule in reactants:
        for atom in molecule.GetAtoms():
            if atom.GetAtomMapNum() not in kept:
                atom.SetAtomMapNum(0)
        if any(atom.GetAtomMapNum() for atom in molecule.GetAtoms()):
            giving.append(molecule)
    if not giving:
        raise InvalidInputError("expected reactants that share atom maps with the product")
    left = ".".join(chem.MolToSmiles(molecule) for molecule in giving)
    mapped = f"{left}>>{chem.MolToSmiles(product)}"
    return Reaction(name, mapped, unmapped(product), canonical(".".join(unmapped(one) for one in giving)))


def unmapped(molecule: Any) -> str:
    """Canonical SMILES of a molecule without its atom maps."""
    chem = rdkit()[0]
    copy = chem.Mol(molecule)
    for atom in copy.GetAtoms():
        atom.SetAtomMapNum(0)
    return canonical(chem.MolToSmiles(copy))


def canonical(smiles: str) -> str:
    """Canonical SMILES of what a SMILES says; read back once, since stereo marks can lose their reason."""
    molecule = read_smiles(smiles)
    if molecule is None:
        raise InvalidInputError("expected a SMILES that RDKit reads")
    return ".".join(sorted(rdkit()[0].MolToSmiles(molecule).split(".")))


def split_by_product(reactions: tuple[Reaction, ...], parts: int = 5) -> tuple[list[int], list[int]]:
    """Return the indices of the fitting part and of the held-out fifth, by a hash of the product.

    One product is never on both sides, whatever the order of the file.
    """
    held = [int(sha256(one.product.encode()).hexdigest(), 16) % parts == 0 for one in reactions]
    return [i for i, out in enumerate(held) if not out], [i for i, out in enumerate(held) if out]
