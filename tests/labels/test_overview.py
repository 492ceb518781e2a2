"""What the lead reads: progress, agreement, people, results."""

from __future__ import annotations

import pytest

from tests.labels.rounds import COLD, FLU, PNEUMONIA, TEXTS, campaign_of, label, take
from xinglin.errors import NotPermittedError
from xinglin.labels.agreement import cohen_kappa
from xinglin.labels.audit import draw_audit
from xinglin.labels.decide import answer_vote, decide, skip, undo
from xinglin.labels.overview import overview, own_pace
from xinglin.labels.results import blind_votes, labels_of, results
from xinglin.labels.verify import ModelVote, keep_vote, see_vote
from xinglin.store import Store
from xinglin.types import Label


def test_the_numbers_of_a_round_counted_by_hand(store: Store) -> None:
    made = campaign_of(store, TEXTS * 5)
    nothing = overview(store, made, by="lead")
    assert (nothing.agreement, nothing.alpha, nothing.arbitrated, nothing.model_agreement) == (None,) * 4
    assert nothing.queue["annotation"] == (40, 0, 0)
    bo = [COLD] * 12 + [FLU] * 3 + [PNEUMONIA] * 5
    an = [COLD] * 12 + [PNEUMONIA] * 3 + [PNEUMONIA] * 5
    for user, codes in (("an", an), ("bo", bo)):
        for code in codes:
            label(store, made, user, code)
    for code in (FLU, FLU, PNEUMONIA):
        label(store, made, "chen", code, "arbitration")
    found = overview(store, made, by="lead")
    assert found.records == {"settled": 20}
    assert found.queue["annotation"] == (0, 0, 40)
    assert found.queue["arbitration"] == (0, 0, 3)
    assert found.agreement is not None
    assert (found.agreement.value, found.agreement.n) == (17 / 20, 20)
    assert found.arbitrated is not None
    assert (found.arbitrated.value, found.arbitrated.n) == (3 / 20, 20)
    people = {person.name: person for person in found.people}
    assert (people["an"].labels, people["bo"].labels, people["chen"].labels) == (20, 20, 3)
    assert people["an"].upheld is not None
    assert people["bo"].upheld is not None
    assert (people["an"].upheld.value, people["bo"].upheld.value) == (1 / 3, 2 / 3)
    assert people["an"].skill is not None
    assert 0.5 < people["an"].skill <= 1.0
    assert people["chen"].skill is None
    assert people["an"].pace is not None
    votes, names = blind_votes(results(store, made, by="lead"))
    assert votes is not None
    assert names == ("an", "bo")
    assert len(votes) == 40
    assert found.alpha is not None
    kappa = cohen_kappa(votes, resamples=0).value
    assert found.alpha.value == pytest.approx(kappa, abs=0.02), (
        "two annotators, all items: near Cohen's kappa"
    )
    draw_audit(store, made, 2, seed="1", by="lead")
    assert overview(store, made, by="lead").audit == {"labelling": 2}
    assert blind_votes(results(store, made, by="lead"))[0] is not None


def test_what_is_reconsidered_and_what_the_model_said_is_counted(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2], assisted=True)
    for user, after in (("an", FLU), ("bo", COLD)):
        task = take(store, made, user)
        keep_vote(store, made, task, ModelVote("graph 1", FLU))
        decide(store, made, task.slot, user, COLD)
        see_vote(store, made, task.slot, user)
        answer_vote(store, made, task.slot, user, after)
    found = overview(store, made, by="lead")
    assert found.model_agreement is not None
    assert (found.model_agreement.value, found.model_agreement.n) == (0.0, 2)
    assert {person.name: person.reconsidered for person in found.people}["an"] == 1
    assert found.agreement is not None
    assert found.agreement.value == 1.0, "the blind labels agree, whatever came after"
    (first, *_) = results(store, made, by="lead")
    assert [(one.blind, one.codes) for one in first.given] == [((COLD,), (FLU,)), ((COLD,), (COLD,))]


def test_labels_leave_as_nouns_with_their_round(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2])
    label(store, made, "an", COLD)
    skip(store, made, take(store, made, "an").slot, "an", "unreadable")
    label(store, made, "bo", FLU)
    label(store, made, "chen", FLU, "arbitration")
    assert labels_of(results(store, made, by="lead")) == [
        Label("r0", COLD, "present", "an", 0),
        Label("r0", FLU, "present", "bo", 0),
        Label("r0", FLU, "present", "chen", 1),
    ]


def test_ones_own_pace_is_open_to_everybody_and_nothing_else(store: Store) -> None:
    made = campaign_of(store)
    assert own_pace(store, made, "an", "annotation").pace is None
    for number in range(3):
        task = take(store, made, "an", now=1000.0 + 10 * number)
        decide(store, made, task.slot, "an", COLD, now=1004.0 + 10 * number)
    own = own_pace(store, made, "an", "annotation")
    assert (own.done, own.pace) == (3, 4.0)
    undo(store, made, "an")
    assert own_pace(store, made, "an", "annotation").done == 2
    assert own_pace(store, made, "bo", "annotation").done == 0
    for person in ("an", "chen", "deng", "stranger"):
        for read in (overview, results):
            with pytest.raises(NotPermittedError):
                read(store, made, by=person)
