"""The node's budget: it adds up, it inherits, it cannot be outrun, it survives a killed process. On both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from xinglin.errors import BudgetExceededError, ConfigurationError, ConflictError, InvalidInputError
from xinglin.federate.privacy.accountant import Step, epsilon
from xinglin.federate.privacy.budget import (
    ask,
    begin,
    hospital_history,
    release,
    reserve,
    spent,
    state_limit,
    stated_limit,
)
from xinglin.federate.privacy.lineage import Cohort, Patients, enrol, link
from xinglin.ledger import entries, verify
from xinglin.store import Store, open_store
from xinglin.store.tables_privacy import privacy_spends
from xinglin.types import Record

DELTA = 1e-5
ROUND = Step(32 / 4000, 1.0, 125)
PEOPLE = [f"P{n:05d}" for n in range(4000)]
INFINITE = float("inf")

DIES = """
import os, sys, time
from xinglin.federate.privacy.accountant import Step
from xinglin.federate.privacy.budget import begin, reserve
from xinglin.federate.privacy.lineage import Patients, enrol
from xinglin.store import open_store
store = open_store(sys.argv[1])
with store.write() as connection:
    cohort = enrol(connection, Patients.of(f"P{n:05d}" for n in range(4000)))
    made = reserve(connection, cohort, job="dies", round=1, unit="example", step=Step(32 / 4000, 1.0, 125), delta=1e-5)
    if sys.argv[2] == "before":
        print("ready", flush=True); time.sleep(60)
if sys.argv[2] == "begun":
    with store.write() as connection:
        begin(connection, made)
print("ready", flush=True)
time.sleep(60)
"""
RACES = """
import sys
from xinglin.errors import BudgetExceededError
from xinglin.federate.privacy.accountant import Step
from xinglin.federate.privacy.budget import ask
from xinglin.federate.privacy.lineage import Patients, enrol
from xinglin.store import open_store
store = open_store(sys.argv[1])
with store.write() as connection:
    cohort = enrol(connection, Patients.of(f"P{n:05d}" for n in range(int(sys.argv[3]), 1000)))
print("ready", flush=True)
sys.stdin.readline()
for number in range(4):
    try:
        ask(store, cohort, job=sys.argv[2], round=number, unit="example", step=Step(32 / 4000, 1.0, 125), delta=1e-5)
        print("granted", flush=True)
    except BudgetExceededError:
        print("refused", flush=True)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'x.db'}"
        return
    address = request.getfixturevalue("postgres_url")
    yield address
    opened = open_store(address)
    with opened.engine.begin() as connection:  # the server is shared by the whole session
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    opened.close()


