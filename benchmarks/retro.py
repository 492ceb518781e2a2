"""One step back: the reactants that were used, among the first k answers, on a held-out fifth of USPTO-50k's part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._kept import Kept
from benchmarks._line import Line
from benchmarks._molecules import molecules
from xinglin.measure import proportion

PARTS = ("held-out", "routes", "radii")
TOPS = (1, 3, 5, 10)
RETROSIM = {1: 0.373, 3: 0.547, 5: 0.633, 10: 0.741}
"""Coley et al. 2017, all 5,007 test reactions of USPTO-50k, trained on 40,000: another test part and ten times the data."""
NEAREST = 100
"""Precedents that RetroSim's score looks at."""
COMPARED = 100
"""Held-out products on which the baselines run, which take longer."""
ROUTES = 16
"""Held-out products whose routes are searched."""


@dataclass(frozen=True, slots=True)
class Data:
    """The reactions, split, with what they teach."""

    reactions: tuple[Any, ...]
    extracted: list[Any]
    fit: list[int]
    held: list[int]
    kept: Kept


def _data(quick: bool) -> Data:
    from xinglin.apps.drugs.routes.reactions import read_reactions, split_by_product
    from xinglin.apps.drugs.routes.templates import Extracted, extract

    reactions = read_reactions(molecules("uspto50k") / "valid.csv.gz", most=100 if quick else None).rows
    kept = Kept("retro", {"reactions": len(reactions), "version": 2})

    def make() -> list[Any]:
        found = [extract(one) for one in reactions]
        return [one and [sorted(one.centre), {str(r): s for r, s in one.templates.items()}] for one in found]

    extracted = [
        one and Extracted(frozenset(one[0]), {int(radius): smarts for radius, smarts in one[1].items()})
        for one in kept.get("extracted", make)
    ]
    return Data(reactions, extracted, *split_by_product(reactions), kept)


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


def _retro(quick: bool, data: Data) -> tuple[Any, float]:
    """A model of the fitting part, and the CPU seconds that its ranker took."""
    from xinglin.apps.drugs.routes.learn import LearnOptions, build, fit_ranker, lessons, lightgbm, teachable
    from xinglin.apps.drugs.routes.recipe import lawful
    from xinglin.apps.drugs.routes.retro import Retro

    options = LearnOptions(trees=20) if quick else LearnOptions()
    allowed = {one.id for one in lawful(tuple(data.reactions[place] for place in data.fit))}
    places = [place for place in data.fit if data.reactions[place].id in allowed]
    taught = teachable(
        [data.reactions[place] for place in places], [data.extracted[place] for place in places]
    )
    library, sites = build(taught)

    def make() -> list[Any]:
        began = time.process_time()
        ranker = fit_ranker(lessons(library, taught, sites, options), options)
        return [ranker.model_to_string(), time.process_time() - began]

    text, seconds = data.kept.get("ranker", make)
    return Retro(library, lightgbm().Booster(model_str=text)), float(seconds)


def _held_out(quick: bool, data: Data, retro: Any, learned: float) -> list[Line]:
    from xinglin.apps.drugs.safety import screen

    def ask(places: Sequence[int]) -> list[list[Any]]:
        """Rank of the truth and CPU seconds; no rank and no seconds for a product that is refused by design."""
        answers: list[list[Any]] = []
        for place in places:
            reaction = data.reactions[place]
            if screen(reaction.product) is not None:
                answers.append([None, None])
                continue
            began = time.process_time()
            steps = retro.predict(reaction.product, max(TOPS)).steps
            spent = time.process_time() - began
            answers.append([_place((".".join(step.reactants) for step in steps), reaction.reactants), spent])
        return answers

    def compare(places: Sequence[int]) -> list[list[Any]]:
        asked = [(data.reactions[place].product, data.reactions[place].reactants) for place in places]
        return [
            [_place(_by_frequency(retro, product), truth), _place(_by_similarity(retro, product), truth)]
            for product, truth in asked
        ]

    held = data.held[: 15 if quick else None]
    ours = _pieces(data.kept, "ours", held, ask)
    compared = held[: 8 if quick else COMPARED]
    others = _pieces(data.kept, "others", compared, compare, 25)
    seconds = [spent for _, spent in ours if spent is not None]
    library = retro.library
    note = (
        f"{len(library.precedents)} reactions, {len(library.templates)} templates; {len(ours) - len(seconds)} "
        "products refused as scheduled count as misses"
    )
    same = f"the first {len(compared)} of them"
    return [
        *_lines("learned ranking", [rank for rank, _ in ours], note, beside=True),
        *_lines("learned ranking, first of them", [rank for rank, _ in ours[: len(compared)]], same),
        *_lines("by frequency of the template", [rank for rank, _ in others], f"same templates, {same}"),
        *_lines(
            "by similarity to precedents",
            [rank for _, rank in others],
            f"RetroSim's score over the same templates, {same}",
        ),
        Line(
            "learned ranking",
            "CPU time a product, median",
            float(np.median(seconds)) * 1e3,
            "ms",
            len(seconds),
        ),
        Line("learning the ranking", "CPU time", learned, "s", len(library.precedents), note="one thread"),
    ]


