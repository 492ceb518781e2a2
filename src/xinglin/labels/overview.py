"""The lead's overview: progress, agreement, and the people with their pace and skill."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import median

from sqlalchemy import func, select

from xinglin.labels.agreement import Agreement, krippendorff_alpha
from xinglin.labels.campaign import STAGES, Campaign, Role, Stage, need_role
from xinglin.labels.dawid_skene import dawid_skene
from xinglin.labels.highlights import overlap
from xinglin.labels.results import Result, blind_votes, results
from xinglin.measure.intervals import Figure, proportion
from xinglin.store import Store
from xinglin.store.tables import campaign_decisions, campaign_roles, campaign_slots
from xinglin.types import Code


@dataclass(frozen=True, slots=True)
class Person:
    """One person's share of a campaign."""

    name: str
    roles: tuple[Role, ...]
    labels: int
    passed: int
    pace: float | None
    """Median seconds from opening a case to its first decision; ``None``: nothing labelled."""
    upheld: Figure | None
    """Share of blind labels in arbitrated records that the arbiter upheld; ``None``: none was arbitrated."""
    skill: float | None
    """Expected share of right labels by Dawid-Skene over all blind labels; ``None``: no annotator, or too few labels."""
    reconsidered: int
    """Labels changed after the model's vote was seen."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a campaign."""

    records: dict[str, int]
    """Records of the round by state."""
    audit: dict[str, int]
    """Records of the audit by state."""
    queue: dict[Stage, tuple[int, int, int]]
    """Places of each stage: open, held (a lease runs), finished."""
    agreement: Figure | None
    """Share of doubly labelled records whose blind labels agree; ``None``: there is none yet."""
    alpha: Agreement | None
    """Krippendorff's alpha of the blind labels, a set of codes being one class; ``None``: no record has two yet."""
    by_code: tuple[tuple[Code, Agreement], ...]
    """Under a multi-label scheme, alpha of each code that was given: whether a label holds it or not."""
    arbitrated: Figure | None
    """Share of records with two labels, or given up on, that went to arbitration; ``None``: there is none yet."""
    model_agreement: Figure | None
    """Share of blind labels that the model's vote agrees with; ``None``: the model does not vote."""
    overlap: Figure | None
    """How far the words that people marked and the model's coincide (see :mod:`.highlights`); ``None``: no label of
    the same code has both."""
    people: tuple[Person, ...]


RESAMPLES = 200
"""Bootstrap resamples of alpha: the page is looked at often."""
MIN_SKILL = 10
"""Blind labels that a person must have given before a skill is shown."""


