"""What the federation page draws, apart from any browser."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.federated import HOSTILE, ROUNDS, SITES, fill
from xinglin.federate.overview import Budget, Overview, Round, SiteRound, overview
from xinglin.serve.workbench.federation import (
    ago,
    budgets_card,
    empty_card,
    fingerprint,
    job_card,
    refused_card,
    sites_card,
)
from xinglin.serve.workbench.federation_chart import _ticks, chart, lines_of, metrics_of, value_of
from xinglin.store import Store


@pytest.fixture
def found(store: Store) -> Overview:
    fill(store)
    return overview(store)


def rounds(*values: tuple[float | None, ...]) -> list[Round]:
    return [
        Round(
            number,
            "2026-01-01T00:00:00+00:00",
            1.0,
            None,
            tuple(
                SiteRound(
                    f"s{place}", "ok", None, 10 * (place + 1), {}, {} if v is None else {"auc": v}, None
                )
                for place, v in enumerate(row)
            ),
        )
        for number, row in enumerate(values, 1)
    ]


def test_cards_say_what_the_tables_say(found: Overview) -> None:
    job = next(one for one in found.jobs if one.name == "heart-disease")
    assert metrics_of(job.rounds) == ["accuracy", "auc", "loss"]
    card = job_card(job, "accuracy", "zh")
    assert f"{ROUNDS} / {ROUNDS} 轮" in card
    assert card.count("<polyline") == len(SITES) + 1 + 2, "two lines are broken where an answer is missing"
    refused = refused_card(job, "en")
    assert refused.count("<tr>") == 1 + 3
    assert HOSTILE not in refused
    assert "&lt;img" in refused
    assert found.budgets[0].site == "beijing-1"
    assert budgets_card(found, "en").count("xf-bar") == len(SITES)
    sites = sites_card(found, "zh")
    assert sites.count('scope="row"') == len(SITES) + 1
    assert "尚未应答" in sites
    assert "还没有医院" in empty_card("zh")


def test_the_mean_is_weighted_by_examples_and_skips_the_silent() -> None:
    some = rounds((0.5, 0.8), (0.6, None), (None, None))
    sites, mean = lines_of(some, "auc")
    assert sites == {"s0": [(1, 0.5), (2, 0.6)], "s1": [(1, 0.8)]}
    assert mean == [(1, pytest.approx((10 * 0.5 + 20 * 0.8) / 30)), (2, pytest.approx(0.6))]
    one = some[0].sites[0]
    assert value_of(replace(one, evaluate={"auc": float("nan")}), "auc") is None
    assert value_of(replace(one, evaluate={}, train={"auc": 0.3}), "auc") == 0.3


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_scale_encloses_every_value(values: list[float]) -> None:
    ticks = _ticks(values, "loss")
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= min(values) + 1e-6
    assert ticks[-1] >= max(values) - 1e-6
    assert ticks == sorted(set(ticks))


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_a_share_is_drawn_between_0_and_1(values: list[float]) -> None:
    ticks = _ticks(values, "accuracy")
    assert len(ticks) >= 2
    assert 0.0 <= ticks[0] <= min(values) + 1e-9
    assert max(values) - 1e-9 <= ticks[-1] <= 1.0


@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_every_point_lies_within_the_drawing(count: int) -> None:
    drawn = chart(rounds(*((0.1 + n / 100, 0.9 - n / 200) for n in range(count))), "auc", "zh")
    points = [
        tuple(map(float, p.split(","))) for p in " ".join(re.findall(r'points="([^"]+)"', drawn)).split()
    ]
    assert len(points) == 3 * count
    assert all(0 <= x <= 720 and 0 <= y <= 300 for x, y in points)
    assert "—" in chart(rounds((None,)), "auc", "zh") or "还没有" in chart(rounds((None,)), "auc", "zh")


def test_a_budget_that_is_gone_fills_its_bar() -> None:
    gone = Budget("a", "patient", 5.0, 4.0, 1e-5)
    none = Budget("b", "example", 0.0, 0.0, 1e-5)
    near = Budget("c", "example", 3.5, 4.0, 1e-5)
    card = budgets_card(Overview((), (), (gone, none, near)), "en")
    assert card.count("width:100.0%") == 2
    assert card.count("xf-full") == 2
    assert card.count("xf-low") == 1
    assert "0 left" in card
    assert "nothing is spent" in budgets_card(Overview((), (), ()), "en")


def test_times_and_keys_are_short() -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for back, said in ((10, "just now"), (600, "10 min ago"), (7200, "2 h ago"), (86400 * 3, "3 d ago")):
        assert ago((now - timedelta(seconds=back)).isoformat(), now, "en") == said
    assert ago((now + timedelta(seconds=50)).isoformat(), now, "en") == "just now"
    assert re.fullmatch(r"([0-9a-f]{4} ){3}[0-9a-f]{4}", fingerprint("key"))
    assert fingerprint("key") != fingerprint("other")