def _pieces(
    kept: Kept, name: str, places: Sequence[int], make: Callable[[Sequence[int]], list[Any]], size: int = 100
) -> list[Any]:
    """Answers about many products, kept piece by piece."""
    found: list[Any] = []
    for start in range(0, len(places), size):
        part = places[start : start + size]
        found += kept.get(f"{name} {start}", lambda part=part: make(part))  # type: ignore[misc]
    return found


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


def _routes(quick: bool, data: Data, retro: Any) -> list[Line]:
    """Whole routes of held-out products to what the fitting part and light library molecules offer."""
    from xinglin.apps.drugs.routes.search import SearchOptions, search
    from xinglin.apps.drugs.routes.stock import SHIPPED, stock_rows
    from xinglin.apps.drugs.safety import screen
    from xinglin.terms.tsv import rows

    made = {one.product for one in data.reactions}
    used = {part for place in data.fit for part in data.reactions[place].reactants.split(".")} - made
    stock = {
        smiles for smiles, _ in stock_rows(sorted(used), (), heaviest_reactant=250.0, heaviest_library=0.0)
    }
    stock |= {row["smiles"] for row in rows(SHIPPED, ("smiles", "source")) if row["source"] == "zinc250k"}
    options = SearchOptions(routes=1, expansions=10 if quick else 60, seconds=60.0)
    products = dict.fromkeys(data.reactions[place].product for place in data.held)
    chosen = [one for one in products if one not in stock and screen(one) is None][: 4 if quick else ROUTES]

    def ask(places: Sequence[int]) -> list[list[Any]]:
        answers: list[list[Any]] = []
        for place in places:
            began = time.process_time()
            found = search(chosen[place], retro.predict, stock, options)
            answers.append([[route.steps for route in found.routes], time.process_time() - began])
        return answers

    answers = _pieces(data.kept, "routes", range(len(chosen)), ask, 4)
    steps = [one for found, _ in answers for one in found]
    seconds = [spent for _, spent in answers]
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


def _radii(data: Data) -> list[Line]:
    """How many held-out reactions have a template that the fitting part knows."""
    lines = []
    for radius in (0, 1):
        smarts = [one.templates.get(radius) if one else None for one in data.extracted]
        known = {smarts[place] for place in data.fit} - {None}
        share = proportion(sum(smarts[place] in known for place in data.held), len(data.held))
        note = f"{len(known)} templates"
        lines.append(
            Line(f"radius {radius}", "coverage", share.value, "", share.n, share.low, share.high, note=note)
        )
    return lines


def run(quick: bool, only: Iterable[str] | None = None) -> list[Line]:
    chosen = list(only or PARTS)
    data = _data(quick)
    lines: list[Line] = []
    if {"held-out", "routes"} & set(chosen):
        retro, learned = _retro(quick, data)
        lines += _held_out(quick, data, retro, learned) if "held-out" in chosen else []
        lines += _routes(quick, data, retro) if "routes" in chosen else []
    if "radii" in chosen:
        lines += _radii(data)
    data.kept.done()
    return lines
