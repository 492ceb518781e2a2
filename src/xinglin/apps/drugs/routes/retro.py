"""One step back: the precursor sets of a product, the likeliest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.drugs.routes.kept import SHIPPED, load
from xinglin.apps.drugs.routes.learn import lightgbm
from xinglin.apps.drugs.routes.precedents import Candidate, Library, candidates
from xinglin.apps.drugs.routes.reactions import canonical
from xinglin.apps.drugs.routes.sites import Product
from xinglin.apps.drugs.routes.templates import Runner
from xinglin.apps.drugs.safety import Refusal, refuse, screen
from xinglin.errors import InvalidInputError
from xinglin.records.molecules.standard import MAX_ATOMS, MAX_LENGTH

MOST_TRIED = 150
"""Candidates whose chemistry is done before fewer outcomes than asked for are accepted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way to make a product."""

    reactants: tuple[str, ...]
    """Canonical SMILES."""
    template: int
    smarts: str
    score: float
    """Share of the ranker's belief among the candidates of this product, 0 to 1; not a calibrated probability."""
    precedent: str
    """Product of the most similar known reaction with this template."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The steps found, and what the screen kept out."""

    product: str
    steps: tuple[Step, ...]
    refused: tuple[Refusal, ...]
    """One for every precursor set that holds a scheduled chemical."""


class Retro:
    """Templates with their ranker, loaded once."""

    def __init__(self, library: Library, ranker: Any) -> None:
        self.library, self._ranker, self._runner = library, ranker, Runner()

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Retro:
        """Load a model folder.

        Raises:
            CheckpointError: it is damaged.
            MissingExtraError: RDKit or LightGBM is not installed.
        """
        library, text, _ = load(folder)
        return cls(library, lightgbm().Booster(model_str=text))

    def ranked(self, product: Product) -> list[tuple[Candidate, float]]:
        """Return every candidate with its share of the ranker's belief, the best first."""
        found, table = candidates(self.library, product, product.sites(self.library.compiled))
        if not found:
            return []
        scores = np.asarray(self._ranker.predict(table))
        share = np.exp(scores - scores.max())
        share /= share.sum()
        order = np.argsort(-share, kind="stable")
        return [(found[place], float(share[place])) for place in order]

    def predict(self, smiles: str, top: int = 10) -> Prediction:
        """Return at most ``top`` distinct precursor sets.

        Args:
            smiles: the product; one part.
            top: how many.

        Raises:
            InvalidInputError: not a SMILES of one molecule, or too large.
            ControlledSubstanceError: the product is scheduled.
        """
        if len(smiles) > MAX_LENGTH or "." in smiles:
            raise InvalidInputError(f"expected the SMILES of one molecule, at most {MAX_LENGTH:,} characters")
        target = canonical(smiles.strip())
        refuse([target])
        product = Product.read(target)
        if product.molecule.GetNumHeavyAtoms() > MAX_ATOMS:
            raise InvalidInputError(f"expected at most {MAX_ATOMS} heavy atoms")
        steps: dict[str, Step] = {}
        refused: dict[str, Refusal] = {}
        for candidate, share in self.ranked(product)[:MOST_TRIED]:
            smarts = self.library.templates[candidate.template]
            classes = set(candidate.site.key)
            here = frozenset(atom for atom, own in enumerate(product.classes) if own in classes)
            for outcome in self._runner.outcomes(smarts, target, here):
                parts = tuple(outcome.split("."))
                if outcome in steps or outcome in refused or target in parts:
                    continue
                refusal = next((found for part in parts if (found := screen(part, reagent=True))), None)
                if refusal is not None:
                    refused[outcome] = refusal
                    continue
                steps[outcome] = Step(
                    parts, candidate.template, smarts, share, self._precedent(candidate, product)
                )
            if len(steps) >= top:
                break
        return Prediction(target, tuple(steps.values())[:top], tuple(refused.values()))

    def _precedent(self, candidate: Candidate, product: Product) -> str:
        """The most similar product among the precedents of a template."""
        from rdkit.DataStructs import BulkTanimotoSimilarity

        library = self.library
        start = library.starts[candidate.template]
        own = library.order[start : start + library.counts[candidate.template]]
        sims = BulkTanimotoSimilarity(product.fingerprint, [library.fingerprints[place] for place in own])
        return library.precedents[int(own[int(np.argmax(sims))])].product
