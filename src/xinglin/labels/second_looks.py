"""Second looks: what is left of the experts' time goes to the settled labels that are least certain.

The rule is that of :mod:`.pipeline`, over the round's blind labels, the model's vote and the experts' labels. A look is
blind: the expert sees the record and nobody's label. Where it is the first expert's label of a record it stands; where
two experts differ a third is asked; if all three differ the record leaves the data set.

Under a multi-label scheme a set of codes counts as one class (the *label powerset*), and the model, which names one
code, is left out of the doubt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.labels.answer import Answer
from xinglin.labels.arbitrate import ask_expert
from xinglin.labels.campaign import Campaign, need_open, need_role
from xinglin.labels.pipeline import Panel, certainty, next_reviews
from xinglin.labels.results import Result, results
from xinglin.labels.votes import Votes
from xinglin.ledger import append
from xinglin.ledger.subjects import chunks
from xinglin.store import Store
from xinglin.store.tables import campaign_items, campaign_roles, campaign_slots

BUDGET = 0.2
"""Expert labels a record that the lead allows unless told otherwise, arbitration included."""
Vote = tuple[int, str, Answer]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One settled record that an expert may look at again."""

    record: str
    error: float
    """Probability that its label is wrong, as the votes tell."""
    reviews: int
    """Experts' labels that it has."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How sure the labels are, and what the experts' time would go to."""

    records: int
    """Records of the round."""
    settled: int
    error: float | None
    """Expected share of wrong labels among the settled ones, by the votes; ``None``: nothing is settled."""
    reviews: int
    """Places for an expert's label so far: given, on a desk, or open."""
    doubtful: tuple[Doubt, ...]
    """Records that may be looked at again, the most doubtful first."""


