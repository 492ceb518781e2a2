"""A structure file -> its atoms. PDB, mmCIF, or a receptor that is already PDBQT; plain or gzipped; told by content."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xinglin.apps.drugs.target.remarks import Remark
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, MissingExtraError

Format = Literal["pdb", "mmcif", "pdbqt"]

MOST_BYTES = 64_000_000
"""Largest file, and largest unpacked content."""
MOST_ATOMS = 200_000
FEWEST_RESIDUES = 10
"""Amino acids or nucleotides below which a file is no receptor."""
LIGAND_MARKS = ("$$$$", "@<TRIPOS>MOLECULE", "ROOT", "TORSDOF", "BRANCH")
"""How lines of SDF, MOL2 and the PDBQT of a ligand begin, and none of a receptor."""


@dataclass(frozen=True, slots=True)
class StructureFile:
    """A file as read."""

    path: Path
    format: Format
    text: str
    """Unpacked content."""
    structure: Any
    """``gemmi.Structure``; of a PDBQT, its atoms without charges and types."""
    remarks: tuple[Remark, ...] = field(default=())


def read_structure(path: Path) -> StructureFile:
    """Return a structure file.

    Args:
        path: PDB, mmCIF or receptor PDBQT, also gzipped.

    Raises:
        InvalidInputError: a ligand, a truncated or damaged file, no polymer, coordinates that are no numbers.
        InputTooLargeError: more than ``MOST_BYTES`` or ``MOST_ATOMS``.
        MissingDataError: no such file.
    """
    text = _unpacked(path)
    found = _format_of(path, text)
    structure = parse(path, text, found)
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise InvalidInputError(f"{path.name}: no atoms were found; is it a PDB, mmCIF or PDBQT file?")
    atoms = sum(model.count_atom_sites() for model in structure)
    if atoms > MOST_ATOMS:
        raise InputTooLargeError(
            f"{path.name}: {atoms:,} atoms, at most {MOST_ATOMS:,}: keep the chain that binds"
        )
    _check_coordinates(path, structure)
    structure.setup_entities()
    residues = sum(is_polymer(residue) for chain in structure[0] for residue in chain)
    if residues < FEWEST_RESIDUES:
        raise InvalidInputError(
            f"{path.name}: {residues} amino acids or nucleotides, at least {FEWEST_RESIDUES} expected of a receptor: "
            "this looks like a ligand or a peptide; give the protein here and the ligand with --reference"
        )
    return StructureFile(path, found, text, structure, _cut_off(text, structure) if found == "pdb" else ())


def is_polymer(residue: Any) -> bool:
    """Whether a residue is an amino acid or a nucleotide: by name, else by its backbone."""
    import gemmi

    known = gemmi.find_tabulated_residue(residue.name)
    if known.found() and (known.is_amino_acid() or known.is_nucleic_acid()):
        return True
    return all(residue.find_atom(name, "*") is not None for name in ("N", "CA", "C"))


def _unpacked(path: Path) -> str:
    if not path.is_file():
        raise MissingDataError(f"no structure file at {path}")
    if path.stat().st_size > MOST_BYTES:
        raise InputTooLargeError(f"{path.name}: more than {MOST_BYTES:,} bytes")
    body = path.read_bytes()
    if body[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as stream:
                body = stream.read(MOST_BYTES + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise InvalidInputError(
                f"{path.name}: gzip file is truncated or damaged: fetch it again"
            ) from error
        if len(body) > MOST_BYTES:
            raise InputTooLargeError(f"{path.name}: unpacks to more than {MOST_BYTES:,} bytes")
    if b"\0" in body[:4096]:
        raise InvalidInputError(f"{path.name}: binary, expected the text of a PDB, mmCIF or PDBQT file")
    return body.decode("utf-8", "replace")


def _format_of(path: Path, text: str) -> Format:
    lines = text.splitlines()
    marks = [mark for line in lines for mark in LIGAND_MARKS if line.startswith(mark)]
    marks += [mark for line in lines[:6] for mark in ("V2000", "V3000") if line.rstrip().endswith(mark)]
    if marks:
        raise InvalidInputError(
            f"{path.name}: a ligand file (it contains {marks[0]}), expected a receptor: give it with --reference"
        )
    atoms = [line for line in lines if line.startswith(("ATOM  ", "HETATM"))]
    if "_atom_site." in text:
        return "mmcif"
    if not atoms:
        raise InvalidInputError(f"{path.name}: neither PDB nor mmCIF nor PDBQT: no atom record was found")
    if len(atoms[-1].rstrip()) < 54:
        raise InvalidInputError(f"{path.name}: truncated within its last atom record: fetch the file again")
    return "pdbqt" if all(_is_pdbqt(line) for line in atoms[:50]) else "pdb"


def _is_pdbqt(line: str) -> bool:
    """A PDBQT line has a partial charge in columns 71-76, where PDB has blanks or a segment name."""
    charge, kind = line[70:76].strip(), line[77:].strip()
    try:
        float(charge)
    except ValueError:
        return False
    return "." in charge and 0 < len(kind) <= 2


def parse(path: Path, text: str, found: Format) -> Any:
    """Return the gemmi structure of a file's text."""
    try:
        import gemmi
    except ImportError as error:
        raise MissingExtraError("xinglin drugs target", "drugs") from error
    try:
        if found == "mmcif":
            block = gemmi.cif.read_string(text).sole_block()
            return gemmi.make_structure_from_block(block)
        if found == "pdbqt":
            text = "".join(
                f"{line[:66]}          {_element(line[77:].strip()):>2}\n"
                for line in text.splitlines()
                if line.startswith(("ATOM  ", "HETATM"))
            )
        return gemmi.read_pdb_string(text)
    except (RuntimeError, ValueError, IndexError) as error:
        said = str(error).splitlines()[0][:160]
        raise InvalidInputError(f"{path.name}: cannot be read as {found} (truncated?): {said}") from error


def _element(kind: str) -> str:
    """The element of an AutoDock atom type: ``A`` is aromatic carbon, ``HD`` a donor's hydrogen."""
    return {"A": "C", "OA": "O", "NA": "N", "SA": "S", "HD": "H", "HS": "H", "NS": "N", "OS": "O"}.get(
        kind, kind
    )


def _check_coordinates(path: Path, structure: Any) -> None:
    places = np.array([atom.atom.pos.tolist() for atom in structure[0].all()], float)
    if not np.isfinite(places).all():
        raise InvalidInputError(f"{path.name}: coordinates that are not numbers")
    if np.ptp(places, axis=0).max() < 1.0:
        raise InvalidInputError(f"{path.name}: all atoms lie in one place: coordinates are absent")


def _cut_off(text: str, structure: Any) -> tuple[Remark, ...]:
    """A PDB file ends in END or MASTER; one that does not may have been cut."""
    ends = ("END", "MASTER", "TER", "CONECT")
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    if last.startswith(ends):
        return ()
    chain = structure[-1][-1]
    return (
        Remark(
            "no-end",
            "文件末尾没有 END/TER 记录,可能被截断:按已读到的原子处理。",
            "The file does not end in END or TER and may be cut: went on with the atoms that were read.",
            (f"{chain.name}:{chain[-1].seqid}",),
            warning=True,
        ),
    )