def overview(store: Store, campaign: Campaign, *, by: str) -> Overview:
    """Return the state of a campaign.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    found = results(store, campaign, by=by)
    round_ = [result for result in found if not result.audit]
    slots, roles = campaign_slots.c, campaign_roles.c
    with store.read() as connection:
        need_role(connection, campaign, by, "lead")
        counts = connection.execute(
            select(slots.stage, slots.state, func.count())
            .where(slots.campaign == campaign.id)
            .group_by(slots.stage, slots.state)
        ).all()
        held: dict[str, list[Role]] = {}
        for row in connection.execute(
            select(roles.user, roles.role).where(roles.campaign == campaign.id).order_by(roles.time)
        ):
            held.setdefault(row.user, []).append(row.role)
    queue: dict[Stage, tuple[int, int, int]] = {}
    for stage in STAGES:
        by_state = Counter({state: number for at, state, number in counts if at == stage})
        finished = by_state["done"] + by_state["skipped"]
        queue[stage] = (by_state["open"], by_state["held"] + by_state["voting"], finished)
    pairs = [
        [one.blind for one in result.given if one.stage == "annotation" and one.blind is not None]
        for result in round_
    ]
    double = [pair for pair in pairs if len(pair) == 2]
    voted = [
        result.vote.code in one.blind
        for result in round_
        if result.vote is not None and result.vote.code is not None
        for one in result.given
        if one.stage == "annotation" and one.blind is not None
    ]
    sent = [
        result.state == "arbitration" or any(one.stage == "arbitration" for one in result.given)
        for result in round_
        if result.state in ("arbitration", "settled", "excluded")
    ]
    skills = _skills(found)
    return Overview(
        records=dict(Counter(result.state for result in round_)),
        audit=dict(Counter(result.state for result in found if result.audit)),
        queue=queue,
        agreement=proportion(sum(a == b for a, b in double), len(double)) if double else None,
        alpha=_alpha(found) if double else None,
        by_code=_by_code(found, campaign) if double and campaign.scheme.multi else (),
        arbitrated=proportion(sum(sent), len(sent)) if sent else None,
        model_agreement=proportion(sum(voted), len(voted)) if voted else None,
        overlap=overlap(found),
        people=tuple(_person(name, tuple(own), found, skills.get(name)) for name, own in held.items()),
    )


def _skills(found: list[Result]) -> dict[str, float]:
    votes, people = blind_votes(found)
    if votes is None:
        return {}
    truth = dawid_skene(votes)
    return {
        name: float(skill)
        for name, skill, count in zip(people, truth.skill, truth.votes, strict=True)
        if count >= MIN_SKILL and math.isfinite(skill)
    }


def _alpha(found: list[Result]) -> Agreement | None:
    votes, _ = blind_votes(found)
    return None if votes is None else krippendorff_alpha(votes, resamples=RESAMPLES)


def _by_code(found: list[Result], campaign: Campaign) -> tuple[tuple[Code, Agreement], ...]:
    used = {code for result in found for one in result.given for code in one.blind or ()}
    rows = []
    for code in campaign.scheme.codes:
        votes, _ = blind_votes(found, code) if code in used else (None, ())
        if votes is not None:
            rows.append((code, krippendorff_alpha(votes, resamples=RESAMPLES)))
    return tuple(rows)


def _person(name: str, roles: tuple[Role, ...], found: list[Result], skill: float | None) -> Person:
    mine = [(result, one) for result in found for one in result.given if one.annotator == name]
    labels = [(result, one) for result, one in mine if one.codes is not None]
    times = [one.seconds for _, one in labels if one.seconds is not None]
    judged = [
        one.blind == result.final
        for result, one in labels
        if one.stage == "annotation"
        and result.state == "settled"
        and any(other.stage == "arbitration" for other in result.given)
    ]
    return Person(
        name=name,
        roles=roles,
        labels=len(labels),
        passed=len(mine) - len(labels),
        pace=median(times) if times else None,
        upheld=proportion(sum(judged), len(judged)) if judged else None,
        skill=skill,
        reconsidered=sum(one.blind != one.codes for _, one in labels),
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """One's own progress, which everybody may see."""

    done: int
    """Cases decided, passed on included."""
    pace: float | None
    """Median seconds of the last cases; ``None``: none yet."""


def own_pace(store: Store, campaign: Campaign, user: str, stage: Stage, *, last: int = 20) -> Pace:
    """Return one's own progress in a stage, over the ``last`` cases for the pace."""
    slots, decisions = campaign_slots.c, campaign_decisions.c
    mine = (slots.campaign == campaign.id, slots.annotator == user, slots.stage == stage)
    with store.read() as connection:
        done = connection.execute(
            select(func.count()).where(*mine, slots.state.in_(("done", "skipped")))
        ).scalar_one()
        times = connection.execute(
            select(decisions.seconds)
            .join(campaign_slots, slots.id == decisions.slot)
            .where(*mine, decisions.kind.in_(("label", "skip")), decisions.seconds.is_not(None))
            .order_by(decisions.id.desc())
            .limit(last)
        ).scalars()
        seconds = [float(value) for value in times]
    return Pace(int(done), median(seconds) if seconds else None)
