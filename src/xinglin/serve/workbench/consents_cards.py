"""What the rows of the consents page say."""

from __future__ import annotations

from datetime import datetime

from xinglin.apps.diagnosis.wording import Lang
from xinglin.ledger.consents import GrantStanding, Standing, Use
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.consents import Reach, Verified
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say

LOOKS = {"proven": ("xc-yes", "check"), "unsigned": ("xc-wait", "clock"), "broken": ("xc-bad", "alarm")}


def standing_row(one: Standing, as_steward: bool, lang: Lang) -> Markup:
    """Return what holds for one purpose; without a basis of the data set, some may have consented themselves."""
    uncovered = "consent_only_own" if as_steward else "consent_not_covered"
    word = {"subject": "consent_of_subject", "data set": "consent_of_dataset", "none": "consent_of_none"}[
        one.of
    ]
    return _told(
        tag("b", purpose(one.purpose, lang)),
        _pill(one.covered, "consent_covered", uncovered, lang),
        None if as_steward and one.of == "none" else tag("span", say(word, lang)),
        tag("small", say("consent_since", lang, since=when(one.since)), cls="xl-muted")
        if one.since
        else None,
        tag("small", say("consent_until", lang, until=when(one.expires)), cls="xl-muted")
        if one.expires
        else None,
        tag("small", verbatim(say("consent_basis", lang, basis=one.basis)), cls="xl-muted")
        if one.basis
        else None,
    )


def grant_row(one: GrantStanding, lang: Lang) -> Markup:
    """Return a grant as it stands."""
    return _told(
        tag("b", verbatim(one.grantee)),
        _pill(one.in_force, "consent_in_force", "consent_ended", lang),
        tag("span", purpose(one.purpose, lang)),
        tag("small", verbatim(say("consent_granted_by", lang, by=one.by)), cls="xl-muted"),
        tag("small", say("consent_since", lang, since=when(one.since)), cls="xl-muted"),
        tag("small", say("consent_until", lang, until=when(one.expires)), cls="xl-muted")
        if one.expires
        else None,
    )


def use_row(one: Use, lang: Lang) -> Markup:
    """Return an entry of the audit chain: when, who, what."""
    return _told(
        tag("time", when(one.time), datetime=one.time),
        tag("b", verbatim(one.actor)),
        tag("span", say(f"act_{one.action}", lang)),
        tag("span", purpose(one.purpose, lang)) if one.purpose else None,
        tag("span", verbatim(f"→ {one.grantee}")) if one.grantee else None,
        tag("span", say("consent_records", lang, count=f"{one.records:,}"), cls="xc-number")
        if one.records is not None
        else None,
        None if one.mine is None else _pill(one.mine, "consent_mine_yes", "consent_mine_no", lang),
        tag("small", say("consent_entry", lang, seq=one.seq), cls="xl-muted xc-number"),
    )


def verdict(found: Verified, lang: Lang) -> Markup:
    """Return the result of a check, plainly."""
    look, picture = LOOKS[found.state]
    more = None
    if found.head is not None and found.signed is not None:
        values = {"signed": when(found.signed), "head": found.head, "begins": found.key}
        more = tag("p", tag("small", say("consent_proven_more", lang, **values)), cls="xl-muted")
    return tag(
        "div",
        tag("p", icon(picture, 20), say(f"consent_{found.state}", lang), cls=f"xc-verdict {look}"),
        more,
    )


def reached(found: Reach, lang: Lang) -> Markup:
    """Return what was made of the data."""
    parts = [
        ("consent_reach_models", [f"{name} · {say(f'stage_{stage}', lang)}" for name, stage in found.models]),
        ("consent_reach_jobs", [name for name, _ in found.jobs]),
        ("consent_reach_labels", list(found.labels)),
    ]
    there = [(word, names) for word, names in parts if names]
    if not there:
        return tag("p", say("consent_reach_none", lang), cls="xl-muted")
    items = [tag("li", say(word, lang), ": ", verbatim(", ".join(names))) for word, names in there]
    return tag("div", tag("p", say("consent_reach", lang)), tag("ul", items, cls="xc-reach"))


def purpose(name: str | None, lang: Lang) -> str:
    """Return a purpose in the visitor's language."""
    return say(f"purpose_{name}", lang)


def when(time: str | None) -> str:
    """Return a UTC time in this machine's zone, to the minute."""
    return "—" if time is None else datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")


def _pill(good: bool, yes: str, no: str, lang: Lang) -> Markup:
    return tag("span", say(yes if good else no, lang), cls=f"xl-pill {'xc-yes' if good else 'xc-no'}")


def _told(*parts: Markup | None) -> Markup:
    return tag("div", parts, cls="xc-told")