@pytest.fixture
def node(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def cohort(store: Store, people: list[str] | Patients = PEOPLE) -> Cohort:
    with store.write() as connection:
        return enrol(connection, people if isinstance(people, Patients) else Patients.of(people))


def spend(store: Store, of: Cohort, **changes: Any) -> Any:
    given = {"job": "job", "round": 1, "unit": "example", "step": ROUND, "delta": DELTA} | changes
    with store.write() as connection:
        return reserve(connection, of, **given)


def total(store: Store, of: Cohort, delta: float = DELTA) -> float:
    with store.read() as connection:
        return spent(connection, of, delta).epsilon


def limit(store: Store, most: float | None, delta: float = DELTA, **more: Any) -> None:
    with store.write() as connection:
        state_limit(connection, most, delta, by="steward", **more)


def test_two_hundred_rounds_add_up(store: Store) -> None:
    """The per-round figure of 1.12 is 8.73 in the end, and the round that would pass 8.72 is refused by name."""
    limit(store, 8.72)
    everybody = cohort(store)
    first = spend(store, everybody)
    assert round(first.total, 2) == 1.12
    for number in range(2, 199):
        spend(store, everybody, job=f"job {number % 7}", round=number)
    last = spend(store, everybody, round=199)
    with pytest.raises(BudgetExceededError, match=r"this node's limit of 8\.7") as caught:
        spend(store, everybody, round=200)
    error = caught.value
    assert (round(error.asked, 2), round(error.total, 2), error.limit) == (1.12, 8.73, 8.72)
    assert error.spent == last.total == total(store, everybody) == epsilon([ROUND] * 199, DELTA)
    limit(store, 9)
    assert round(spend(store, everybody, round=200).total, 2) == 8.73
    with store.read() as connection:
        assert verify(connection)
        assert sum(entry.action == "privacy.reserve" for entry in entries(connection)) == 200


def test_the_same_patients_pay_whatever_the_file(node: Store) -> None:
    limit(node, 1.2)
    everybody = cohort(node)
    spend(node, everybody)
    again = [name.lower() for name in reversed(PEOPLE)]  # re-exported: other order, other spelling
    again[7] = "\ufeff" + "Ｐ０００１２ "  # full width, a mark of byte order, a blank
    disguised = {
        "re-export": cohort(node, [*again, *PEOPLE[:1]]),
        "subset": cohort(node, PEOPLE[:3000]),
        "union": cohort(node, [*PEOPLE, *(f"Q{n}" for n in range(100))]),
        "one of old": cohort(node, ["P00000", *(f"R{n}" for n in range(100))]),
    }
    assert cohort(node, PEOPLE) == everybody
    for what, other in disguised.items():
        assert total(node, other) >= total(node, everybody), what
        with pytest.raises(BudgetExceededError):
            spend(node, other, job="another")
    fresh = cohort(node, [f"N{n}" for n in range(4000)])
    assert total(node, fresh) == 0
    spend(node, fresh, job="another")
    # whoever was linked to a pseudonym pays under it
    with node.write() as connection:
        assert link(connection, [("P00000", "pseudonym-1"), ("P00000", "pseudonym-1")], by="steward") == 1
    with pytest.raises(BudgetExceededError):
        spend(node, cohort(node, ["pseudonym-1", *(f"S{n}" for n in range(100))]), job="another")


@pytest.mark.parametrize(
    ("one", "other"),
    [("0042", "42"), ("42", "42.0"), ("ab 7", "AB7"), ("A\u200b1", "a1"), ("Ⅳ", "iv"), ("ß", "SS")],
)
def test_spellings_of_one_identifier_are_one(store: Store, one: str, other: str) -> None:
    assert cohort(store, [one]) == cohort(store, [other])


def test_identifiers_that_differ_are_two(store: Store) -> None:
    names = ["1", "2", "10", "1.5", "1-1", "11", "a.0", "0", "1.0.0"]
    assert cohort(store, names).patients == len(names)


def test_a_patient_with_many_examples_pays_for_all_of_them(node: Store) -> None:
    limit(node, None)
    mixed = cohort(node, Patients({"one": 1, "five": 5}))
    assert mixed.patients == 2
    by_example = spend(node, mixed, step=Step(0.01, 4.0, 50), delta=1e-3)
    assert by_example.total == epsilon([Step(0.01, 4.0, 50).of_group(5)], 1e-3)
    alone = cohort(node, ["one"])
    assert total(node, alone, 1e-3) == epsilon([Step(0.01, 4.0, 50)], 1e-3)
    by_patient = spend(node, mixed, step=Step(0.01, 4.0, 50), delta=1e-3, unit="patient")
    both = [Step(0.01, 4.0, 50).of_group(5), Step(0.01, 4.0, 50)]
    assert by_patient.total == epsilon(both, 1e-3)
    by_hospital = spend(node, mixed, step=Step(1.0, 8.0, 1), delta=1e-3, unit="hospital")
    assert by_hospital.total == epsilon([*both, Step(1.0, 8.0, 1)], 1e-3)


def test_two_identifiers_of_one_patient_count_twice_once_they_are_linked(node: Store) -> None:
    limit(node, None)
    pair = cohort(node, ["a", "b", "c"])
    step = Step(0.1, 4.0, 10)
    spend(node, pair, step=step, unit="patient", delta=1e-3)
    assert total(node, pair, 1e-3) == epsilon([step], 1e-3)
    with node.write() as connection:
        link(connection, [("a", "b")], by="steward")
    assert total(node, pair, 1e-3) == epsilon([step.of_group(2)], 1e-3)
    assert total(node, cohort(node, ["c"]), 1e-3) == epsilon([step], 1e-3)
    assert cohort(node, ["a", "b", "c"]).patients == 2


def test_examples_of_nobody_share_one_account(node: Store) -> None:
    limit(node, 1.2)
    table = cohort(node, Patients.of([None] * 4000))
    assert table.patients == 4000
    spend(node, table)
    other = cohort(node, Patients.of([None, "", " ", *(f"X{n}" for n in range(500))]))
    assert other.patients == 503
    with pytest.raises(BudgetExceededError):
        spend(node, other, job="another")
    many = cohort(node, Patients.of_records([Record(str(n)) for n in range(10)], each=3))
    assert (many.patients, total(node, many)) == (10, total(node, table))


def test_delta_must_be_below_one_over_n_by_the_nodes_own_count(node: Store) -> None:
    limit(node, None, 1e-9)
    everybody = cohort(node)
    for delta in (1 / 4000, 0.01, 1.0, 0.0, -1.0, float("nan"), INFINITE):
        with pytest.raises(InvalidInputError, match="delta"):
            spend(node, everybody, delta=delta)
    spend(node, everybody, delta=0.9 / 4000)
    limit(node, 100, 1 / 4000)
    with pytest.raises(InvalidInputError, match=r"n = 4000 patients"):
        spend(node, everybody)
    assert len(spends(node)) == 1


def spends(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(privacy_spends).order_by(privacy_spends.c.id)))


