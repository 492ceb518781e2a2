"""Protein without or with hydrogens -> PDBQT, by Meeko's templates (Santos-Martins et al., forlilab/Meeko).

Hydrogens in the file decide protonation; where a residue has none, Meeko's first template does: acids and bases
charged, histidine neutral with its proton on N-epsilon. No pKa is computed, and that is said.
"""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterable
from typing import Any

from xinglin.apps.drugs.target.clean import HEAVY, Cleaned, cut_back, named
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.errors import InvalidInputError, MissingExtraError

ROUNDS = 4
"""How often residues that no template fits are cut back or left out before it is given up."""


def protonate(cleaned: Cleaned) -> tuple[str, tuple[Remark, ...]]:
    """Return a rigid receptor as PDBQT, and what was done to residues that no template fits.

    Args:
        cleaned: from ``clean``; its structure is changed where residues had to be cut back.

    Raises:
        InvalidInputError: Meeko cannot build the protein, e.g. since atoms of two residues coincide.
        MissingExtraError: Meeko is not installed.
    """
    structure = cleaned.structure
    remarks = _without_template(structure)
    protons = [f"{chain.name}:{residue.seqid}" for chain in structure[0] for residue in chain if residue.name == "HIS"
               and not any(atom.is_hydrogen() for atom in residue)]  # fmt: skip
    cut: list[str] = []
    gone: list[str] = []
    bare: list[str] = []
    for _ in range(ROUNDS):
        polymer = _polymer(structure)
        failed = set(polymer.get_ignored_monomers())
        if not failed:
            break
        _mend(structure, failed, bare, cut, gone)
    else:
        raise InvalidInputError(
            f"no template fits {', '.join(sorted(failed)[:8])} even after they were cut back"
        )
    for kind, zh, en, where in (
        ("hydrogens", "原有氢原子与模板不符,已去除并重加:", "Hydrogens that fit no template were placed anew:", bare),
        ("no-template", "残基与模板不符,截为丙氨酸或甘氨酸:", "No template fits: cut back to alanine or glycine:", cut),
        ("left-out", "残基与任何模板不符,已去除:", "No template fits these residues: left out:", gone),
    ):  # fmt: skip
        if where:
            remarks.append(Remark(kind, zh, en, tuple(where), warning=kind != "hydrogens"))
    if protons:
        remarks.append(
            Remark("histidine", "组氨酸无氢:按中性 N-ε 质子化处理,未计算 pKa,结合位点附近请核对:",
                   "Histidines without hydrogens: neutral, proton on N-epsilon; no pKa computed, check the site:",
                   tuple(protons), warning=True)
        )  # fmt: skip
    from meeko import PDBQTWriterLegacy

    rigid = str(PDBQTWriterLegacy.write_from_polymer(polymer)[0])
    return rigid.rstrip("\n") + "\n" + _metals(cleaned, rigid.count("\n")), tuple(remarks)


@functools.cache
def _templates() -> Any:
    from meeko import ResidueChemTemplates

    return ResidueChemTemplates.create_from_defaults()


def _without_template(structure: Any) -> list[Remark]:
    """Cut back residues of unknown name, for which Meeko would otherwise ask the network."""
    try:
        templates = _templates()
    except ImportError as error:
        raise MissingExtraError("xinglin drugs target", "drugs") from error
    known = templates.residue_templates.keys() | templates.ambiguous.keys()
    kept, cut, gone = [], [], []
    for chain in structure[0]:
        for index in reversed(range(len(chain))):
            residue = chain[index]
            if residue.name in known:
                if residue.name not in HEAVY and not residue.is_water() and len(residue) > 1:
                    kept.append(named(chain, residue))
                continue
            label = named(chain, residue)
            if all(residue.find_atom(name, "*") is not None for name in ("N", "CA", "C", "O")):
                cut_back(residue)
                cut.append(f"{label}→{residue.name}")
            else:
                gone.append(label)
                del chain[index]
    remarks = []
    if kept:
        remarks.append(
            Remark(
                "modified",
                "非标准残基,有模板,保留:",
                "Modified residues with a template stay:",
                tuple(reversed(kept)),
            )
        )
    if cut:
        remarks.append(
            Remark("non-standard", "非标准残基没有模板:截为丙氨酸或甘氨酸:",
                   "Non-standard, without a template: cut back to alanine or glycine:", tuple(reversed(cut)), warning=True)
        )  # fmt: skip
    if gone:
        remarks.append(
            Remark(
                "non-standard",
                "没有模板,已去除:",
                "Without a template, removed:",
                tuple(reversed(gone)),
                warning=True,
            )
        )
    return remarks


def _polymer(structure: Any) -> Any:
    import gemmi
    from meeko import MoleculePreparation, Polymer

    structure.setup_entities()
    text = structure.make_pdb_string(gemmi.PdbWriteOptions(minimal=True))
    quiet = logging.getLogger("meeko")
    before, quiet.level = quiet.level, logging.ERROR
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return Polymer.from_pdb_string(text, _templates(), MoleculePreparation(), allow_bad_res=True)
    except (RuntimeError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise InvalidInputError(
            f"the protein cannot be built from its atoms (do some coincide?): {said}"
        ) from error
    finally:
        quiet.setLevel(before)


def _mend(structure: Any, failed: Iterable[str], bare: list[str], cut: list[str], gone: list[str]) -> None:
    """Take off the hydrogens of a residue that no template fits; next time its side chain; then the residue."""
    wanted = set(failed)
    for chain in structure[0]:
        for index in reversed(range(len(chain))):
            residue = chain[index]
            if f"{chain.name}:{str(residue.seqid).strip()}" not in wanted:
                continue
            label = named(chain, residue)
            if any(atom.is_hydrogen() for atom in residue):
                residue.remove_hydrogens()
                bare.append(label)
            elif residue.name not in ("ALA", "GLY") and residue.find_atom("CA", "*") is not None:
                cut_back(residue)
                cut.append(f"{label}→{residue.name}")
            else:
                gone.append(label)
                del chain[index]


def _metals(cleaned: Cleaned, after: int) -> str:
    """Metal ions as lines of their own: Vina knows their types, and ignores the charge."""
    lines = []
    for serial, (kind, place, name) in enumerate(cleaned.metals, after + 1):
        chain, residue, number = name.split(":")
        digits = "".join(letter for letter in number if letter.isdigit() or letter == "-")
        x, y, z = place
        lines.append(
            f"HETATM{serial % 100000:5d} {kind.upper():>3}  {residue:>3} {chain[:1]}{int(digits):4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00    {2.0:6.3f} {kind:<2}\n"
        )
    return "".join(lines)
