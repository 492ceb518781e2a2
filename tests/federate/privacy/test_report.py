"""The signed report: it follows from its steps, stands in the ledger, and a changed one is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stores import both, name
from xinglin.errors import ConflictError, InvalidInputError
from xinglin.federate.privacy.accountant import Step
from xinglin.federate.privacy.budget import release, reserve, state_limit
from xinglin.federate.privacy.lineage import Patients, enrol
from xinglin.federate.privacy.report import CONTEXT, report, verify_report
from xinglin.ledger import append, entries, verify
from xinglin.ledger.signature import new_key, sign
from xinglin.records.manifest import canonical
from xinglin.store import Store
from xinglin.store.keys import digest
from xinglin.types import DISCLAIMER

__all__ = ["both", "name"]
DELTA = 1e-5


def used(store: Store) -> None:
    with store.write() as connection:
        state_limit(connection, 8.0, DELTA, by="steward")
        some = enrol(connection, Patients({f"报告-{n}": 1 + n % 2 for n in range(100)}))
        more = enrol(connection, Patients.of(f"报告-{n}" for n in range(50, 400)))
        for cohort, unit, step in (
            (some, "example", Step(0.01, 4.0, 50)),
            (more, "patient", Step(0.02, 2.0, 10)),
            (more, "hospital", Step(1.0, 8.0, 1)),
        ):
            reserve(connection, cohort, job="j", round=1, unit=unit, step=step, delta=DELTA)  # type: ignore[arg-type]
        unused = reserve(
            connection, more, job="k", round=1, unit="example", step=Step(0.1, 5.0, 1), delta=DELTA
        )
        release(connection, unused, reason="never begun", by="steward")


def test_a_report_is_signed_and_can_be_computed_again(both: Store, tmp_path: Path) -> None:
    used(both)
    public = new_key(tmp_path / "key")
    with both.write() as connection:
        made = report(connection, node="杏林医院", key=tmp_path / "key", delta=0.5)
    made = json.loads(json.dumps(made))
    with both.read() as connection:
        said = verify_report(made, public, connection=connection)
        assert verify(connection)
        last = list(entries(connection))[-1]
    assert said["delta"] == DELTA, "that of the limit"
    assert said["disclaimer"] == DISCLAIMER
    assert said["limits"]["patient"] == {"epsilon": 8.0, "delta": DELTA}
    mine = [row for row in said["cohorts"] if row["patients"] in (100, 350)]
    assert len(mine) >= 2
    assert all(len(row["worst"]) == 3 for row in mine[-2:]), "the worst patient of both took part in all"
    assert [row["unit"] for row in said["jobs"] if row["job"] == "j"] == ["example", "hospital", "patient"]
    assert not [row for row in said["jobs"] if row["job"] == "k"], "what was released does not count"
    assert said["hospital"]["steps"][-1][:2] == [1.0, 8.0]
    assert (last.action, last.subjects) == ("privacy.report", (made["signature"]["digest"],))
    assert "报告-" not in json.dumps(made, ensure_ascii=False)


def test_a_changed_report_is_found(store: Store, tmp_path: Path) -> None:
    used(store)
    key = tmp_path / "key"
    public, other = new_key(key), new_key(tmp_path / "other")
    with store.write() as connection:
        made = report(connection, node="a", key=key, delta=DELTA)

    def changed(act: Callable[[dict[str, Any]], None], *, resign: bool) -> dict[str, Any]:
        again = copy.deepcopy(made)
        act(again["statement"])
        if resign:
            again["signature"] = sign(digest(canonical(again["statement"])), key, CONTEXT)
        return again

    def less(statement: dict[str, Any]) -> None:
        statement["cohorts"][0]["epsilon"] /= 2

    def fewer(statement: dict[str, Any]) -> None:
        statement["cohorts"][0]["worst"] = []
        statement["cohorts"][0]["epsilon"] = 0.0

    with pytest.raises(InvalidInputError, match="digest is not the one expected"):
        verify_report(changed(less, resign=False), public)
    with pytest.raises(InvalidInputError, match="public_key"):
        verify_report(made, other)
    with pytest.raises(ConflictError, match="does not follow from its steps"):
        verify_report(changed(less, resign=True), public)
    # steps left out and signed anew: the arithmetic holds, the ledger does not
    forged = changed(fewer, resign=True)
    verify_report(forged, public)
    with store.read() as connection, pytest.raises(ConflictError, match="does not hold it"):
        verify_report(forged, public, connection=connection)
    elsewhere = changed(lambda s: s["ledger"].update(hash="0" * 64), resign=True)
    with store.read() as connection, pytest.raises(ConflictError, match="another entry"):
        verify_report(elsewhere, public, connection=connection)
    with store.write() as connection:
        append(connection, "noise", actor="a")
    with store.read() as connection:
        verify_report(made, public, connection=connection)


def test_what_is_no_report_is_refused(store: Store, tmp_path: Path) -> None:
    public = new_key(tmp_path / "key")

    def signed(statement: Any) -> dict[str, Any]:
        return {
            "statement": statement,
            "signature": sign(digest(canonical(statement)), tmp_path / "key", CONTEXT),
        }

    with store.write() as connection:
        made = report(connection, node="a", key=tmp_path / "key", delta=DELTA)["statement"]
    assert made["cohorts"] == []
    wrong: list[Any] = [
        None, 3, [], {}, {"statement": {}, "signature": {}}, signed({}), signed(made | {"format": "other"}),
        *(signed({k: v for k, v in made.items() if k != gone}) for gone in ("accountant", "delta", "cohorts", "ledger")),
        signed(made | {"cohorts": 3}), signed(made | {"delta": 2.0}), signed(made | {"accountant": "guess"}),
        signed(made | {"hospital": made["hospital"] | {"steps": [[1, 2]]}}),
        signed(made | {"hospital": made["hospital"] | {"steps": [[0.5, -1.0, 1, 1]]}}),
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InvalidInputError):
            verify_report(one, public)
    odd = signed(made | {"hospital": made["hospital"] | {"epsilon": None}})
    with pytest.raises(ConflictError):
        verify_report(odd, public)
