"""A structure as it was deposited -> one model of protein, with everything odd said.

What is kept: polymer residues and metal ions. What goes: waters, ions of the buffer, ligands and cofactors, unless
named. Missing side chains are cut back to alanine or glycine, as nothing here builds atoms other than hydrogens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from xinglin.apps.drugs.target.read import is_polymer
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.errors import InvalidInputError

METALS = {
    "MG": "Mg",
    "MN": "Mn",
    "ZN": "Zn",
    "CA": "Ca",
    "FE": "Fe",
    "FE2": "Fe",
    "CU": "Cu",
    "CO": "Co",
    "NI": "Ni",
}
"""Residue names of metal ions with an AutoDock Vina atom type (its ``atom_constants.h``), and that type."""
BACKBONE = ("N", "CA", "C", "O")
BROKEN = 2.0
"""C-N distance between neighbours, Ångström, above which the chain is broken (a peptide bond is 1.33)."""
HEAVY = {
    "ALA": 5, "ARG": 11, "ASN": 8, "ASP": 8, "CYS": 6, "GLN": 9, "GLU": 9, "GLY": 4, "HIS": 10, "ILE": 8,
    "LEU": 8, "LYS": 9, "MET": 8, "PHE": 11, "PRO": 7, "SER": 6, "THR": 7, "TRP": 14, "TYR": 12, "VAL": 7,
}  # fmt: skip
"""Atoms other than hydrogen within a chain, without the terminal OXT."""
RENAMED = {"HIE": "HIS", "HID": "HIS", "HIP": "HIS", "HSD": "HIS", "HSE": "HIS", "HSP": "HIS"}
"""Names that force fields give to histidine by its protons; the protons themselves decide here."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What to keep of a structure."""

    chains: tuple[str, ...] | None = None
    """Chains by name; ``None``: all."""
    keep: tuple[str, ...] = ()
    """Residue names to keep beside protein and metals, e.g. ``HOH`` or ``SEP``: those with a template in Meeko."""
    metals: bool = True
    """Whether metal ions stay."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A structure ready for protonation."""

    structure: Any
    """``gemmi.Structure`` with one model."""
    metals: tuple[tuple[str, tuple[float, float, float], str], ...]
    """Vina type, position (Å), and residue of each metal ion that stays: they join after protonation."""
    removed: tuple[Any, ...]
    """Residues that went and are no water, for a reference ligand: (chain name, residue)."""
    remarks: tuple[Remark, ...]


def clean(structure: Any, options: Cleaning) -> Cleaned:
    """Return one model's protein and metals.

    Args:
        structure: ``gemmi.Structure``; not changed.
        options: what to keep.

    Raises:
        InvalidInputError: a named chain is not there.
    """
    structure = structure.clone()
    remarks = [*_one_model(structure), *_chains(structure, options.chains), *_short_names(structure)]
    remarks += [*_gather(structure), *_one_residue_a_place(structure), *_one_location(structure)]
    metals, removed, said = _without_hetero(structure, options)
    remarks += [*said, *_standard_names(structure), *_missing_atoms(structure), *_breaks(structure)]
    return Cleaned(structure, metals, removed, tuple(remarks))


def named(chain: Any, residue: Any) -> str:
    """Return ``A:STI:201``."""
    return f"{chain.name}:{residue.name}:{str(residue.seqid).strip()}"


def _one_model(structure: Any) -> Iterator[Remark]:
    count = len(structure)
    while len(structure) > 1:
        del structure[-1]
    if count > 1:
        yield Remark(
            "models", f"含 {count} 个模型(如 NMR):只用第一个。", f"{count} models (e.g. NMR): the first is used.",
            warning=True,
        )  # fmt: skip


def _chains(structure: Any, wanted: tuple[str, ...] | None) -> Iterator[Remark]:
    names = [chain.name for chain in structure[0]]
    if wanted is None:
        if len(names) > 1:
            yield Remark(
                "chains", f"保留全部 {len(names)} 条链。", f"All {len(names)} chains are kept.", tuple(names)
            )
        return
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise InvalidInputError(f"there is no chain {', '.join(unknown)}; the file has {', '.join(names)}")
    left = tuple(name for name in names if name not in wanted)
    for name in left:
        structure[0].remove_chain(name)
    if left:
        yield Remark("chains", "按要求去除其他链。", "Other chains were removed, as asked.", left)


