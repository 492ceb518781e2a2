"""Model-assisted verification: the model votes once on each record; its vote is shown only after the blind label.

The vote arrives as an argument: what votes lies above this room. It takes part in settling the record (see
:mod:`.arbitrate`) whether or not anybody looks at it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from xinglin.errors import ConfigurationError, ConflictError, InvalidInputError, NotPermittedError
from xinglin.labels.arbitrate import code_of, lock_place
from xinglin.labels.assign import Task, claim, fetch, held_by, mark_opened
from xinglin.labels.campaign import Campaign, Stage, stamp
from xinglin.labels.decide import checked_spans
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables import campaign_slots, campaign_votes
from xinglin.types import Code, Record


@dataclass(frozen=True, slots=True)
class ModelVote:
    """What a model says of one record."""

    model: str
    """Name and version of what voted."""
    code: Code | None
    """``None``: it abstains, or its answer is no code of the scheme."""
    probability: float | None = None
    """Calibrated probability; ``None`` where the model claims none."""
    spans: tuple[tuple[int, int], ...] = ()
    """Half-open character offsets of the words that speak for it."""


def keep_vote(store: Store, campaign: Campaign, task: Task, vote: ModelVote) -> None:
    """Keep the model's vote on a case, before anybody labels it; a vote that is there already stays.

    Raises:
        ConfigurationError: the campaign is not assisted by a model.
        InvalidInputError: the vote is out of range.
        UnknownNameError: its code is not of the scheme.
    """
    if not campaign.assisted:
        raise ConfigurationError(f"the campaign {campaign.name!r} takes no model's vote")
    share = vote.probability
    if not vote.model or (share is not None and not (math.isfinite(share) and 0.0 <= share <= 1.0)):
        raise InvalidInputError("vote: expected a model's name, and a probability of 0 to 1 or none")
    code = None if vote.code is None else campaign.code(vote.code)
    spans = checked_spans(vote.spans, len(task.record.text))
    with store.write() as connection:
        _, item = lock_place(connection, campaign, task.slot)
        if (
            item.audit
            or item.state != "labelling"
            or connection.execute(
                select(campaign_votes.c.item).where(campaign_votes.c.item == item.id)
            ).first()
        ):
            return
        connection.execute(
            insert(campaign_votes).values(
                item=item.id,
                model=vote.model[:200],
                system=code.system if code else None,
                value=code.value if code else None,
                display=code.display if code else None,
                probability=share,
                spans=[list(span) for span in spans],
                time=stamp(),
            )
        )
        append(
            connection,
            "annotation.vote",
            actor=vote.model[:200],
            subjects=(item.subject,),
            detail={"campaign": campaign.id, "abstained": code is None},
        )


def next_task(
    store: Store, campaign: Campaign, user: str, stage: Stage, voter: Callable[[Record], ModelVote]
) -> Task | None:
    """Take the next case of a stage, or the one that is held, and write down that it is opened.

    Args:
        store: where.
        campaign: which.
        user: who asks.
        stage: what is to be done.
        voter: what votes on a record in an assisted campaign, before anybody labels it.

    Returns:
        The case; ``None`` when none is open to this person. One that has left the campaign meanwhile is passed by.

    Raises:
        NotPermittedError: the person has not the role of that stage, or no grant.
        ConfigurationError: the campaign is closed.
    """
    while held := claim(store, campaign, user, stage):
        try:
            task = fetch(store, campaign, held[0], user)
        except ConflictError:
            continue
        if campaign.assisted and stage in ("annotation", "arbitration") and not has_vote(store, task.item):
            keep_vote(store, campaign, task, voter(task.record))
        mark_opened(store, campaign, task, user)
        return task
    return None


def has_vote(store: Store, item: int) -> bool:
    """Whether the model has voted on an item."""
    with store.read() as connection:
        votes = campaign_votes.c
        return connection.execute(select(votes.item).where(votes.item == item)).first() is not None


def see_vote(store: Store, campaign: Campaign, slot: int, user: str) -> ModelVote:
    """Return the model's vote on a case that this person has decided; that it was seen is written down.

    Raises:
        NotPermittedError: the blind label is not given yet.
        ConflictError: the place is not this person's, or the model did not vote.
    """
    with store.write() as connection:
        place, item = lock_place(connection, campaign, slot)
        if place.annotator == user and place.state == "held":
            raise NotPermittedError("the model's vote is shown only after your own label: decide first")
        held_by(place, user, "voting")
        row = connection.execute(select(campaign_votes).where(campaign_votes.c.item == item.id)).one()
        connection.execute(update(campaign_slots).where(campaign_slots.c.id == slot).values(vote_seen=True))
        append(
            connection,
            "annotation.vote_seen",
            actor=user,
            subjects=(item.subject,),
            detail={"campaign": campaign.id, "stage": place.stage},
        )
    return ModelVote(
        row.model, code_of(row), row.probability, tuple((start, end) for start, end in row.spans)
    )
