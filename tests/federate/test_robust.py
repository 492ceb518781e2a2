from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.federate.job import job_from
from xinglin.federate.robust import NORM_MULTIPLE, SiteUpdate, refuse, update_norm
from xinglin.federate.strategy import as_state, draw, node_seed
from xinglin.federate.wire import State

BEFORE: State = {"n": np.array(7, np.int64), "w": np.zeros((2, 2), np.float32)}


def moved(by: float, examples: int = 5) -> SiteUpdate:
    """An update whose norm is ``by``; its count is no weight, however far it moves."""
    return SiteUpdate({"n": np.array(10**9, np.int64), "w": np.full((2, 2), by / 2, np.float32)}, examples)


@given(st.lists(st.floats(0.0625, 1e6, width=32), min_size=1, max_size=7), st.none() | st.floats(0.1, 1e5))
def test_the_limit_is_the_stated_one_or_ten_medians(norms: list[float], stated: float | None) -> None:
    updates = {f"s{number}": moved(norm) for number, norm in enumerate(norms)}
    found = refuse(updates, BEFORE, rows=dict.fromkeys(updates, 9), max_norm=stated)
    measured = {site: update_norm(one.state, BEFORE) for site, one in updates.items()}
    middle = float(np.median(list(measured.values())))
    limit = stated if stated is not None else NORM_MULTIPLE * middle if len(norms) >= 3 else np.inf
    assert set(found) == {site for site, norm in measured.items() if norm > limit}


def test_fewer_than_half_cannot_move_the_limit() -> None:
    honest = {f"h{number}": moved(1.0 + number / 10) for number in range(4)}
    attackers = {f"a{number}": moved(1e30) for number in range(3)}
    assert set(refuse({**honest, **attackers}, BEFORE, rows=dict.fromkeys([*honest, *attackers], 9))) == set(
        attackers
    )


@pytest.mark.parametrize(
    ("examples", "says"), [(0, "zero examples"), (-1, "zero examples"), (10, "admitted with 9")]
)
def test_examples_are_bounded_by_the_admission(examples: int, says: str) -> None:
    assert says in refuse({"a": moved(1.0, examples)}, BEFORE, rows={"a": 9})["a"]


@given(st.integers(1, 40), st.floats(0.01, 1.0), st.integers(1, 5), st.integers(0, 2**32), st.integers(1, 99))
def test_a_draw_is_the_jobs_share_and_is_repeatable(
    sites: int, fraction: float, least: int, seed: int, number: int
) -> None:
    job = job_from(
        {
            "job": {
                **{"name": "a", "task": "t", "rounds": 99, "fraction": fraction},
                **{"min_sites": least, "seed": seed},
            },
            "data": {"dataset": "d"},
        }
    )
    names = [f"s{place:02}" for place in range(sites)]
    drawn = draw(job, number, names)
    assert drawn == draw(job, number, names[::-1]) == tuple(sorted(set(drawn)))
    assert len(drawn) == min(sites, max(least, int(np.ceil(fraction * sites))))
    assert set(drawn) <= set(names)
    assert 0 <= node_seed(job, "s00", number) < 2**63
    assert node_seed(job, "s00", number) != node_seed(job, "s01", number)


def test_every_hospital_is_drawn_about_as_often() -> None:
    job = job_from(
        {
            "job": {"name": "a", "task": "t", "rounds": 400, "fraction": 0.25, "min_sites": 1},
            "data": {"dataset": "d"},
        }
    )
    names = [f"s{place}" for place in range(8)]
    counts = dict.fromkeys(names, 0)
    for number in range(400):
        for site in draw(job, number, names):
            counts[site] += 1
    assert sum(counts.values()) == 800
    assert all(70 <= count <= 130 for count in counts.values())  # 100 +- 3.5 standard deviations


def test_counts_are_rounded_and_weights_keep_their_kind() -> None:
    found = as_state(
        {"n": np.array(2.6), "w": np.ones((2, 2))}, {"n": ("int64", ()), "w": ("float32", (2, 2))}
    )
    assert found["n"] == 3
    assert (found["n"].dtype, found["w"].dtype) == (np.int64, np.float32)