def _short_names(structure: Any) -> Iterator[Remark]:
    before = [chain.name for chain in structure[0]]
    if any(len(name) > 1 for name in before):
        structure.shorten_chain_names()
        changed = tuple(
            f"{old}={chain.name}"
            for old, chain in zip(before, structure[0], strict=True)
            if old != chain.name
        )
        yield Remark("chain-names", "长链名已缩写。", "Long chain names were shortened.", changed)


def _gather(structure: Any) -> Iterator[Remark]:
    """Put the atoms of a residue together where the file has them apart, and residues in order."""
    apart = []
    model = structure[0]
    structure.merge_chain_parts()
    for chain in model:
        groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for residue in chain:
            groups[(residue.seqid.num, residue.seqid.icode, residue.name)].append(residue)
        if len(groups) == len(chain) and not _disordered(chain):
            continue
        apart += [named(chain, parts[0]) for parts in groups.values() if len(parts) > 1]
        apart += [named(chain, residue) for residue in _disordered(chain)]
        whole = []
        for key in sorted(groups):
            first = groups[key][0].clone()
            for part in groups[key][1:]:
                for atom in part:
                    first.add_atom(atom)
            whole.append(first)
        while len(chain):
            del chain[0]
        for residue in whole:
            chain.add_residue(residue)
    if apart:
        yield Remark(
            "interrupted", "记录分散或次序颠倒的残基已合并、按编号排列:",
            "Residues whose records lay apart or out of order were joined and put in order:", tuple(apart),
        )  # fmt: skip


def _disordered(chain: Any) -> list[Any]:
    """Residues after which the number falls and the chain does not go on."""
    residues = [residue for residue in chain if is_polymer(residue)]
    return [
        before for before, after in pairwise(residues)
        if after.seqid.num < before.seqid.num and (_gap(before, after) or 0) > BROKEN
    ]  # fmt: skip


def _gap(before: Any, after: Any) -> float | None:
    """C-N distance between two residues, Å."""
    end, start = before.find_atom("C", "*"), after.find_atom("N", "*")
    if end is None or start is None:
        return None
    return float(np.linalg.norm(np.subtract(end.pos.tolist(), start.pos.tolist())))


def _one_residue_a_place(structure: Any) -> Iterator[Remark]:
    """Of several residues at one place of the chain (microheterogeneity) the most occupied stays."""
    gone = []
    for chain in structure[0]:
        places: dict[str, list[int]] = defaultdict(list)
        for index, residue in enumerate(chain):
            if is_polymer(residue):
                places[str(residue.seqid)].append(index)
        doomed = []
        for indices in places.values():
            best = max(indices, key=lambda index: sum(atom.occ for atom in chain[index]) / len(chain[index]))
            doomed += [index for index in indices if index != best]
        gone += [named(chain, chain[index]) for index in doomed]
        for index in sorted(doomed, reverse=True):
            del chain[index]
    if gone:
        yield Remark(
            "microheterogeneity", "同一位置有不同残基:保留占有率最高者,去除:",
            "Different residues at one place: the most occupied stays, these went:", tuple(gone), warning=True,
        )  # fmt: skip


def _one_location(structure: Any) -> Iterator[Remark]:
    """Of alternate locations the one with the highest summed occupancy stays, the first letter in a tie."""
    kept = []
    for chain in structure[0]:
        for residue in chain:
            weight: dict[str, float] = defaultdict(float)
            for atom in residue:
                if atom.has_altloc():
                    weight[atom.altloc] += atom.occ
            if not weight:
                continue
            best = max(sorted(weight), key=lambda letter: weight[letter])
            names = {atom.name for atom in residue if atom.altloc == best}
            seen: set[str] = set()
            for index in reversed(range(len(residue))):
                atom = residue[index]
                # An atom that only another location has is kept: without it the residue would be incomplete.
                if atom.has_altloc() and atom.altloc != best and (atom.name in names or atom.name in seen):
                    del residue[index]
                else:
                    seen.add(atom.name)
            for atom in residue:
                atom.altloc = "\0"
            kept.append(f"{named(chain, residue)}={best}")
    if kept:
        yield Remark(
            "altloc", "有交替构象:每个残基保留占有率之和最高者(并列取字母在前):",
            "Alternate locations: of each residue the one of highest occupancy stays (first letter in a tie):",
            tuple(kept), warning=True,
        )  # fmt: skip


