"""AiZynthFinder as another engine for the search, where somebody has installed and configured it.

AiZynthFinder (Genheden et al. 2020, doi 10.1186/s13321-020-00472-1) brings its own policy and stock, named in its YAML
configuration. Its routes come back in our form, and go through our screen like our own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xinglin.apps.drugs.routes.reactions import canonical
from xinglin.apps.drugs.routes.retro import Step
from xinglin.apps.drugs.routes.search import Found, Route, SearchOptions
from xinglin.apps.drugs.safety import Refusal, refuse, screen
from xinglin.errors import InvalidInputError, MissingDataError, XinglinError


class MissingEngineError(XinglinError, ImportError):
    """AiZynthFinder is not installed; it is no part of our extras, since its pins clash with theirs."""

    title = "AiZynthFinder is not installed"
    status = 501


class AiZynthSearch:
    """A configured finder; loading its policy takes seconds, so it is done once."""

    def __init__(self, config: Path) -> None:
        """Load a configuration, with every stock and every expansion policy that it names.

        Raises:
            MissingDataError: there is no such file.
            MissingEngineError: AiZynthFinder is not installed.
        """
        if not config.is_file():
            raise MissingDataError(f"expected AiZynthFinder's configuration, there is none at {config.name}")
        try:
            from aizynthfinder.aizynthfinder import AiZynthFinder
        except ImportError as error:
            raise MissingEngineError(
                "AiZynthFinder is not installed. Run: pip install aizynthfinder (in an environment of its own if pip "
                "reports a clash), and give its configuration with --config"
            ) from error
        self._finder = AiZynthFinder(configfile=str(config))
        self._finder.stock.select(self._finder.stock.items)
        self._finder.expansion_policy.select(self._finder.expansion_policy.items)

    def search(self, target: str, options: SearchOptions | None = None) -> Found:
        """Search routes to a molecule, within the same bounds as our own search.

        Raises:
            ControlledSubstanceError: the target is scheduled.
        """
        chosen = options or SearchOptions()
        refuse([target])
        began = time.monotonic()
        finder = self._finder
        finder.config.search.time_limit = chosen.seconds
        finder.config.search.iteration_limit = chosen.expansions
        finder.config.search.max_transforms = chosen.depth
        finder.target_smiles = target
        finder.tree_search()
        finder.build_routes()
        routes: list[Route] = []
        refused: dict[str, Refusal] = {}
        for tree in finder.routes.dicts:
            route = read_route(tree, chosen.step_cost)
            if route is None:
                continue
            found = _refusals(route)
            refused |= {refusal.digest: refusal for refusal in found}
            if not found:
                routes.append(route)
        routes.sort(key=lambda route: route.cost)
        iterations = int(finder.search_stats.get("iterations", 0))
        spent = time.monotonic() - began
        ended = "seconds" if spent >= chosen.seconds else "expansions"
        return Found(
            target, tuple(routes[: chosen.routes]), iterations, spent, ended, tuple(refused.values())
        )


def read_route(tree: Mapping[str, Any], step_cost: float) -> Route | None:
    """Return a route from AiZynthFinder's nested dictionary; None where a leaf is not in stock.

    Raises:
        InvalidInputError: it is not that dictionary.
    """
    if tree.get("type") != "mol" or "smiles" not in tree:
        raise InvalidInputError("expected a route of AiZynthFinder: a molecule with its reactions below")
    smiles = canonical(str(tree["smiles"]))
    reactions = tree.get("children") or []
    if not reactions:
        return Route(smiles, None, (), 0.0) if tree.get("in_stock") else None
    reaction = reactions[0]
    children = [read_route(child, step_cost) for child in reaction.get("children") or []]
    if not children or None in children:
        return None
    below = tuple(child for child in children if child is not None)
    told = reaction.get("metadata") or {}
    score = float(told.get("policy_probability", math.nan))
    step = Step(
        tuple(child.smiles for child in below),
        int(told.get("template_code", -1)),
        str(told.get("template", "")),
        score,
        "",
    )
    own = step_cost + (-math.log(max(score, 1e-9)) if score == score else 0.0)
    return Route(smiles, step, below, own + sum(child.cost for child in below))


def _refusals(route: Route) -> list[Refusal]:
    found = (screen(node.smiles, reagent=node.step is None) for node in route.nodes())
    return [refusal for refusal in found if refusal is not None]
