"""From atom-mapped reactions to a library of templates and a ranker of candidates.

A candidate (a template at a site) is right if it gives back the reactants that were used. The ranker is gradient-boosted
trees with LightGBM's lambdarank objective over the candidates of a product; while it learns, a product's fold is left
out of every count and similarity, so that what it sees then is what it will see of a new product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.routes.precedents import FEATURES, Candidate, Library, Precedent, candidates
from xinglin.apps.drugs.routes.reactions import Reaction
from xinglin.apps.drugs.routes.sites import Product, Site
from xinglin.apps.drugs.routes.templates import Extracted, extract, pattern_of
from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.records.molecules.parsing import read_smiles

RADIUS = 0


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How the ranker learns."""

    trees: int = 400
    leaves: int = 31
    rate: float = 0.06
    smallest_leaf: int = 40
    folds: int = 10
    most: int = 150
    """Candidates of a product that the ranker learns from: the right one and those that look best by rate alone."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Taught:
    """A reaction that can be used: its template, its product, and where in it the centre lies."""

    reaction: Reaction
    smarts: str
    product: Product
    centre: tuple[int, ...]
    """Atom indices of the product."""


def teachable(
    reactions: Sequence[Reaction],
    extracted: Sequence[Extracted | None] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> list[Taught]:
    """Return what can be learned from; a reaction without a radius-0 template is left out."""
    found: list[Taught] = []
    for place, reaction in enumerate(reactions):
        known = extracted[place] if extracted is not None else extract(reaction, (RADIUS,))
        if report:
            report(place + 1, len(reactions))
        if known is None or RADIUS not in known.templates or not known.centre:
            continue
        molecule = read_smiles(reaction.mapped.split(">>")[1])
        centre = tuple(atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomMapNum() in known.centre)
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
        found.append(Taught(reaction, known.templates[RADIUS], Product(molecule), centre))
    if not found:
        raise InvalidInputError(
            "expected reactions from which templates can be extracted, none could be used"
        )
    return found


def build(taught: Sequence[Taught]) -> tuple[Library, list[list[Site]]]:
    """Return the library of these reactions, and the sites of every product."""
    templates: dict[str, int] = {}
    patterns: dict[str, int] = {}
    pattern_of_template: list[int] = []
    for one in taught:
        if one.smarts not in templates:
            templates[one.smarts] = len(templates)
            pattern_of_template.append(patterns.setdefault(pattern_of(one.smarts), len(patterns)))
    precedents = []
    for one in taught:
        template = templates[one.smarts]
        site = one.product.site(pattern_of_template[template], one.centre)
        reaction = one.reaction
        precedents.append(
            Precedent(reaction.product, reaction.reactants, template, site, one.product.fingerprint)
        )
    library = Library(list(templates), pattern_of_template, list(patterns), precedents)
    sites = [one.product.sites(library.compiled) for one in taught]
    library.count(sites)
    return library, sites


@dataclass(slots=True)
class Lessons:
    """What the ranker learns from."""

    rows: NDArray[np.float32]
    right: NDArray[np.int8]
    groups: list[int]
    """Candidates of every product, in order."""
    products: list[int]
    """Index of every group's reaction."""
    unreachable: int
    """Products whose template no reaction of another fold has: nothing right to learn."""


def lessons(
    library: Library,
    taught: Sequence[Taught],
    sites: Sequence[Sequence[Site]],
    options: LearnOptions,
) -> Lessons:
    """Return the candidates of every product, seen by a library that lacks the product's whole fold.

    Leaving out the one reaction alone would give the answer away: the right template's count would be the one that
    is smaller by one.
    """
    fold = _folds([one.reaction.product for one in taught], options.folds)
    rows, right, groups, products, unreachable = [], [], [], [], 0
    rate, base = FEATURES.index("template_rate_1"), FEATURES.index("template_rate")
    for out in range(options.folds):
        kept = [place for place in range(len(taught)) if fold[place] != out]
        rest = Library(
            library.templates,
            library.pattern_of,
            library.patterns,
            [library.precedents[place] for place in kept],
        )
        rest.count([sites[place] for place in kept])
        for place in (place for place in range(len(taught)) if fold[place] == out):
            one, template = taught[place], library.precedents[place].template
            own = one.product.site(library.pattern_of[template], one.centre)
            found, table = candidates(rest, one.product, sites[place])
            marks = np.array([_is(candidate, template, own) for candidate in found], dtype=np.int8)
            if not marks.any():
                unreachable += 1
                continue
            worth = table[:, rate] + 0.1 * table[:, base] + 1e3 * marks
            best = np.argsort(-worth, kind="stable")[: options.most]
            rows.append(table[best].astype(np.float32))
            right.append(marks[best])
            groups.append(len(best))
            products.append(place)
    return Lessons(np.concatenate(rows), np.concatenate(right), groups, products, unreachable)


def _folds(products: Sequence[str], folds: int) -> list[int]:
    """A fold for every product, by its hash: the same product is always in one fold."""
    return [int(sha256(f"fold {product}".encode()).hexdigest(), 16) % folds for product in products]


def _is(candidate: Candidate, template: int, site: Site) -> bool:
    return candidate.template == template and candidate.site.key == site.key


def lightgbm() -> Any:
    """Return LightGBM.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import lightgbm as module
    except ImportError as error:
        raise MissingExtraError("ranking templates", "drugs") from error
    return module


def fit_ranker(found: Lessons, options: LearnOptions) -> Any:
    """Return LightGBM's booster."""
    module = lightgbm()
    settings = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 10,
        "num_leaves": options.leaves,
        "learning_rate": options.rate,
        "min_data_in_leaf": options.smallest_leaf,
        "seed": options.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = module.Dataset(
        found.rows, found.right, group=found.groups, feature_name=list(FEATURES), free_raw_data=True
    )
    return module.train(settings, data, options.trees)
