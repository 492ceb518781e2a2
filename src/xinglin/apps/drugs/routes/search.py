"""Routes: an AND-OR search from a molecule back to a stock list.

A molecule (OR) is made by any one of its steps; a step (AND) needs all its precursors. The cost of a step is the negative
logarithm of its share of the ranker's belief, plus a constant for every step; a route's cost is the sum. The search is
Retro* (Chen et al. 2020, arXiv 2006.15820) with its zero value function: always expand an open molecule of the cheapest
route that is not finished; a finished route that no unfinished one can undercut is the cheapest that the templates
give within the bounds. We differ in going on for further routes, in values that are computed anew over the
tree (it is small) instead of being propagated, and in screening every precursor: a scheduled one ends its branch.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

from xinglin.apps.drugs.routes.retro import Prediction, Step
from xinglin.apps.drugs.safety import Refusal

Predict = Callable[[str, int], Prediction]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Bounds of a search."""

    routes: int = 3
    """Routes wanted."""
    branching: int = 12
    """Steps considered for a molecule."""
    depth: int = 6
    """Steps in a row at most."""
    expansions: int = 80
    """Molecules taken apart at most."""
    seconds: float = 60.0
    """Wall-clock bound."""
    step_cost: float = 0.3
    """Added for every step, so that of two equally likely routes the shorter one wins."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way from stock to the target, as a tree."""

    smiles: str
    step: Step | None
    """How it is made; None: it is bought."""
    children: tuple[Route, ...]
    cost: float
    """Sum over the steps below and here."""

    @property
    def steps(self) -> int:
        """Reactions in the whole tree."""
        return (self.step is not None) + sum(child.steps for child in self.children)

    @property
    def longest(self) -> int:
        """Reactions in a row."""
        below = max((child.longest for child in self.children), default=0)
        return below + (self.step is not None)

    def leaves(self) -> list[str]:
        """What has to be bought; a molecule twice if it is needed twice."""
        if self.step is None:
            return [self.smiles]
        return [leaf for child in self.children for leaf in child.leaves()]

    def nodes(self) -> Iterator[Route]:
        """Every molecule of the route, the target first."""
        yield self
        for child in self.children:
            yield from child.nodes()


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    target: str
    routes: tuple[Route, ...]
    """Cheapest first; empty is an answer: no route within the bounds."""
    expansions: int
    seconds: float
    ended: str
    """``enough routes``, ``nothing left to expand``, ``expansions``, ``seconds``,
    or the name of another engine."""
    refused: tuple[Refusal, ...]
    in_stock: bool = False


@dataclass(slots=True)
class _Molecule:
    smiles: str
    depth: int
    above: frozenset[str]
    bought: bool
    steps: list[_Reaction] | None = None
    value: float = 0.0
    """Cost of the cheapest route from here, finished or not."""
    open: float = 0.0
    """Cost of the cheapest one that has an open molecule; infinite where none has."""


@dataclass(slots=True)
class _Reaction:
    step: Step
    cost: float
    parts: list[_Molecule] = field(default_factory=list)
    value: float = 0.0
    open: float = 0.0


def search(
    target: str, predict: Predict, stock: Container[str], options: SearchOptions | None = None
) -> Found:
    """Search routes to a molecule.

    Args:
        target: canonical SMILES.
        predict: ``(smiles, top) -> Prediction``, e.g. ``Retro.predict``.
        stock: what can be bought, by canonical SMILES. The target itself is taken apart even where it is in stock.
        options: bounds.

    Raises:
        ControlledSubstanceError: the target is scheduled.
    """
    chosen = options or SearchOptions()
    began = time.monotonic()
    root = _Molecule(target, 0, frozenset(), bought=False)
    known: dict[str, Prediction] = {}
    expansions, ended = 0, ""
    while not ended:
        _value(root, chosen)
        finished = _routes(root, chosen.routes)
        if root.open == math.inf:
            ended = "nothing left to expand"
        elif len(finished) >= chosen.routes and finished[-1].cost <= root.open:
            ended = "enough routes"
        elif expansions >= chosen.expansions:
            ended = "expansions"
        elif time.monotonic() - began >= chosen.seconds:
            ended = "seconds"
        else:
            _expand(_frontier(root), predict, stock, chosen, known)
            expansions += 1
    refused = {refusal.digest: refusal for one in known.values() for refusal in one.refused}
    spent = time.monotonic() - began
    return Found(
        target,
        tuple(_routes(root, chosen.routes)),
        expansions,
        spent,
        ended,
        tuple(refused.values()),
        target in stock,
    )


def _expand(
    molecule: _Molecule,
    predict: Predict,
    stock: Container[str],
    options: SearchOptions,
    known: dict[str, Prediction],
) -> None:
    if molecule.smiles not in known:
        known[molecule.smiles] = predict(molecule.smiles, options.branching)
    above = molecule.above | {molecule.smiles}
    molecule.steps = []
    for step in known[molecule.smiles].steps:
        # A precursor that is to be made of itself leads nowhere.
        if above.isdisjoint(step.reactants):
            cost = -math.log(max(step.score, 1e-9)) + options.step_cost
            parts = [
                _Molecule(smiles, molecule.depth + 1, above, smiles in stock) for smiles in step.reactants
            ]
            molecule.steps.append(_Reaction(step, cost, parts))


def _value(molecule: _Molecule, options: SearchOptions) -> None:
    """Set the values of a subtree, from its leaves up."""
    if molecule.bought:
        molecule.value, molecule.open = 0.0, math.inf
        return
    if molecule.steps is None:
        deep = molecule.depth >= options.depth
        molecule.value, molecule.open = (math.inf, math.inf) if deep else (0.0, 0.0)
        return
    for step in molecule.steps:
        for part in step.parts:
            _value(part, options)
        whole = sum(part.value for part in step.parts)
        step.value = step.cost + whole
        step.open = math.inf
        if step.value < math.inf:
            step.open = step.cost + min(whole - part.value + part.open for part in step.parts)
    molecule.value = min((step.value for step in molecule.steps), default=math.inf)
    molecule.open = min((step.open for step in molecule.steps), default=math.inf)


def _frontier(molecule: _Molecule) -> _Molecule:
    """The open molecule of the cheapest unfinished route."""
    while molecule.steps is not None:
        step = min(molecule.steps, key=lambda one: one.open)
        molecule = min(step.parts, key=lambda part: part.open - part.value)
    return molecule


def _routes(molecule: _Molecule, most: int) -> list[Route]:
    """The cheapest finished routes from a molecule."""
    if molecule.bought:
        return [Route(molecule.smiles, None, (), 0.0)]
    found: list[Route] = []
    for step in molecule.steps or ():
        ways: list[Sequence[Route]] = []
        for part in step.parts:
            below = _routes(part, most)
            if not below:
                break
            ways.append(below)
        else:
            for children in itertools.product(*ways):
                cost = step.cost + sum(child.cost for child in children)
                found.append(Route(molecule.smiles, step.step, tuple(children), cost))
    found.sort(key=lambda route: route.cost)
    return found[:most]