def looks(store: Store, campaign: Campaign, *, by: str) -> Looks:
    """Return how doubtful the settled labels are; one ledger entry, since every label is read.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    found = [result for result in results(store, campaign, by=by) if not result.audit]
    with store.read() as connection:
        spent = _reviews(connection, campaign)
    return _looks(campaign, found, spent)


def _looks(campaign: Campaign, found: list[Result], spent: int) -> Looks:
    settled = [place for place, result in enumerate(found) if result.state == "settled"]
    if not settled:
        return Looks(len(found), 0, None, spent, ())
    panel = _panel(campaign, found)
    sure = certainty(panel)
    order = [int(place) for place in next_reviews(panel, len(found)) if found[place].state == "settled"]
    doubtful = tuple(
        Doubt(found[place].record, 1.0 - float(sure[place]), len(_experts(found[place]))) for place in order
    )
    return Looks(len(found), len(settled), float(1.0 - np.nanmean(sure[settled])), spent, doubtful)


def _panel(campaign: Campaign, found: list[Result]) -> Panel:
    votes: list[Vote] = []
    reviews: list[Vote] = []
    for place, result in enumerate(found):
        for one in result.given:
            if one.stage == "annotation" and one.blind is not None:
                votes.append((place, f"person {one.annotator}", one.blind))
        if result.vote is not None and result.vote.code is not None and not campaign.scheme.multi:
            votes.append((place, f"model {result.vote.model}", (result.vote.code,)))
        reviews += [(place, who, answer) for who, answer in _experts(result)]
    classes = {
        answer: place for place, answer in enumerate(dict.fromkeys(row[2] for row in (*votes, *reviews)))
    }
    return Panel(
        _votes(votes, len(found), classes), _votes(reviews, len(found), classes) if reviews else None
    )


def _experts(result: Result) -> list[tuple[str, Answer]]:
    return [
        (one.annotator, one.codes)
        for one in result.given
        if one.stage == "arbitration" and one.codes is not None
    ]


def _votes(rows: list[Vote], items: int, classes: dict[Answer, int]) -> Votes:
    people = {who: place for place, who in enumerate(dict.fromkeys(row[1] for row in rows))}
    places = np.array([place for place, _, _ in rows], np.int64)
    whose = np.array([people[who] for _, who, _ in rows], np.int64)
    given = np.array([classes[answer] for _, _, answer in rows], np.int64)
    return Votes(places, whose, given, items, len(people), len(classes))


def open_looks(
    store: Store, campaign: Campaign, most: int, *, by: str, budget: float = BUDGET
) -> tuple[str, ...]:
    """Open places for experts on the most doubtful settled records, until the budget is spent.

    A record is passed by where too few arbiters are left who never held a place on it: one for a first look, two for a
    second, since a third may have to decide.

    Args:
        store: where.
        campaign: which; its audit is not drawn yet.
        most: records to open at most.
        by: the lead.
        budget: expert labels a record over the whole round, arbitration included, 0 to 3.

    Returns:
        The records opened, the most doubtful first; fewer than ``most`` where the budget or the arbiters end.

    Raises:
        NotPermittedError: ``by`` is not the lead.
        ConfigurationError: the campaign is closed, or its audit is drawn.
        InvalidInputError: ``most`` or ``budget`` is out of range.
    """
    if most < 1 or not (math.isfinite(budget) and 0.0 <= budget <= 3.0):
        raise InvalidInputError(
            f"second looks: expected 1 record at least and a budget of 0 to 3; got {most}, {budget}"
        )
    found = [result for result in results(store, campaign, by=by) if not result.audit]
    items = campaign_items.c
    opened: list[str] = []
    subjects: list[str] = []
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        need_open(connection, campaign)
        drawn = select(items.id).where(items.campaign == campaign.id, items.audit).limit(1)
        if connection.execute(drawn).first():
            raise ConfigurationError(
                "second looks come before the audit: it has been drawn from the labels as they are"
            )
        spent = _reviews(connection, campaign)
        state = _looks(campaign, found, spent)
        left = min(most, math.floor(budget * state.records + 1e-9) - spent)
        free = _free_arbiters(connection, campaign, [doubt.record for doubt in state.doubtful])
        for doubt in state.doubtful:
            if len(opened) >= left:
                break
            if free[doubt.record] < 1 + min(doubt.reviews, 1):
                continue
            item = connection.execute(
                select(campaign_items)
                .where(items.campaign == campaign.id, items.record == doubt.record, ~items.audit)
                .with_for_update()
            ).one()
            if item.state != "settled":
                continue  # taken back meanwhile
            ask_expert(connection, item)
            opened.append(doubt.record)
            subjects.append(item.subject)
        append(
            connection,
            "annotation.second_looks",
            actor=by,
            subjects=tuple(sorted(subjects)),
            detail={"campaign": campaign.id, "opened": len(opened), "budget": budget, "reviews": spent},
        )
    return tuple(opened)


def _reviews(connection: Connection, campaign: Campaign) -> int:
    slots = campaign_slots.c
    return int(
        connection.execute(
            select(func.count()).where(
                slots.campaign == campaign.id,
                slots.stage == "arbitration",
                slots.state.not_in(("lapsed", "withdrawn")),
            )
        ).scalar_one()
    )


def _free_arbiters(connection: Connection, campaign: Campaign, records: list[str]) -> dict[str, int]:
    """How many arbiters have never held a place on each record."""
    roles, slots = campaign_roles.c, campaign_slots.c
    query = select(roles.user).where(roles.campaign == campaign.id, roles.role == "arbiter")
    arbiters: set[str] = set(connection.execute(query).scalars())
    held: dict[str, set[str]] = {record: set() for record in records}
    for part in chunks(records):
        for row in connection.execute(
            select(slots.record, slots.annotator).where(
                slots.campaign == campaign.id, slots.record.in_(part), slots.annotator.is_not(None)
            )
        ):
            held[row.record].add(row.annotator)
    return {record: len(arbiters - people) for record, people in held.items()}
