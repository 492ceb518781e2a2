"""Experts look again at what is most doubtful: blindly, within the budget, and three may come to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.labels.rounds import COLD, DATASET, FLU, PNEUMONIA, campaign_of, label, states, take
from xinglin.errors import ConfigurationError, ConflictError, InvalidInputError, NotPermittedError
from xinglin.labels.audit import draw_audit
from xinglin.labels.campaign import Campaign, assign
from xinglin.labels.dawid_skene import dawid_skene
from xinglin.labels.decide import decide, skip, undo
from xinglin.labels.results import results
from xinglin.labels.second_looks import looks, open_looks
from xinglin.labels.votes import Votes
from xinglin.ledger import entries
from xinglin.ledger.grants import grant
from xinglin.store import Store
from xinglin.types import Code

SIZE = 20


def round_of(store: Store, arbiters: int = 4) -> Campaign:
    """Twenty records: *an* is always right, *bo* calls every fifth one a cold; chen settles what differs."""
    made = campaign_of(store, [f"第{n}例" for n in range(SIZE)])
    with store.write() as connection:
        for person in ("hu", "jin")[: arbiters - 2]:
            grant(connection, DATASET, grantee=person, purpose="annotation", by="test")
    for person in ("hu", "jin")[: arbiters - 2]:
        assign(store, made, person, "arbiter", by="lead")
    for n in range(SIZE):
        label(store, made, "an", truth(n))
    for n in range(SIZE):
        label(store, made, "bo", COLD if n % 5 == 0 else truth(n))
    for _ in range(states(store).count("arbitration")):
        task = take(store, made, "chen", "arbitration")
        assert task.opinions
        decide(store, made, task.slot, "chen", truth(int(task.record.id[1:])))
    assert states(store) == ["settled"] * SIZE
    return made


def truth(n: int) -> Code:
    return (COLD, FLU, PNEUMONIA)[n % 3]


def test_the_order_and_the_error_are_those_of_the_posterior(store: Store) -> None:
    made = round_of(store)
    found = looks(store, made, by="lead")
    assert (found.records, found.settled) == (SIZE, SIZE)
    rows = []
    for place, result in enumerate(results(store, made, by="lead")):
        for one in result.given:
            who = {"an": 0, "bo": 1, "chen": 2}[one.annotator]
            assert one.codes is not None
            rows.append((place, who, (COLD, FLU, PNEUMONIA).index(one.codes[0])))
    items, people, classes = np.array(rows).T
    posterior = dawid_skene(Votes(items, people, classes, SIZE, 3, 3)).posterior
    wrong = {f"r{n}": 1 - posterior[n, n % 3] for n in range(SIZE)}
    assert found.error == pytest.approx(np.mean(list(wrong.values())), abs=1e-6)
    assert len(found.doubtful) == SIZE
    assert [doubt.error for doubt in found.doubtful] == sorted(
        (d.error for d in found.doubtful), reverse=True
    )
    for doubt in found.doubtful:
        assert doubt.error == pytest.approx(wrong[doubt.record], abs=1e-4)
    assert found.reviews == sum(d.reviews for d in found.doubtful) == states_with_review(store, made)


def states_with_review(store: Store, made: Campaign) -> int:
    return sum(
        any(one.stage == "arbitration" for one in result.given) for result in results(store, made, by="lead")
    )


def test_looks_are_blind_open_the_most_doubtful_and_stop_at_the_budget(store: Store) -> None:
    made = round_of(store)
    before = looks(store, made, by="lead")
    budget = (before.reviews + 2) / SIZE
    opened = open_looks(store, made, 10, by="lead", budget=budget)
    assert opened == tuple(doubt.record for doubt in before.doubtful[:2])
    assert open_looks(store, made, 10, by="lead", budget=budget) == ()
    assert states(store).count("arbitration") == 2
    with pytest.raises(ConfigurationError, match="not settled"):
        draw_audit(store, made, 1, seed="s", by="lead")
    seen = set()
    for _ in opened:
        task = take(store, made, "gao", "arbitration")
        seen.add(task.record.id)
        assert task.opinions == (), "nobody's label is shown"
        decide(store, made, task.slot, "gao", truth(int(task.record.id[1:])))
    assert seen == set(opened)
    assert states(store) == ["settled"] * SIZE
    with store.read() as connection:
        acts = [entry for entry in entries(connection) if entry.action == "annotation.second_looks"]
    assert [entry.detail["opened"] for entry in acts] == [2, 0]
    assert len(acts[0].subjects) == 2


def first_look(store: Store, made: Campaign) -> str:
    """Open one record that no expert has seen, and no other."""
    found = looks(store, made, by="lead")
    fresh = next(n for n, doubt in enumerate(found.doubtful) if doubt.reviews == 0)
    (*_, record) = open_looks(store, made, fresh + 1, by="lead", budget=3)
    for _ in range(fresh):  # experts agree on those before it
        task = take(store, made, "gao", "arbitration")
        if task.record.id == record:
            break
        decide(store, made, task.slot, "gao", truth(int(task.record.id[1:])))
    return record


def finish(store: Store, made: Campaign, user: str, record: str, code: Code | None) -> None:
    while True:
        task = take(store, made, user, "arbitration")
        wanted = task.record.id == record
        if wanted and code is None:
            skip(store, made, task.slot, user, "unreadable")
        else:
            decide(store, made, task.slot, user, code if wanted and code else truth(int(task.record.id[1:])))
        if wanted:
            return


def state_of(store: Store, made: Campaign, record: str) -> tuple[str, object]:
    (found,) = (r for r in results(store, made, by="lead") if r.record == record)
    return found.state, found.final


def test_the_experts_label_stands_two_differ_and_a_third_decides(store: Store) -> None:
    made = round_of(store)
    record = first_look(store, made)
    right = truth(int(record[1:]))
    first, second = (code for code in (COLD, FLU, PNEUMONIA) if code != right)
    finish(store, made, "gao", record, first)
    assert state_of(store, made, record) == ("settled", (first,))
    while record not in open_looks(store, made, 1, by="lead", budget=3):
        finish_all(store, made, "hu", record)
    finish(store, made, "hu", record, right)
    assert state_of(store, made, record)[0] == "arbitration"
    undo(store, made, "hu")
    finish(store, made, "hu", record, right)
    task = take(store, made, "jin", "arbitration")
    while task.record.id != record:
        decide(store, made, task.slot, "jin", truth(int(task.record.id[1:])))
        task = take(store, made, "jin", "arbitration")
    assert task.opinions == ()
    with pytest.raises(ConflictError, match="another expert"):
        undo(store, made, "hu")
    decide(store, made, task.slot, "jin", second)
    assert state_of(store, made, record) == ("excluded", None), "three experts, three labels"


def finish_all(store: Store, made: Campaign, user: str, but: str) -> None:
    while "arbitration" in states(store):
        task = take(store, made, user, "arbitration")
        assert task.record.id != but
        decide(store, made, task.slot, user, truth(int(task.record.id[1:])))


def test_an_expert_who_passes_on_leaves_the_label_as_it_was(store: Store) -> None:
    made = round_of(store)
    record = first_look(store, made)
    finish(store, made, "gao", record, None)
    assert state_of(store, made, record) == ("settled", (truth(int(record[1:])),))


def test_where_nobody_is_left_to_look_nothing_is_opened(store: Store) -> None:
    made = round_of(store, arbiters=2)
    opened = open_looks(store, made, SIZE, by="lead", budget=3)
    reviewed = {
        result.record
        for result in results(store, made, by="lead")
        if any(one.stage == "arbitration" for one in result.given)
    }
    assert len(reviewed) > 0
    assert not reviewed & set(opened), "a second look may need a third: gao alone is not enough"
    assert len(opened) == SIZE - len(reviewed)


def test_what_is_refused(store: Store) -> None:
    made = campaign_of(store)
    for most, budget in ((0, 0.2), (1, -1.0), (1, float("nan")), (1, 3.5)):
        with pytest.raises(InvalidInputError):
            open_looks(store, made, most, by="lead", budget=budget)
    for call in (lambda: looks(store, made, by="an"), lambda: open_looks(store, made, 1, by="chen")):
        with pytest.raises(NotPermittedError):
            call()
    empty = looks(store, made, by="lead")
    assert (empty.settled, empty.error, empty.doubtful) == (0, None, ())
    for user in ("an", "bo"):
        for _ in range(4):
            label(store, made, user, COLD)
    draw_audit(store, made, 1, seed="s", by="lead")
    with pytest.raises(ConfigurationError, match="before the audit"):
        open_looks(store, made, 1, by="lead", budget=1)
