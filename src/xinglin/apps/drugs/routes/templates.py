"""Retrosynthetic templates from atom-mapped reactions, with rdchiral's extraction.

A template is a reaction SMARTS written backwards: the product's reaction centre on the left, what it came from on the
right, leaving groups whole. The radius says how many bonds around the changed atoms are part of it: radius 0 is the
centre alone and covers the most products, radius 1 is what Coley et al. (2017, doi 10.1021/acscentsci.7b00355, and
2019, doi 10.1021/acs.jcim.9b00286, rdchiral) use. We differ in ranking radius-0 templates by where they match (rank.py)
instead of writing the surroundings into the pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from xinglin.apps.drugs.routes.reactions import Reaction
from xinglin.errors import MissingExtraError
from xinglin.records.molecules.parsing import rdkit, read_smiles

MOST_OUTCOMES = 50


@dataclass(frozen=True, slots=True)
class Extracted:
    """What one reaction teaches."""

    centre: frozenset[int]
    """Atom maps of the atoms that change."""
    templates: Mapping[int, str]
    """Retrosynthetic SMARTS by radius; a radius at which none can be written is left out."""


@lru_cache(maxsize=1)
def _extractor() -> Any:
    try:
        from rdchiral import template_extractor
    except ImportError as error:
        raise MissingExtraError("extracting templates", "drugs") from error
    return template_extractor


def extract(reaction: Reaction, radii: Sequence[int] = (0, 1)) -> Extracted | None:
    """Return the templates of a reaction; None where no atom changes.

    Raises:
        MissingExtraError: rdchiral is not installed.
    """
    extractor = _extractor()
    left, right = reaction.mapped.split(">>")
    with rdkit()[1].BlockLogs():
        reactants = [read_smiles(part) for part in left.split(".")]
        products = [read_smiles(right)]
        _, tags, failed = extractor.get_changed_atoms(reactants, products)
        if failed or not tags:
            return None
        written = {}
        for radius in radii:
            smarts = _written(extractor, reactants, products, tags, radius)
            if smarts is not None:
                written[radius] = smarts
    kept = {atom.GetAtomMapNum() for atom in products[0].GetAtoms()}
    return Extracted(frozenset(int(tag) for tag in tags) & kept, written) if written else None


def _written(
    extractor: Any, reactants: list[Any], products: list[Any], tags: list[str], radius: int
) -> str | None:
    from rdkit.Chem.rdChemReactions import ReactionFromSmarts

    try:
        left, _, _ = extractor.get_fragments_for_changed_atoms(
            reactants, tags, radius=radius, expansion=[], category="reactants"
        )
        around = extractor.expand_changed_atom_tags(tags, left)
        right, _, _ = extractor.get_fragments_for_changed_atoms(
            products, tags, radius=0, expansion=around, category="products"
        )
    except (ValueError, AttributeError):
        # rdchiral's way of saying that it finds no consistent stereo, or no readable fragment.
        return None
    before, after = extractor.canonicalize_transform(f"{left}>>{right}").split(">>")
    smarts = f"{_joined(after)}>>{_joined(before)}"
    reaction = ReactionFromSmarts(smarts)
    return smarts if reaction.Validate(silent=True)[1] == 0 else None


def _joined(fragments: str) -> str:
    return fragments[1:-1].replace(").(", ".")


def pattern_of(smarts: str) -> str:
    """The product's side of a template, without atom maps: templates that share it match at the same places."""
    chem = rdkit()[0]
    pattern = chem.MolFromSmarts(smarts.split(">>")[0])
    for atom in pattern.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(chem.MolToSmarts(pattern))


class Runner:
    """Applies templates to products; each template is compiled once."""

    def __init__(self) -> None:
        self._plain: dict[str, Any] = {}
        self._chiral: dict[str, Any] = {}

    def outcomes(self, smarts: str, product: str, at: frozenset[int] | None = None) -> list[str]:
        """Return the distinct precursor sets (canonical SMILES, parts joined by dots) that a template gives.

        Args:
            smarts: the template.
            product: canonical SMILES.
            at: only what happens at these atoms of the product, by index; None: wherever the template fits.

        rdchiral runs the template where the product has stereo marks or a ring is opened: RDKit's own engine loses
        stereo there, and gives a chain that stays in one piece twice. Elsewhere RDKit does, four times faster.
        """
        if not any(mark in product for mark in "@/\\"):
            plain = self._without(smarts, product, at)
            if plain is not None:
                return plain
        return self._with_stereo(smarts, product, at)

    def _without(self, smarts: str, product: str, at: frozenset[int] | None = None) -> list[str] | None:
        """What RDKit gives; None where an atom of the product comes out twice."""
        from rdkit.Chem.rdChemReactions import ReactionFromSmarts

        chem, base, _ = rdkit()
        reaction = self._plain.get(smarts)
        if reaction is None:
            reaction = self._plain[smarts] = ReactionFromSmarts(_one_molecule(smarts))
            reaction.Initialize()
        found: dict[str, None] = {}
        with base.BlockLogs():
            for parts in reaction.RunReactants((read_smiles(product),), MOST_OUTCOMES):
                came = [
                    atom.GetIntProp("react_atom_idx")
                    for part in parts
                    for atom in part.GetAtoms()
                    if atom.HasProp("react_atom_idx")
                ]
                if len(set(came)) != len(came):
                    return None
                core = (
                    atom.GetIntProp("react_atom_idx")
                    for part in parts
                    for atom in part.GetAtoms()
                    if atom.HasProp("old_mapno") and atom.HasProp("react_atom_idx")
                )
                if at is not None and not at.issuperset(core):
                    continue
                whole = _read_back(".".join(chem.MolToSmiles(part) for part in parts))
                if whole:
                    found[whole] = None
        return list(found)

    def _with_stereo(self, smarts: str, product: str, at: frozenset[int] | None = None) -> list[str]:
        try:
            from rdchiral.main import rdchiralReactants, rdchiralReaction, rdchiralRun
        except ImportError as error:
            raise MissingExtraError("applying templates", "drugs") from error
        reaction = self._chiral.get(smarts)
        if reaction is None:
            reaction = self._chiral[smarts] = rdchiralReaction(_one_molecule(smarts))
        reaction.reset()
        with rdkit()[1].BlockLogs():
            try:
                outcomes, mapped = rdchiralRun(
                    reaction, rdchiralReactants(product), combine_enantiomers=False, return_mapped=True
                )
            except (KeyError, ValueError, RuntimeError, IndexError):
                # rdchiral fails on a few pairs of template and product: such a pair gives nothing.
                return []
            if at is not None:
                # rdchiral numbers the product's atoms from one.
                outcomes = [
                    one
                    for one in outcomes
                    if one not in mapped or at.issuperset(number - 1 for number in mapped[one][1])
                ]
            return list(dict.fromkeys(whole for one in outcomes if (whole := _read_back(one))))


def _one_molecule(smarts: str) -> str:
    """A template whose centre lies in several places of one product: grouped, since it is one molecule."""
    left, right = smarts.split(">>")
    return f"({left})>>{right}" if "." in left else smarts


def _read_back(smiles: str) -> str | None:
    """Canonical SMILES of an outcome; None where it is no molecule."""
    molecule = read_smiles(smiles)
    if molecule is None:
        return None
    return ".".join(sorted(rdkit()[0].MolToSmiles(molecule).split(".")))