def test_every_limit_holds_and_one_must_be_stated(node: Store) -> None:
    everybody = cohort(node)
    with pytest.raises(ConfigurationError, match="federate budget limit"):
        spend(node, everybody)
    spend(node, everybody, limit=2.0)
    with pytest.raises(BudgetExceededError, match=r"caller's limit of 1\.2"):
        spend(node, everybody, limit=1.2)
    with pytest.raises(BudgetExceededError, match=r"job's own limit of 1"):
        spend(node, everybody, limit=9, job_limit=1.0)
    spend(node, everybody, limit=9, job="second", job_limit=1.2)
    limit(node, 1.2)
    with pytest.raises(BudgetExceededError, match="this node's limit"):
        spend(node, everybody, limit=9)
    with node.read() as connection:
        found = stated_limit(connection)
    assert found is not None
    assert (found.epsilon, found.delta) == (1.2, DELTA)
    # no noise: no limit allows it, unless nothing is limited; then it counts as what it is
    with pytest.raises(BudgetExceededError, match="asked inf"):
        spend(node, everybody, step=Step(1.0, 0.0), limit=1e12)
    limit(node, None)
    spend(node, everybody, step=Step(1.0, 0.0))
    assert total(node, everybody) == INFINITE
    limit(node, 1e9)
    with pytest.raises(BudgetExceededError, match="spent inf"):
        spend(node, everybody)


def test_the_hospital_has_an_account_of_its_own(node: Store) -> None:
    limit(node, None)
    limit(node, 2.0, 1e-3, holder="hospital")
    step = Step(1.0, 4.0, 1)
    one, other = cohort(node, PEOPLE[:100]), cohort(node, PEOPLE[100:200])
    for number in range(2):
        spend(node, (one, other)[number], unit="hospital", step=step, round=number)

    def many() -> None:
        for number in range(40):
            spend(node, one, unit="hospital", step=step, round=2 + number)

    with pytest.raises(BudgetExceededError, match="this hospital's limit"):
        many()
    with node.read() as connection:
        taken = hospital_history(connection)
    assert epsilon(taken, 1e-3) <= 2.0 < epsilon([*taken, step], 1e-3)
    assert total(node, one) > total(node, other) > 0


