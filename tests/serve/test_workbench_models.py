"""The models page: lineage as boxes and arrows, two versions side by side, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.release.registered import checkpoint, data, metric
from tests.release.test_gates import POLICY, good
from tests.serve.conftest import running
from tests.serve.test_workbench import browser  # noqa: F401  (fixture)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.release.gates.policy import policy_from
from xinglin.release.registry.promote import promote
from xinglin.release.registry.record import attach, find, lineage, register
from xinglin.serve.app import create_app
from xinglin.serve.workbench.models import difference_card, empty_card, evidence_card, gate_card, read
from xinglin.serve.workbench.models_lineage import drawing, nodes_of
from xinglin.store import Store


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    base = checkpoint(tmp_path / "base", name="chest-base", data=data("public"))
    parents = [verify_checkpoint(base).id]
    folders = [
        base,
        *(checkpoint(tmp_path / word, data=data(word), parents=parents) for word in ("one", "two")),
    ]
    with store.write() as connection:
        for folder in folders:
            register(connection, folder, actor="chen")
        for kind, content in good():
            attach(connection, "nodules", "1.0.0", kind, content, actor="bo")  # type: ignore[arg-type]
        attach(connection, "nodules", "1.0.0", "metric", metric(name="<b>x</b>", weak=True), actor="bo")
    promote(store, "nodules", "1.0.0", policy_from(POLICY), actor="chen")
    return store


def test_sources_stand_left_of_what_was_made_from_them(filled: Store) -> None:
    with filled.read() as connection:
        version = find(connection, "nodules", "1.0.0")
        edges = lineage(connection, version)
    columns, arrows = nodes_of(version, edges)
    at = {node.key: place for place, column in enumerate(columns) for node in column}
    assert [[node.title for node in column] for column in columns] == [
        ["public"],
        ["chest-base 1.0.0", "one"],
        ["nodules 1.0.0"],
    ]
    assert len(arrows) == 3
    assert all(at[source] < at[target] for source, target in arrows)
    picture = drawing(version, edges, "zh")
    assert picture.count("<rect") == 4
    assert picture.count('class="xm-arrow"') == 3
    assert 'class="xm-weak"' in picture


def test_the_page_reads_what_is_registered(filled: Store, store: Store) -> None:
    shown = read(filled, "nodules", None, None)
    assert shown.version is not None
    assert shown.version.number == "2.0.0"
    assert {one.part for one in shown.differences} >= {"data", "metric"}
    older = read(filled, "nodules", "1.0.0", "no such").version
    assert older is not None
    told = evidence_card(older, "zh")
    assert "&lt;b&gt;x&lt;/b&gt; 0.02 [0.01, 0.03], n 400" in told
    assert "弱标签 weak" in told
    assert gate_card(older, "en").count("xm-released") == 14
    assert "Nobody has asked" in gate_card(shown.version, "en")
    assert "one version only" in difference_card((), None, older, "en")
    assert "xinglin model register" in empty_card("zh")


@pytest.mark.browser
def test_choosing_a_model_shows_its_lineage(filled: Store, differential: Differential, browser: Any) -> None:  # noqa: F811
    with running(create_app(differential, filled)) as url:
        page = browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/models")
        page.wait_for_selector(".xm-lineage")
        page.click("[data-key=model]")
        page.click('.q-menu .q-item:has-text("nodules")')
        page.wait_for_selector('.xm-lineage .xm-this text:has-text("nodules 2.0.0")')
        assert page.locator(".xm-chosen").inner_text().startswith("2.0.0")
        page.click("[data-key=version]")
        page.click('.q-menu .q-item:has-text("1.0.0")')
        page.wait_for_selector('.xm-lineage .xm-this text:has-text("nodules 1.0.0")')
        assert complaints == []
        page.close()
