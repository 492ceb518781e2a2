"""Shapley values against a slow oracle, sampled ones against exact, and the file of values across kills."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import ConflictError, InputTooLargeError, InvalidInputError
from xinglin.ledger.credit.exact import leave_one_out, shapley
from xinglin.ledger.credit.sampled import Plan, sample
from xinglin.ledger.credit.values import Recorded, Value, with_free_disposal

SITES = ("a", "b", "c", "d")


def game(seed: int, sites: tuple[str, ...] = SITES) -> Value:
    """A game whose every coalition has a value of its own, drawn at random."""
    generator = np.random.default_rng(seed)
    table = generator.normal(size=2 ** len(sites))

    def value(coalition: frozenset[str]) -> float:
        return float(table[sum(1 << place for place, site in enumerate(sites) if site in coalition)])

    return value


def by_orders(sites: tuple[str, ...], value: Value) -> dict[str, float]:
    """Shapley's definition, order by order."""
    found = dict.fromkeys(sites, 0.0)
    orders = list(permutations(sites))
    for order in orders:
        members: frozenset[str] = frozenset()
        for site in order:
            found[site] += value(members | {site}) - value(members)
            members |= {site}
    return {site: total / len(orders) for site, total in found.items()}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_exact_values_are_the_mean_over_all_orders(seed: int, count: int) -> None:
    sites = tuple("abcde"[:count])
    value = game(seed, sites)
    found = shapley(sites, value)
    assert found == pytest.approx(by_orders(sites, value))
    assert sum(found.values()) == pytest.approx(value(frozenset(sites)) - value(frozenset()))


def test_a_null_site_gets_exactly_nothing_and_twins_the_same() -> None:
    def value(coalition: frozenset[str]) -> float:
        return math.log1p(len(coalition & {"a", "b"})) + ("c" in coalition)

    found = shapley(("a", "b", "c", "null"), value)
    assert found["null"] == 0.0
    assert found["a"] == found["b"]
    assert found["c"] == pytest.approx(1.0)
    assert leave_one_out(("a", "b", "c", "null"), value)["null"] == 0.0


def test_each_coalition_is_asked_for_once() -> None:
    asked: list[frozenset[str]] = []

    def value(coalition: frozenset[str]) -> float:
        asked.append(coalition)
        return float(len(coalition))

    recorded = Recorded(value)
    shapley(SITES, recorded)
    leave_one_out(SITES, recorded)
    sample(SITES, recorded, Plan(seed=0, least=5, most=5))
    assert len(asked) == len(set(asked)) == recorded.evaluations == 16


def test_sampling_is_unbiased_and_its_errors_are_true() -> None:
    value = game(7)
    exact = shapley(SITES, value)
    recorded = Recorded(value)
    runs = [sample(SITES, recorded, Plan(seed=seed, least=40, most=40)) for seed in range(150)]
    away = np.array([[run.values[site] - exact[site] for site in SITES] for run in runs])
    said = np.array([[run.errors[site] for site in SITES] for run in runs])
    assert np.abs(away.mean(axis=0) / (away.std(axis=0) / math.sqrt(150))).max() < 4.0
    assert said.mean(axis=0) == pytest.approx(away.std(axis=0), rel=0.2)
    assert all(run.skipped == 0 for run in runs)
    # Every order's gains sum to the whole.
    gain = value(frozenset(SITES)) - value(frozenset())
    assert sum(runs[0].values.values()) == pytest.approx(gain)


def test_truncation_saves_retrainings_and_errs_by_the_tolerance_at_most() -> None:
    sites = tuple("abcdefghijkl")

    def value(coalition: frozenset[str]) -> float:
        return 1.0 - 0.5 ** len(coalition)

    plain, cut = Recorded(value), Recorded(value)
    full = sample(sites, plain, Plan(seed=1, least=50, most=50))
    short = sample(sites, cut, Plan(seed=1, tolerance=0.05, least=50, most=50))
    assert cut.evaluations < plain.evaluations
    assert short.skipped > 0
    # The same orders: they differ by what was truncated, never more than the tolerance in any of them.
    assert max(abs(short.values[site] - full.values[site]) for site in sites) <= 0.05


def test_sampling_stops_when_the_errors_are_small() -> None:
    value = Recorded(game(3))
    loose = sample(SITES, value, Plan(seed=0, error=0.2, least=10, most=5000))
    tight = sample(SITES, value, Plan(seed=0, error=0.1, least=10, most=5000))
    assert loose.met
    assert tight.met
    assert 10 <= loose.orders < tight.orders < 5000
    assert max(tight.errors.values()) <= 0.1
    assert not sample(SITES, value, Plan(seed=0, error=1e-9, least=10, most=20)).met
    assert sample(SITES, value, Plan(seed=4)) == sample(SITES, value, Plan(seed=4))


def test_no_coalition_is_worth_less_than_no_data() -> None:
    value = with_free_disposal({frozenset(): -1.0, frozenset("a"): -3.0, frozenset("b"): 2.0}.__getitem__)
    assert [value(frozenset(who)) for who in ("", "a", "b")] == [-1.0, -1.0, 2.0]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "values.jsonl"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from xinglin.ledger.credit.values import Recorded\n"
        "from xinglin.ledger.credit.exact import shapley\n"
        "def value(c):\n"
        "    if len(c) == 2: os._exit(9)\n"
        "    return len(c) / 8\n"
        "shapley('abc', Recorded(value, Path(sys.argv[1]), {'seed': 1}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    with path.open("ab") as stream:
        stream.write(b'{"sites":["a"')  # the kill came in the middle of a line
    again = Recorded(lambda coalition: len(coalition) / 8, path, {"seed": 1})
    assert len(again.values) == 4
    assert shapley("abc", again) == pytest.approx(dict.fromkeys("abc", 1 / 8))
    assert again.evaluations == 4
    assert Recorded(lambda _: math.nan, path, {"seed": 1}).values == again.values
    with pytest.raises(ConflictError, match="other settings"):
        Recorded(lambda _: 0.0, path, {"seed": 2})


@pytest.mark.parametrize(
    "line", ["[]", "{", '{"sites": "a", "value": 1}', '{"sites": ["a", "a"], "value": 1}', '{"sites": ["a"]}',
             '{"sites": ["a"], "value": NaN}', '{"sites": ["a"], "value": true}']
)  # fmt: skip
def test_a_damaged_file_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "values.jsonl"
    Recorded(lambda _: 0.0, path)
    with path.open("a") as stream:
        stream.write(line + "\n" + '{"sites": [], "value": 0}\n')
    with pytest.raises(InvalidInputError):
        Recorded(lambda _: 0.0, path)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputTooLargeError, match="sample orders"):
        shapley([str(number) for number in range(11)], lambda _: 0.0)
    with pytest.raises(InvalidInputError, match="different names"):
        shapley(["a", "a"], lambda _: 0.0)
    with pytest.raises(InvalidInputError, match="finite"):
        Recorded(lambda _: math.inf)(frozenset("a"))
    for wrong in ({"tolerance": -1.0}, {"error": math.nan}, {"least": 1}, {"least": 9, "most": 5}):
        with pytest.raises(InvalidInputError):
            Plan(seed=0, **wrong)  # type: ignore[arg-type]
