"""One step back: the reactants that were used, among the first k answers, on a held-out fifth of USPTO-50k's part."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._line import Line
from benchmarks._molecules import molecules
from xinglin.measure import proportion

PARTS = ("held-out", "routes", "radii")
TOPS = (1, 3, 5, 10)
RETROSIM = {1: 0.373, 3: 0.547, 5: 0.633, 10: 0.741}
"""Coley et al. 2017, all 5,007 test reactions of USPTO-50k, trained on 40,000: another test part and ten times the data."""
NEAREST = 100
ROUTES = 100
"""Held-out products whose routes are searched."""


def _reactions(quick: bool) -> tuple[Any, ...]:
    from xinglin.apps.drugs.routes.reactions import read_reactions

    rows = read_reactions(molecules("uspto50k") / "valid.csv.gz").rows
    return rows[:150] if quick else rows


def _lines(name: str, ranks: Sequence[int | None], note: str = "", *, beside: bool = False) -> list[Line]:
    lines = []
    for top in TOPS:
        found = proportion(sum(rank is not None and rank < top for rank in ranks), len(ranks))
        lines.append(
            Line(
                name,
                f"top-{top}",
                found.value,
                "",
                found.n,
                found.low,
                found.high,
                reference=RETROSIM[top] if beside else None,
                reference_name="RetroSim, 40,000 reactions, the official test part" if beside else None,
                note=note,
            )
        )
    return lines


def _place(outcomes: Iterable[str], truth: str) -> int | None:
    return next((rank for rank, outcome in enumerate(outcomes) if outcome == truth), None)


@dataclass(frozen=True, slots=True)
class World:
    """The reactions, and a model of the fitting part."""

    reactions: tuple[Any, ...]
    fit: list[int]
    held: list[int]
    retro: Any
    learned: float
    """CPU seconds."""


def _world(quick: bool) -> World:
    from xinglin.apps.drugs.routes.learn import LearnOptions, build, fit_ranker, lessons, teachable
    from xinglin.apps.drugs.routes.reactions import split_by_product
    from xinglin.apps.drugs.routes.recipe import lawful
    from xinglin.apps.drugs.routes.retro import Retro

    reactions = _reactions(quick)
    fit, held = split_by_product(reactions)
    options = LearnOptions(trees=20) if quick else LearnOptions()
    began = time.process_time()
    taught = teachable(lawful(tuple(reactions[place] for place in fit)))
    library, sites = build(taught)
    retro = Retro(library, fit_ranker(lessons(library, taught, sites, options), options))
    return World(reactions, fit, held, retro, time.process_time() - began)


def _held_out(quick: bool, world: World) -> list[Line]:
    from xinglin.apps.drugs.safety import screen

    retro, reactions, library = world.retro, world.reactions, world.retro.library
    ours: list[int | None] = []
    frequency: list[int | None] = []
    similarity: list[int | None] = []
    seconds: list[float] = []
    scheduled = 0
    for place in world.held[: 15 if quick else None]:
        reaction = reactions[place]
        if screen(reaction.product) is not None:
            # Refused by design: counted as not found.
            scheduled += 1
            ours.append(None)
        else:
            began = time.process_time()
            steps = retro.predict(reaction.product, max(TOPS)).steps
            seconds.append(time.process_time() - began)
            ours.append(_place((".".join(step.reactants) for step in steps), reaction.reactants))
        frequency.append(_place(_by_frequency(retro, reaction.product), reaction.reactants))
        similarity.append(_place(_by_similarity(retro, reaction.product), reaction.reactants))
    note = (
        f"{len(library.precedents)} reactions, {len(library.templates)} templates; {scheduled} products refused as scheduled "
        "count as misses"
    )
    middle = float(np.median(seconds))
    return [
        *_lines("learned ranking", ours, note, beside=True),
        *_lines("by frequency of the template", frequency, "same templates, same run"),
        *_lines(
            "by similarity to precedents", similarity, "RetroSim's score over the same templates, same run"
        ),
        Line("learned ranking", "CPU time a product, median", middle * 1e3, "ms", len(seconds)),
        Line(
            "learning",
            "CPU time",
            world.learned,
            "s",
            len(library.precedents),
            note="extraction, counts and ranker, one thread",
        ),
    ]


def _by_frequency(retro: Any, product: str) -> list[str]:
    """Outcomes in the order of how often their template was used."""
    from xinglin.apps.drugs.routes.sites import Product

    library = retro.library
    patterns = {site.pattern for site in Product.read(product).sites(library.compiled)}
    order = np.argsort(-library.counts, kind="stable")
    return _outcomes(retro, product, [t for t in order if library.pattern_of[t] in patterns])


def _outcomes(retro: Any, product: str, templates: Iterable[int]) -> list[str]:
    found: dict[str, None] = {}
    for template in templates:
        for outcome in retro._runner.outcomes(retro.library.templates[template], product):
            if product not in outcome.split("."):
                found.setdefault(outcome)
        if len(found) >= max(TOPS):
            break
    return list(found)


def _by_similarity(retro: Any, product: str) -> list[str]:
    """RetroSim: similarity of the products times that of the reactants, over the nearest precedents."""
    from rdkit.DataStructs import BulkTanimotoSimilarity, TanimotoSimilarity

    from xinglin.apps.drugs.routes.sites import Product

    library, target = retro.library, Product.read(product)
    sims = np.array(BulkTanimotoSimilarity(target.fingerprint, library.fingerprints))
    scores: dict[str, float] = {}
    known: dict[int, list[str]] = {}
    for place in np.argsort(-sims, kind="stable")[:NEAREST]:
        precedent = library.precedents[int(place)]
        if precedent.template not in known:
            known[precedent.template] = retro._runner.outcomes(library.templates[precedent.template], product)
        if not known[precedent.template]:
            continue
        other = Product.read(precedent.reactants).fingerprint
        for outcome in known[precedent.template]:
            score = float(sims[place]) * TanimotoSimilarity(Product.read(outcome).fingerprint, other)
            scores[outcome] = max(scores.get(outcome, 0.0), score)
    return sorted((one for one in scores if product not in one.split(".")), key=lambda one: -scores[one])


def _routes(quick: bool, world: World) -> list[Line]:
    """Whole routes of held-out products to what the fitting part and light library molecules offer."""
    from xinglin.apps.drugs.routes.search import SearchOptions, search
    from xinglin.apps.drugs.routes.stock import SHIPPED, stock_rows
    from xinglin.apps.drugs.safety import screen
    from xinglin.terms.tsv import rows

    made = {one.product for one in world.reactions}
    used = {part for place in world.fit for part in world.reactions[place].reactants.split(".")} - made
    stock = {
        smiles for smiles, _ in stock_rows(sorted(used), (), heaviest_reactant=250.0, heaviest_library=0.0)
    }
    stock |= {row["smiles"] for row in rows(SHIPPED, ("smiles", "source")) if row["source"] == "zinc250k"}
    options = SearchOptions(routes=1, expansions=10 if quick else 60, seconds=30.0)
    steps: list[int] = []
    seconds: list[float] = []
    products = dict.fromkeys(world.reactions[place].product for place in world.held)
    chosen = [one for one in products if one not in stock and screen(one) is None][: 4 if quick else ROUTES]
    for product in chosen:
        began = time.process_time()
        found = search(product, world.retro.predict, stock, options)
        seconds.append(time.process_time() - began)
        steps += [route.steps for route in found.routes]
    share = proportion(len(steps), len(chosen))
    note = (
        f"{len(stock):,} molecules in stock, none from the held-out part; <= {options.expansions} expansions, "
        f"{options.depth} steps in a row"
    )
    if steps:
        note += f"; steps of the cheapest route: median {np.median(steps):g}, most {max(steps)}"
    return [
        Line("routes to stock", "found", share.value, "", share.n, share.low, share.high, note=note),
        Line("routes to stock", "CPU time a search, median", float(np.median(seconds)), "s", len(chosen)),
        Line(
            "routes to stock", "CPU time a search, p95", float(np.quantile(seconds, 0.95)), "s", len(chosen)
        ),
    ]


def _radii(reactions: tuple[Any, ...]) -> list[Line]:
    """How many held-out reactions have a template that the fitting part knows."""
    from xinglin.apps.drugs.routes.reactions import split_by_product
    from xinglin.apps.drugs.routes.templates import extract

    fit, held = split_by_product(reactions)
    found = [extract(one) for one in reactions]
    lines = []
    for radius in (0, 1):
        smarts = [one.templates.get(radius) if one else None for one in found]
        known = {smarts[place] for place in fit} - {None}
        share = proportion(sum(smarts[place] in known for place in held), len(held))
        note = f"{len(known)} templates"
        lines.append(
            Line(f"radius {radius}", "coverage", share.value, "", share.n, share.low, share.high, note=note)
        )
    return lines


def run(quick: bool, only: Iterable[str] | None = None) -> list[Line]:
    chosen = list(only or PARTS)
    lines: list[Line] = []
    if {"held-out", "routes"} & set(chosen):
        world = _world(quick)
        lines += _held_out(quick, world) if "held-out" in chosen else []
        lines += _routes(quick, world) if "routes" in chosen else []
    if "radii" in chosen:
        lines += _radii(_reactions(quick))
    return lines
