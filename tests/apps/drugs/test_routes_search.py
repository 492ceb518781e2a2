"""The AND-OR search against an enumeration of every route of random toy chemistries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.drugs.routes.retro import Prediction, Step
from xinglin.apps.drugs.routes.search import Found, Route, SearchOptions, search

Chemistry = Mapping[str, list[tuple[tuple[str, ...], float]]]
NAMES = "ABCDEFGH"
EXHAUSTIVE = SearchOptions(routes=3, depth=4, expansions=2000, seconds=20)


def predictor(chemistry: Chemistry, asked: list[str] | None = None):  # type: ignore[no-untyped-def]
    def predict(smiles: str, top: int) -> Prediction:
        if asked is not None:
            asked.append(smiles)
        steps = chemistry.get(smiles, [])[:top]
        return Prediction(
            smiles, tuple(Step(parts, place, "", score, "") for place, (parts, score) in enumerate(steps)), ()
        )

    return predict


def every_cost(
    chemistry: Chemistry, stock: set[str], name: str, depth: int, above: frozenset[str], root: bool
) -> list[float]:
    """Costs of all finished routes, by plain recursion."""
    if name in stock and not root:
        return [0.0]
    if depth == 0:
        return []
    found = []
    over = above | {name}
    for parts, score in chemistry.get(name, []):
        if over & set(parts):
            continue
        ways = [every_cost(chemistry, stock, part, depth - 1, over, False) for part in parts]
        own = -math.log(score) + EXHAUSTIVE.step_cost
        found += [own + sum(costs) for costs in itertools.product(*ways)]
    return found


chemistries = st.dictionaries(
    st.sampled_from(NAMES),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
            st.sampled_from([0.9, 0.5, 0.2, 0.05]),
        ),
        max_size=3,
        unique_by=lambda step: step[0],
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(chemistries, st.sets(st.sampled_from("EFGH")))
def test_the_routes_are_the_cheapest_there_are(chemistry: Chemistry, stock: set[str]) -> None:
    found = search("A", predictor(chemistry), stock, EXHAUSTIVE)
    costs = sorted(every_cost(chemistry, stock, "A", EXHAUSTIVE.depth, frozenset(), True))
    assert [route.cost for route in found.routes] == pytest.approx(costs[: EXHAUSTIVE.routes])
    for route in found.routes:
        assert set(route.leaves()) <= stock
        assert route.longest <= EXHAUSTIVE.depth
        assert_whole(route)


def assert_whole(route: Route) -> None:
    for node in route.nodes():
        made = tuple(child.smiles for child in node.children)
        assert made == (node.step.reactants if node.step else ())


def test_no_route_is_an_answer() -> None:
    found = search("A", predictor({"A": [(("B",), 0.9)]}), set())
    assert found.routes == ()
    assert found.ended == "nothing left to expand"


def test_a_molecule_is_never_made_of_itself() -> None:
    circle = {"A": [(("B",), 0.9)], "B": [(("A", "C"), 0.9)]}
    found = search("A", predictor(circle), {"C"})
    assert found.routes == ()
    assert found.ended == "nothing left to expand"


def test_bounds_end_a_search_that_never_would() -> None:
    def endless(smiles: str, top: int) -> Prediction:
        steps = tuple(Step((smiles + letter,), 0, "", 0.5, "") for letter in "CN")
        return Prediction(smiles, steps, ())

    def run(**bounds: float) -> Found:
        return search("C", endless, set(), SearchOptions(depth=100, **bounds))  # type: ignore[arg-type]

    assert run(expansions=7).ended == "expansions"
    assert run(expansions=7).expansions == 7
    assert run(expansions=10**6, seconds=0.2).ended == "seconds"
    assert search("C", endless, set(), SearchOptions(depth=3)).ended == "nothing left to expand"


def test_the_likeliest_branch_is_opened_first_and_a_molecule_is_asked_about_once() -> None:
    asked: list[str] = []
    chemistry = {
        "A": [(("B", "C"), 0.9), (("D",), 0.05)],
        "B": [(("E",), 0.8)],
        "C": [(("B",), 0.8)],
        "D": [(("E",), 0.9)],
    }
    found = search("A", predictor(chemistry, asked), {"E"}, SearchOptions(routes=1))
    assert asked == ["A", "B", "C"]
    assert found.ended == "enough routes"
    assert found.routes[0].steps == 4
    assert found.routes[0].leaves() == ["E", "E"]


def test_a_target_in_stock_is_still_taken_apart_and_said_so() -> None:
    found = search("A", predictor({"A": [(("B",), 0.5)]}), {"A", "B"}, SearchOptions(routes=1))
    assert found.in_stock
    assert [route.steps for route in found.routes] == [1]
