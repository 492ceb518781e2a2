"""The watch that runs by itself: an alarm closes the gate at once, and what stays as it was is not said again."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from tests.release.registered import checkpoint, data, metric
from xinglin.cli.main import app
from xinglin.errors import GateClosedError, InvalidInputError
from xinglin.ledger import entries, verify
from xinglin.release.gates.policy import policy_from
from xinglin.release.monitoring.schedule import Watch, look_once
from xinglin.release.monitoring.watch import FEATURES, Limits
from xinglin.release.registry.promote import promote
from xinglin.release.registry.record import attach, find, register
from xinglin.store import Store
from xinglin.store.tables_release import model_traffic

LINE = "words 1"
POLICY = policy_from({"name": "p", "signature": False, "error": {"name": "error", "at_most": 0.5}})
REFERENCE = ("2026-01-01", "2026-01-31")


def traffic(store: Store, day: str, young: int, old: int) -> None:
    """Count answers of a day by age; every other feature stays in one bin."""
    rows = [{"feature": "age", "bin": bin_, "count": n} for bin_, n in (("18", young), ("65", old)) if n]
    rows += [{"feature": name, "bin": "same", "count": young + old} for name in FEATURES if name != "age"]
    with store.write() as connection:
        connection.execute(insert(model_traffic), [{"model": LINE, "day": day, **row} for row in rows])


@pytest.fixture
def released(store: Store, tmp_path: Path) -> Store:
    """Version 1.0.0 was released, 2.0.0 is; a month of reference, half young, half old."""
    for number in ("1.0.0", "2.0.0"):
        with store.write() as connection:
            register(connection, checkpoint(tmp_path / number, data=data(number[0])), actor="lead")
            attach(connection, "nodules", number, "metric", metric(), actor="lead")
        promote(store, "nodules", number, POLICY, actor="lead")
    traffic(store, "2026-01-10", 400, 400)
    return store


def watch() -> Watch:
    return Watch(LINE, "nodules", "2.0.0", REFERENCE, 7, Limits())


def test_an_alarm_closes_the_gate_and_names_the_way_back(released: Store) -> None:
    for day in (1, 2, 20):
        traffic(released, f"2026-03-{day:02}", *((150, 150) if day == 1 else (280, 20)))
    quiet = look_once(released, watch(), actor="watch", today=date(2026, 3, 1))
    assert (quiet.alarms, quiet.back) == ((), None)
    assert len(quiet.kept) == len(quiet.readings) >= 8, "the first look keeps every reading"
    loud = look_once(released, watch(), actor="watch", today=date(2026, 3, 2))
    assert [one.name for one in loud.kept] == [one.name for one in loud.alarms] == [], "both days together"
    loud = look_once(released, watch(), actor="watch", today=date(2026, 3, 20))
    assert [one.name for one in loud.kept] == ["psi age"]
    assert loud.back == "1.0.0"
    again = look_once(released, watch(), actor="watch", today=date(2026, 3, 20))
    assert (len(again.alarms), again.kept) == (1, ())
    with released.read() as connection:
        assert find(connection, "nodules", "2.0.0").of_kind("monitoring")[-1].content["breached"]
        told = [one.detail["alarms"] for one in entries(connection) if one.action == "model.watch"]
        verify(connection)
    assert told == [[], [], ["psi age"], ["psi age"]]


def test_a_version_with_an_open_alarm_is_not_released(store: Store, tmp_path: Path) -> None:
    with store.write() as connection:
        register(connection, checkpoint(tmp_path / "a"), actor="lead")
        attach(connection, "nodules", "1.0.0", "metric", metric(), actor="lead")
    traffic(store, "2026-01-10", 400, 400)
    traffic(store, "2026-03-01", 280, 20)
    first = Watch(LINE, "nodules", "1.0.0", REFERENCE, 1, Limits())
    assert look_once(store, first, actor="w", today=date(2026, 3, 1)).alarms
    with pytest.raises(GateClosedError, match="psi age"):
        promote(store, "nodules", "1.0.0", POLICY, actor="lead")
    traffic(store, "2026-03-02", 150, 150)
    over = look_once(store, first, actor="w", today=date(2026, 3, 2))
    assert [(one.name, one.breached) for one in over.kept] == [("psi age", False)]
    promote(store, "nodules", "1.0.0", POLICY, actor="lead")


def test_the_command_goes_on_until_it_is_stopped(released: Store) -> None:
    traffic(released, (date.today() - timedelta(days=1)).isoformat(), 280, 20)
    words = ("--every", "1s", "--reference", "2026-01-01..2026-01-31", "--attach", "nodules")
    code = "from xinglin.cli.main import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "model", "watch", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = ""
    while told.count("alarms 1") < 2:
        line = process.stdout.readline()
        assert line, told
        told += line
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert told.count("报警 ALARM") == 1
    assert "xinglin model rollback nodules" in told
    with released.read() as connection:
        assert sum(one.action == "model.watch" for one in entries(connection)) >= 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--every", "1h"), "give --reference and --attach"),
        (("--every", "1h", "--reference", "2026-01-01..2026-01-31"), "--attach"),
        (("--every", "soon", "--reference", "2026-01-01..2026-01-31", "--attach", "nodules"), "such as 30m"),
        (("--every", "0h", "--reference", "2026-01-01..2026-01-31", "--attach", "nodules"), "such as 30m"),
    ],
)
def test_a_watch_that_cannot_be_set_is_refused(released: Store, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        CliRunner().invoke(app, ["model", "watch", *words], catch_exceptions=False)
