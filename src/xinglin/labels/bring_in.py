"""Labels made elsewhere are brought into a campaign: each takes an open place of its stage, as if given here.

That they were given blindly is the word of who brings them in; the ledger says that they came from a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from xinglin.errors import InvalidInputError
from xinglin.labels.arbitrate import lock_place
from xinglin.labels.campaign import PURPOSE, ROLE_OF, STAGES, Campaign, need_open, need_role, roles_of
from xinglin.labels.decide import enter
from xinglin.labels.label_studio import StudioTask
from xinglin.labels.results import Given
from xinglin.ledger import append
from xinglin.records.archive import read_one
from xinglin.store import Store
from xinglin.store.keys import digest
from xinglin.store.tables import campaign_items, campaign_slots


def bring_in(
    store: Store, campaign: Campaign, tasks: Sequence[StudioTask], *, by: str, source: bytes
) -> dict[str, int]:
    """Bring the labels of some tasks in, one transaction a record; what is there already stays.

    Args:
        store: where.
        campaign: which.
        tasks: as :func:`.label_studio.read_tasks` read them.
        by: the lead.
        source: the file's content; its digest goes into the ledger.

    Returns:
        How many were ``taken``, ``known`` (this person has labelled the record) and ``left`` (no place is open at
        that stage: two labels are there, or nobody disagreed).

    Raises:
        NotPermittedError: ``by`` is not the lead, or may not read the records.
        InvalidInputError: a record is not of the campaign, its text is another, or a person has not the role; nothing
            of that record is taken.
    """
    counts: Counter[str] = Counter(taken=0, known=0, left=0)
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        need_open(connection, campaign)
        append(
            connection,
            "annotation.bring_in",
            actor=by,
            subjects=(digest(source),),
            detail={"campaign": campaign.id, "records": len(tasks)},
        )
    for number, task in enumerate(tasks, 1):
        with store.read() as connection:
            found = connection.execute(
                select(campaign_items.c.version).where(
                    campaign_items.c.campaign == campaign.id,
                    campaign_items.c.record == task.record,
                    campaign_items.c.audit == task.audit,
                )
            ).first()
        if found is None:
            raise InvalidInputError(f"task {number}: its record is not one of this campaign")
        record = read_one(
            store, campaign.dataset, task.record, purpose=PURPOSE, actor=by, version=found.version
        )
        if record.text != task.text:
            raise InvalidInputError(f"task {number}: its text is not the record's: the labels are of another")
        with store.write() as connection:
            for one in sorted(task.given, key=lambda given: STAGES.index(given.stage)):
                counts[_take(connection, campaign, task, one, len(record.text), number)] += 1
    return dict(counts)


def _take(
    connection: Connection, campaign: Campaign, task: StudioTask, one: Given, length: int, number: int
) -> str:
    if ROLE_OF[one.stage] not in roles_of(connection, campaign.id, one.annotator):
        raise InvalidInputError(
            f"task {number}: {one.annotator} is not {ROLE_OF[one.stage]} of this campaign: assign the role first, or "
            "say who it is here"
        )
    slots = campaign_slots.c
    places = connection.execute(
        select(slots.id, slots.stage, slots.state, slots.annotator)
        .where(slots.campaign == campaign.id, slots.record == task.record)
        .order_by(slots.id)
    ).all()
    mine = next((place for place in places if place.annotator == one.annotator), None)
    if mine is not None and (mine.state != "held" or mine.stage != one.stage):
        return "known"
    free = mine or next(
        (place for place in places if place.stage == one.stage and place.annotator is None), None
    )
    if free is None:
        return "left"
    place, _ = lock_place(connection, campaign, free.id)
    if place.annotator not in (None, one.annotator):
        return "left"  # somebody took it meanwhile
    connection.execute(
        update(campaign_slots)
        .where(slots.id == free.id)
        .values(annotator=one.annotator, state="held", length=length)
    )
    place, item = lock_place(connection, campaign, free.id)
    enter(
        connection,
        campaign,
        place,
        item,
        codes=one.codes,
        spans=one.spans,
        confidence=one.confidence,
        reason=one.reason,
        seconds=one.seconds,
    )
    return "taken"
