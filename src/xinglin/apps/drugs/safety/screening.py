"""A structure against the schedules: refused, to be declared, or neither.

Every part of a SMILES is looked at, salts and solvents too, without isotopes, stereo and charges that protons carry. No
name, target or purpose is asked for, and there is no override: whoever holds a licence works under it, elsewhere.
A near miss is not found: a structure outside every listed skeleton and pattern passes, whatever it does in a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from xinglin.apps.drugs.safety.entries import Entry, load
from xinglin.errors import ControlledSubstanceError, InputTooLargeError, InvalidInputError
from xinglin.records.molecules.parsing import complaint, rdkit, read_smiles, short
from xinglin.records.molecules.standard import MAX_ATOMS, MAX_LENGTH
from xinglin.store.keys import digest

ELEMENT = re.compile(r"([A-Z][a-z]?)(\d*)")
KEPT = 1 << 14
"""Answers remembered: a search asks about the same reagents again and again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is designed or planned for a structure; nor predicted, where it is a chemical weapon."""

    entry: Entry
    digest: str
    """SHA-256 of the first block of the structure's InChIKey; the structure itself is kept nowhere."""

    @property
    def zh(self) -> str:
        """The reason in Chinese."""
        return (
            f"结构属管制范围:{self.entry.schedule}({self.entry.name})。本产品不为其设计分子、规划合成路线,"
            "化学武器附表物质亦不作预测,没有可绕过的开关。持有相应许可的实验室可在主管部门批准的范围内、在本产品之外开展工作;"
            "若认为判断有误,请把条目编号告知维护者。"
        )

    @property
    def en(self) -> str:
        """The reason in English."""
        return (
            f"Controlled structure: {self.entry.schedule_en} ({self.entry.en}). Nothing is designed or planned for "
            "it here, nor predicted for a chemical weapon, and there is no override. A laboratory that holds the "
            "licence works under it, outside this product; if this is an error, tell the maintainers the entry: "
            f"{self.entry.id}."
        )


@dataclass(frozen=True, slots=True)
class Duty:
    """A chemical that may be used, under a duty to register, declare or hold a permit."""

    entry: Entry

    @property
    def zh(self) -> str:
        """The duty in Chinese."""
        return f"{self.entry.name}:{self.entry.schedule},购买、使用须按规定备案或取得许可。"

    @property
    def en(self) -> str:
        """The duty in English."""
        return f"{self.entry.en}: {self.entry.schedule_en}; to be registered, declared or permitted before purchase."


def screen(smiles: str, *, reagent: bool = False) -> Refusal | None:
    """Return the refusal of a structure, None where no list names it.

    Args:
        smiles: one structure; several parts are looked at one by one.
        reagent: it is used, not made: chemicals that are traded lawfully under declaration (Schedule 3 of the CWC)
            are then a matter for :func:`duties`.

    Raises:
        InvalidInputError: not a SMILES.
        InputTooLargeError: too long, or too many atoms.
        MissingExtraError: RDKit is not installed.
    """
    refusing = ("refuse",) if reagent else ("refuse", "refuse-product")
    return next((Refusal(entry, key) for entry, key in _found(smiles) if entry.action in refusing), None)


def duties(smiles: str) -> tuple[Duty, ...]:
    """Return what has to be declared when a structure is used as a reagent; empty for most.

    Raises:
        InvalidInputError: not a SMILES.
    """
    return tuple(Duty(entry) for entry, _ in _found(smiles) if entry.action != "refuse")


def refuse(structures: Iterable[str]) -> None:
    """Raise for the first structure that is refused.

    Raises:
        ControlledSubstanceError: one is; the message says which schedule, never the structure.
        InvalidInputError: one is not a SMILES.
    """
    for smiles in structures:
        refusal = screen(smiles)
        if refusal is not None:
            raise ControlledSubstanceError(f"{refusal.zh}\n{refusal.en}")


@lru_cache(maxsize=KEPT)
def _found(smiles: str) -> tuple[tuple[Entry, str], ...]:
    """Every entry that a structure falls under, with the digest of the part that does."""
    lists = load()
    chem, base, _ = rdkit()
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    molecule = _plain(smiles)
    found: list[tuple[Entry, str]] = []
    atoms = {name: int(count or 1) for name, count in ELEMENT.findall(CalcMolFormula(molecule))}
    with base.BlockLogs():
        parts = (molecule,) if "." not in smiles else chem.GetMolFrags(molecule, asMols=True)
        for part in parts:
            if CalcMolFormula(part) in lists.formulas:
                key = chem.MolToInchiKey(part)
                if key[:14] in lists.members:
                    found.append((lists.members[key[:14]], digest(key[:14].encode())))
        for family in lists.families:
            if any(atoms.get(name, 0) < count for name, count in family.needs.items()):
                continue
            if molecule.HasSubstructMatch(family.pattern) and not any(
                molecule.HasSubstructMatch(other) for other in family.unless
            ):
                found.append((family.entry, digest(chem.MolToInchiKey(molecule)[:14].encode())))
    return tuple(found)


def _plain(smiles: str) -> Any:
    """The molecule without isotopes and removable charges."""
    text = smiles.strip()
    if len(text) > MAX_LENGTH:
        raise InputTooLargeError(f"expected a SMILES of at most {MAX_LENGTH:,} characters, got {len(text):,}")
    molecule = read_smiles(text) if text else None
    if molecule is None or molecule.GetNumAtoms() == 0:
        why = complaint(text) if text else "it is empty"
        raise InvalidInputError(f"expected a valid SMILES, got {short(text)}: {why}")
    if molecule.GetNumHeavyAtoms() > MAX_ATOMS:
        raise InputTooLargeError(
            f"expected at most {MAX_ATOMS:,} heavy atoms, got {molecule.GetNumHeavyAtoms():,}"
        )
    chem, base, _ = rdkit()
    if "[" not in text:
        return molecule
    isotopes = [atom for atom in molecule.GetAtoms() if atom.GetIsotope()]
    for atom in isotopes:
        atom.SetIsotope(0)
    with base.BlockLogs():
        if isotopes:
            molecule = chem.RemoveHs(molecule)
        return _uncharger().uncharge(molecule) if "+" in text or "-" in text else molecule


@lru_cache(maxsize=1)
def _uncharger() -> Any:
    return rdkit()[2].Uncharger(True)