def _without_hetero(structure: Any, options: Cleaning) -> tuple[Any, Any, list[Remark]]:
    waters, removed, kept, metals, others = 0, [], [], [], []
    for chain in structure[0]:
        for index in reversed(range(len(chain))):
            residue = chain[index]
            if is_polymer(residue):
                continue
            if residue.name in options.keep:
                kept.append(named(chain, residue))
                continue
            if residue.name in METALS and options.metals:
                place = tuple(residue[0].pos.tolist())
                metals.append((METALS[residue.name], place, named(chain, residue)))
            elif residue.is_water():
                waters += 1
            else:
                others.append(named(chain, residue))
                removed.append((chain.name, residue.clone()))
            del chain[index]
    structure.remove_empty_chains()
    remarks = []
    if waters:
        remarks.append(
            Remark(
                "water",
                f"去除 {waters} 个水分子(--keep HOH 可保留)。",
                f"{waters} waters were removed (--keep HOH keeps them).",
            )
        )
    if kept:
        remarks.append(Remark("kept", "按要求保留:", "Kept as asked:", tuple(kept)))
    if metals:
        said = tuple(name for _, _, name in metals)
        remarks.append(
            Remark("metal", "金属离子保留,但 Vina 的配位描述粗略:", "Metal ions stay; Vina describes coordination roughly:",
                   said, warning=True)
        )  # fmt: skip
    if others:
        remarks.append(
            Remark("hetero", "去除配体、辅因子或缓冲液成分:", "Ligands, cofactors or parts of the buffer were removed:",
                   tuple(others), warning=any(len(residue) > 5 for _, residue in removed))
        )  # fmt: skip
    return tuple(metals), tuple(removed), remarks


def _standard_names(structure: Any) -> Iterator[Remark]:
    """Selenomethionine becomes methionine, whose shape it shares; names of protonated histidine become HIS."""
    changed = []
    for chain in structure[0]:
        for residue in chain:
            if residue.name == "MSE":
                changed.append(named(chain, residue))
                residue.name = "MET"
                for atom in residue:
                    if atom.element.name == "Se":
                        atom.name, atom.element = "SD", type(atom.element)("S")
            residue.name = RENAMED.get(residue.name, residue.name)
    if changed:
        yield Remark(
            "selenium",
            "硒代甲硫氨酸按甲硫氨酸处理:",
            "Selenomethionine is treated as methionine:",
            tuple(changed),
        )


def _missing_atoms(structure: Any) -> Iterator[Remark]:
    cut, gone = [], []
    for chain in structure[0]:
        for index in reversed(range(len(chain))):
            residue = chain[index]
            expected = HEAVY.get(residue.name)
            if expected is None:
                continue
            heavy = {
                atom.name for atom in residue if not atom.is_hydrogen() and atom.name not in ("OXT", "OT2")
            }
            # A file may call the atoms of a terminal carboxylate otherwise; its count is what matters.
            if len(heavy) >= expected:
                continue
            label = named(chain, residue)
            if not {"N", "CA", "C"} <= heavy or not heavy & {"O", "OT1", "OXT"}:
                gone.append(label)
                del chain[index]
                continue
            cut_back(residue)
            cut.append(f"{label}→{residue.name}")
    if cut:
        yield Remark(
            "missing-atoms", "侧链原子缺失:截为丙氨酸或甘氨酸(不补建侧链):",
            "Side-chain atoms are missing: cut back to alanine or glycine (none is built):", tuple(reversed(cut)),
            warning=True,
        )  # fmt: skip
    if gone:
        yield Remark(
            "missing-backbone", "主链原子缺失的残基已去除:", "Residues without a whole backbone were removed:",
            tuple(reversed(gone)), warning=True,
        )  # fmt: skip


def cut_back(residue: Any) -> None:
    """Cut a residue back to alanine, or to glycine where C-beta is absent."""
    keep = {*BACKBONE, "CB", "OXT", "OT1", "OT2"}
    for index in reversed(range(len(residue))):
        if residue[index].name not in keep:
            del residue[index]
    residue.name = "ALA" if residue.find_atom("CB", "*") is not None else "GLY"


def _breaks(structure: Any) -> Iterator[Remark]:
    breaks, missing = [], 0
    for chain in structure[0]:
        residues = [residue for residue in chain if is_polymer(residue)]
        for before, after in pairwise(residues):
            distance = _gap(before, after)
            if distance is not None and distance > BROKEN:
                lost = max(0, after.seqid.num - before.seqid.num - 1)
                missing += lost
                breaks.append(f"{chain.name}:{before.seqid}–{after.seqid} ({lost}, {distance:.1f} Å)")
    if breaks:
        yield Remark(
            "break", f"链有断裂,约缺 {missing} 个残基,断端按不带电处理,不补建:",
            f"The chain is broken, about {missing} residues are missing; ends are left uncharged, none is built:",
            tuple(breaks), warning=True,
        )  # fmt: skip