def test_bad_questions_are_refused_and_leave_nothing(node: Store) -> None:
    limit(node, None)
    everybody = cohort(node)
    for changes in (
        {"unit": "row"}, {"job": ""}, {"job": "x" * 201}, {"round": -1}, {"round": 1.5}, {"round": True},
        {"limit": float("nan")}, {"limit": -1.0}, {"kind": "guess"},
    ):  # fmt: skip
        with pytest.raises(InvalidInputError):
            spend(node, everybody, **changes)
    for wrong in (
        Patients({}),
        Patients({"a": 0}),
        Patients({"a": True}),
        Patients({" ": 1}),
        Patients({}, -1),
    ):
        with pytest.raises(InvalidInputError):
            cohort(node, wrong)
    for values in ((-1.0, DELTA), (float("nan"), DELTA), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(InvalidInputError):
            limit(node, *values)
    with pytest.raises(InvalidInputError, match="holder"):
        limit(node, 1.0, holder="everybody")
    with pytest.raises(InvalidInputError, match="blank"), node.write() as connection:
        link(connection, [("a", " ")], by="steward")
    assert spends(node) == []


def test_a_refusal_stands_in_the_ledger(node: Store) -> None:
    limit(node, 1.0)
    everybody = cohort(node)
    with pytest.raises(BudgetExceededError):
        ask(node, everybody, job="greedy", round=3, unit="example", step=ROUND, delta=DELTA)
    with node.read() as connection:
        (entry,) = [entry for entry in entries(connection) if entry.action == "privacy.refuse"]
        text_ = str(list(entries(connection)))
    assert (entry.detail["job"], entry.detail["limit"]) == ("greedy", 1.0)
    assert entry.subjects == (everybody.digest,)
    assert "P0" not in text_


def test_what_was_begun_is_never_given_back(node: Store) -> None:
    limit(node, 1.2)
    everybody = cohort(node)
    unused = spend(node, everybody)
    with pytest.raises(BudgetExceededError):
        spend(node, everybody, round=2)
    with pytest.raises(InvalidInputError, match="reason"), node.write() as connection:
        release(connection, unused, reason=" ", by="steward")
    with node.write() as connection:
        release(connection, unused, reason="the process died before it began", by="steward")
    assert total(node, everybody) == 0
    used = spend(node, everybody, round=2)
    with node.write() as connection:
        begin(connection, used)
    for act in (
        lambda c: release(c, used, reason="nothing was sent", by="steward"),
        lambda c: begin(c, used),
    ):
        with pytest.raises(ConflictError, match="begun or released"), node.write() as connection:
            act(connection)
    with pytest.raises(ConflictError), node.write() as connection:
        begin(connection, unused)
    assert total(node, everybody) == used.total
    assert [row.state for row in spends(node)] == ["released", "begun"]


@pytest.mark.parametrize("moment", ["before", "after", "begun"])
def test_a_killed_process_has_spent_what_it_reserved(url: str, moment: str) -> None:
    store = open_store(url)
    limit(store, 1.2)
    if url.startswith("sqlite"):
        store.close()
    process = start(DIES, url, moment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.returncode == -signal.SIGKILL
    after = open_store(url)
    everybody = cohort(after)
    if moment == "before":  # it died inside the transaction: nothing could have begun
        assert total(after, everybody) == 0
        spend(after, everybody)
    else:
        assert round(total(after, everybody), 2) == 1.12
        with pytest.raises(BudgetExceededError):
            spend(after, everybody)
    with after.read() as connection:
        assert verify(connection)
    after.close()
    store.close()


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        **{"stdout": subprocess.PIPE, "stdin": subprocess.PIPE, "text": True, "env": environment},
    )


def test_processes_that_ask_at_once_cannot_both_slip_under(url: str) -> None:
    store = open_store(url)
    limit(store, epsilon([ROUND] * 5, DELTA))
    running = [start(RACES, url, f"job {n}", str(n)) for n in range(3)]  # cohorts that overlap
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [line for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(answers) == ["granted"] * 5 + ["refused"] * 7
    assert total(store, cohort(store, PEOPLE[:1000])) == epsilon([ROUND] * 5, DELTA)
    with store.read() as connection:
        assert verify(connection)
    store.close()


def test_threads_that_ask_at_once_cannot_both_slip_under(url: str) -> None:
    store = open_store(url)
    everybody = cohort(store, PEOPLE[:200])
    limit(store, epsilon([ROUND] * 7, DELTA))
    answers: list[str] = []
    gate = threading.Barrier(6)

    def work(number: int) -> None:
        own = open_store(url) if number % 2 else store  # a connection of its own, or the shared one
        gate.wait()
        for turn in range(2):
            try:
                ask(own, everybody, job=f"{number}", round=turn, unit="example", step=ROUND, delta=DELTA)
                answers.append("granted")
            except BudgetExceededError:
                answers.append("refused")
        if own is not store:
            own.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["granted"] * 7 + ["refused"] * 5
    store.close()
