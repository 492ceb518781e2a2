"""The challenge pages: cards on real challenges, and entering in a real browser."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.release.challenge.contest import OPEN, OVER, answers, make, put
from tests.serve.conftest import running
from tests.serve.test_workbench import browser  # noqa: F401  (fixture)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import UnknownNameError
from xinglin.release.challenge.closing import close_challenge
from xinglin.release.challenge.metrics import METRICS
from xinglin.serve.app import create_app
from xinglin.serve.workbench.challenges import read, read_all
from xinglin.serve.workbench.challenges_cards import board_card, list_card, mine_card, rules_card, sites_card
from xinglin.serve.workbench.challenges_chart import history
from xinglin.store import Store

METRIC = METRICS["accuracy"]


def test_the_list(store: Store) -> None:
    assert "xinglin challenge create" in list_card([], OPEN, "zh")
    make(store, title={"zh": "<b>分诊</b>", "en": "Triage"})
    put(store, "bo", 3)
    shown = list_card(read_all(store), OPEN, "zh")
    assert "&lt;b&gt;分诊&lt;/b&gt;" in shown
    assert "进行中" in shown
    assert 'href="/challenges/triage-test"' in shown
    assert "not open yet" in list_card(read_all(store), OPEN - timedelta(days=30), "en")
    with pytest.raises(UnknownNameError):
        read(store, "other")


def test_board_history_and_own_entries(store: Store) -> None:
    made = make(store, rules=[{"zh": "不得手工标注", "en": "No hand labels"}])
    empty = read(store, "triage-test")
    assert "还没有参赛条目" in board_card(made, empty.rows, "zh")
    assert "还没有参赛条目" in history([], [], OPEN, METRIC, "zh")
    for hour, (who, wrong) in enumerate((("bo", 30), ("<i>ma</i>", 20), ("bo", 4), ("bo", 30))):
        put(store, who, wrong, now=OPEN + timedelta(hours=hour))
    shown = read(store, "triage-test")
    board = board_card(made, shown.rows, "zh")
    assert "&lt;i&gt;ma&lt;/i&gt;" in board
    assert "分组结果在公布时显示" in board
    assert "sex = male" not in board
    drawn = history(
        shown.entries, [row.entrant for row in shown.rows], OPEN + timedelta(days=1), METRIC, "en"
    )
    # Two scores of bo were told and one of ma; what was not accepted is no point.
    assert drawn.count("<circle") == 3
    assert drawn.count("<polyline") == 2
    mine = mine_card(made, [one for one in shown.entries if one.entrant == "bo"], "zh")
    assert mine.count("receipt.json") == 3
    assert mine.count("分数未变") == 1
    rules = rules_card(made, "en")
    assert made.manifest.committed().labels in rules
    assert "No hand labels" in rules
    assert sites_card([], "zh") is None
    closed = close_challenge(store, "triage-test", by="chen", now=OVER)
    final = board_card(closed, closed.final, "en")
    assert "Final board" in final
    assert "sex = male" in final
    assert "—" in final


@pytest.mark.browser
def test_entering_on_the_page(store: Store, differential: Differential, browser: Any, tmp_path: Path) -> None:  # noqa: F811
    now = datetime.now(UTC)
    days = {"opens": (now - timedelta(days=1)).isoformat(), "closes": (now + timedelta(days=9)).isoformat()}
    make(store, **days)
    told = answers(6)
    picked = {
        key: told.labels[place] for key, place in zip(told.ids, told.probabilities.argmax(1), strict=True)
    }
    (tmp_path / "p.json").write_text(json.dumps(picked), encoding="utf-8")
    (tmp_path / "bad.json").write_text(json.dumps(picked | {"zz": told.labels[0]}), encoding="utf-8")
    with running(create_app(differential, store)) as url:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"{url}/challenges")
        page.click("a[href='/challenges/triage-test']")
        page.wait_for_selector("text=还没有参赛条目")
        page.set_input_files("input[type=file]", tmp_path / "p.json")
        page.wait_for_selector("text=请先写条目名称")
        page.fill("input[data-key=entry-title]", "按字计数")
        page.click("[data-key=verify]")  # its answer says that the title, sent before it, has come
        page.wait_for_selector("text=参赛条目 0 条均已重新计分")
        page.set_input_files("input[type=file]", tmp_path / "bad.json")
        page.wait_for_selector("text=none of the challenge")
        page.set_input_files("input[type=file]", tmp_path / "p.json")
        page.wait_for_selector("[data-key=entry-told]:has-text('成绩更新')")
        page.wait_for_selector("th:has-text('按字计数')")
        page.click("[data-key=verify]")
        page.wait_for_selector("text=参赛条目 1 条均已重新计分")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()
    assert [one.entrant for one in read(store, "triage-test").entries] == ["local"]
