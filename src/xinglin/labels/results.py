"""Everything a campaign has gathered, for its lead: who gave which label when, what it was settled on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sqlalchemy import Row, select

from xinglin.labels.answer import Answer, answer_of
from xinglin.labels.arbitrate import code_of, decisions_of, said
from xinglin.labels.campaign import STAGES, Campaign, Stage, need_role
from xinglin.labels.verify import ModelVote
from xinglin.labels.votes import Votes
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables import campaign_items, campaign_slots, campaign_votes
from xinglin.types import Code, Label


@dataclass(frozen=True, slots=True)
class Given:
    """What one person said of one record in the end, and before the model's vote was seen."""

    annotator: str
    stage: Stage
    codes: Answer | None
    """``None``: passed on, for ``reason``."""
    blind: Answer | None
    spans: tuple[tuple[int, int], ...] = ()
    """Words that the label rests on, half-open character offsets."""
    marked: tuple[tuple[int, int], ...] = ()
    """Those of them that were marked before the model's vote was seen."""
    confidence: float | None = None
    reason: str | None = None
    seconds: float | None = None
    """From opening the case to the first decision."""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One record of the round, or of its audit."""

    record: str
    audit: bool
    state: str
    """``labelling``, ``arbitration``, ``settled``, ``excluded`` (an arbiter passed it on) or ``withdrawn``."""
    final: Answer | None
    given: tuple[Given, ...]
    vote: ModelVote | None


def results(store: Store, campaign: Campaign, *, by: str) -> list[Result]:
    """Return all records in the order of the queue, the audit's at the end; one ledger entry.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    items, slots, votes = campaign_items.c, campaign_slots.c, campaign_votes
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        rows = connection.execute(
            select(campaign_items).where(items.campaign == campaign.id).order_by(items.audit, items.position)
        ).all()
        places = connection.execute(
            select(campaign_slots)
            .where(slots.campaign == campaign.id, slots.state.in_(("voting", "done", "skipped")))
            .order_by(slots.id)
        ).all()
        stands = decisions_of(connection, [place.id for place in places])
        voted = {
            row.item: row
            for row in connection.execute(
                select(votes)
                .join(campaign_items, items.id == votes.c.item)
                .where(items.campaign == campaign.id)
            )
        }
        append(
            connection,
            "annotation.results",
            actor=by,
            detail={"campaign": campaign.id, "records": len(rows)},
        )
    given: dict[int, list[Given]] = defaultdict(list)
    for place in places:
        given[place.item].append(_given(place, stands[place.id]))
    return [
        Result(
            row.record,
            row.audit,
            row.state,
            answer_of(row.final_system, row.final_value, row.final_display),
            tuple(given[row.id]),
            _vote(voted.get(row.id)),
        )
        for row in rows
    ]


def _given(place: Row[Any], stand: list[Row[Any]]) -> Given:
    first, last = stand[0], stand[-1]
    spans: list[list[int]] = next((row.spans for row in reversed(stand) if row.spans), [])
    return Given(
        annotator=place.annotator,
        stage=cast(Stage, place.stage),
        codes=said(last),
        blind=said(first),
        spans=tuple((start, end) for start, end in spans),
        marked=tuple((start, end) for start, end in first.spans),
        confidence=first.confidence,
        reason=last.reason,
        seconds=first.seconds,
        time=last.time,
    )


def _vote(row: Row[Any] | None) -> ModelVote | None:
    if row is None:
        return None
    return ModelVote(
        row.model, code_of(row), row.probability, tuple((start, end) for start, end in row.spans)
    )


def labels_of(found: Iterable[Result]) -> list[Label]:
    """Return the labels given, as nouns, one a code; ``round`` is the place of the stage in ``STAGES``."""
    return [
        Label(result.record, code, "present", one.annotator, STAGES.index(one.stage), one.confidence)
        for result in found
        for one in result.given
        for code in one.codes or ()
    ]


def blind_votes(found: Iterable[Result], code: Code | None = None) -> tuple[Votes | None, tuple[str, ...]]:
    """Return the blind labels of the round (audit left out) as votes, and the names of the annotators.

    Args:
        found: the results of a campaign.
        code: ``None``: the classes are the answers that were given, a set of codes being one class. A code: whether a
            label holds it, 0 or 1.

    Returns:
        The votes, ``None`` where nobody has labelled yet, and the names.
    """
    labels = [
        (number, one.annotator, one.blind)
        for number, result in enumerate(result for result in found if not result.audit)
        for one in result.given
        if one.stage == "annotation" and one.blind is not None
    ]
    if not labels:
        return None, ()
    people = tuple(sorted({who for _, who, _ in labels}))
    numbers = {number: place for place, number in enumerate(sorted({number for number, *_ in labels}))}
    answers = {answer: place for place, answer in enumerate(dict.fromkeys(answer for *_, answer in labels))}
    votes = Votes(
        np.array([numbers[number] for number, *_ in labels], dtype=np.int64),
        np.array([people.index(who) for _, who, _ in labels], dtype=np.int64),
        np.array(
            [answers[answer] if code is None else int(code in answer) for *_, answer in labels],
            dtype=np.int64,
        ),
        len(numbers),
        len(people),
        len(answers) if code is None else 2,
    )
    return votes, people
