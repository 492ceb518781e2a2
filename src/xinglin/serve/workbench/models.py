"""The models page: versions, where each comes from, its evidence, the gate's verdict, two versions side by side."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.apps.diagnosis.wording import Lang
from xinglin.ledger.credit.settle import Proposal
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.release.registry.difference import Difference, difference
from xinglin.release.registry.record import find, lineage, models, versions
from xinglin.release.registry.rewards import GrantUsed, grants_of, rewards_of
from xinglin.release.registry.version import Version
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.federation import local
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.models_lineage import Edges, drawing
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.store import Store

EVIDENCE = 40
"""Newest pieces of evidence that are listed."""
LONGEST = 160
"""Characters of a value in a table."""
TRY = "xinglin model register FOLDER"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page reads of the store."""

    names: tuple[str, ...]
    known: tuple[Version, ...]
    """All versions of the model that is looked at, newest first, without evidence."""
    version: Version | None
    edges: Edges
    differences: tuple[Difference, ...]
    grants: tuple[GrantUsed, ...] = ()
    payouts: tuple[Proposal, ...] = ()


def read(store: Store, name: str | None, number: str | None, other: str | None) -> Shown:
    """Read a model from the store: the newest version against the one before it, unless others are named."""
    with store.read() as connection:
        names = tuple(models(connection))
        if not names:
            return Shown((), (), None, [], ())
        name = name if name in names else names[0]
        known = tuple(reversed(versions(connection, name)))
        numbers = [one.number for one in known]
        chosen = number if number in numbers else numbers[0]
        version = find(connection, name, chosen)
        before = _other(numbers, chosen, other)
        apart = () if before is None else tuple(difference(find(connection, name, before), version))
        used, paid = tuple(grants_of(connection, version)), tuple(rewards_of(connection, version))
        return Shown(names, known, version, lineage(connection, version), apart, used, paid)


def _other(numbers: list[str], chosen: str, wanted: str | None) -> str | None:
    """The version to compare with: the one wanted, else the one before, else any other."""
    rest = [number for number in numbers if number != chosen]
    if wanted in rest:
        return wanted
    earlier = numbers[numbers.index(chosen) + 1 :]
    return earlier[0] if earlier else (rest[0] if rest else None)


def versions_card(known: tuple[Version, ...], chosen: str, lang: Lang) -> Markup:
    """Return the versions as a table."""
    rows = [
        tag(
            "tr",
            tag("th", verbatim(one.number), scope="row"),
            tag("td", tag("span", say(f"stage_{one.stage}", lang), cls=f"xl-pill xm-{one.stage}")),
            tag("td", say(f"change_{one.change}", lang)),
            tag("td", local(one.time)),
            tag("td", verbatim(one.actor)),
            tag("td", str(one.seq)),
            cls="xm-chosen" if one.number == chosen else None,
        )
        for one in known
    ]
    heads = ("model_number", "model_stage", "model_change", "model_time", "model_by", "model_entry")
    return _card("layers", say("model_versions", lang), _table(heads, rows, lang))


def lineage_card(version: Version, edges: Edges, lang: Lang) -> Markup:
    """Return where a version comes from."""
    return _card(
        "branch",
        say("model_lineage", lang),
        tag("div", drawing(version, edges, lang), cls="xl-scroll"),
        tag("p", tag("small", say("model_lineage_hint", lang)), cls="xl-muted"),
    )


def rewards_card(grants: tuple[GrantUsed, ...], payouts: tuple[Proposal, ...], lang: Lang) -> Markup:
    """Return the grants that a version rests on, and the payouts that reward its data."""
    rows = [
        tag(
            "tr",
            tag("th", verbatim(one.dataset), scope="row"),
            tag("td", verbatim(one.grantee or f"{(one.digest or '')[:16]}…")),
            tag("td", verbatim(one.purpose)),
            tag("td", verbatim(one.by)),
            tag("td", local(one.time)),
        )
        for one in grants
    ]
    paid = [
        tag(
            "tr",
            tag("th", verbatim(f"{one.id} · {share.site}"), scope="row"),
            tag("td", f"{share.points / 100:.2f} %"),
            tag("td", say(f"payout_{one.state}", lang)),
            tag("td", verbatim(share.steward)),
            tag("td", local(share.claimed) if share.claimed else "—"),
        )
        for one in payouts
        for share in one.shares
    ]
    used = ("model_data", "model_reader", "model_purpose", "model_by", "model_granted")
    given = ("model_payout", "model_share", "model_stage", "model_steward", "model_taken")
    return _card(
        "shield",
        say("model_rewards", lang),
        _table(used, rows, lang) if rows else tag("p", say("model_no_grants", lang), cls="xl-muted"),
        _table(given, paid, lang) if paid else tag("p", say("model_no_payouts", lang), cls="xl-muted"),
    )


def gate_card(version: Version, lang: Lang) -> Markup:
    """Return the newest verdict of the gate."""
    verdicts = version.of_kind("gate")
    heading = say("model_gate", lang)
    if not verdicts:
        return _card("door", heading, tag("p", say("model_no_gate", lang), cls="xl-muted"))
    content = verdicts[-1].content
    rows = [
        tag(
            "tr",
            tag("td", _verdict(check["passed"], lang)),
            tag("th", verbatim(check["name"]), scope="row"),
            tag("td", verbatim(_short(check["found"]))),
            tag("td", verbatim(_short(check["wanted"]))),
        )
        for check in content["checks"]
    ]
    head = tag("p", _verdict(content["passed"], lang), " ", local(verdicts[-1].time))
    return _card(
        "door", heading, head, _table(("model_stage", "gate_check", "gate_found", "gate_wanted"), rows, lang)
    )


def evidence_card(version: Version, lang: Lang) -> Markup:
    """Return the evidence, newest first; verdicts have a card of their own."""
    items = [item for item in reversed(version.evidence) if item.kind != "gate"]
    heading = say("model_evidence", lang)
    if not items:
        return _card("page", heading, tag("p", say("model_no_evidence", lang), cls="xl-muted"))
    rows = [
        tag(
            "tr",
            tag("th", verbatim(item.kind), scope="row"),
            tag("td", verbatim(_short(_told(item.content)))),
            tag("td", verbatim(item.actor), cls="xm-by"),
            tag("td", str(item.seq)),
        )
        for item in items[:EVIDENCE]
    ]
    table = _table(("model_kind", "model_says", "model_by", "model_entry"), rows, lang)
    left = len(items) - EVIDENCE
    command = f"xinglin model show {version.name}@{version.number}"
    more = tag("p", tag("small", say("model_more", lang, count=left, command=command))) if left > 0 else None
    return _card("page", heading, table, more)


def difference_card(
    apart: tuple[Difference, ...], before: str | None, version: Version, lang: Lang
) -> Markup:
    """Return two versions side by side."""
    heading = say("model_difference", lang)
    if before is None:
        return _card("list", heading, tag("p", say("model_one", lang), cls="xl-muted"))
    if not apart:
        return _card("list", heading, tag("p", say("model_same", lang), cls="xl-muted"))
    rows = [
        tag(
            "tr",
            tag("td", verbatim(one.part)),
            tag("th", verbatim(one.name or "—"), scope="row"),
            tag("td", verbatim(_short(_value(one.before)))),
            tag("td", verbatim(_short(_value(one.after)))),
        )
        for one in apart
    ]
    names = [say("model_part", lang), "", before, version.number]
    head = tag("tr", [tag("th", verbatim(name), scope="col") for name in names])
    grid = tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table")
    return _card("list", heading, tag("div", grid, cls="xl-scroll"))


def empty_card(lang: Lang) -> Markup:
    """Return what stands where nothing is registered."""
    how = say("models_how", lang, command="\0").split("\0")
    return tag(
        "section",
        tag("p", say("models_none", lang)),
        tag("p", how[0], tag("code", verbatim(TRY)), how[1], cls="xl-muted"),
        cls="xl-card",
    )


def _verdict(passed: bool, lang: Lang) -> Markup:
    word = "gate_passed" if passed else "gate_failed"
    return tag("span", say(word, lang), cls=f"xl-pill xm-{'released' if passed else 'failed'}")


def _table(heads: tuple[str, ...], rows: list[Markup], lang: Lang) -> Markup:
    head = tag("tr", [tag("th", say(word, lang), scope="col") for word in heads])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table"), cls="xl-scroll")


def _card(picture: str, heading: str, *content: Markup | None) -> Markup:
    return tag("section", tag("h2", icon(picture), heading), content, cls="xl-card")


def _told(content: dict[str, Any]) -> str:
    """Figures as a person writes them, other content as JSON without its long parts."""
    if {"name", "value", "low", "high", "n"} <= content.keys():
        group = content.get("group")
        where = f" · {group['kind']} {group['value']}" if group else ""
        weak = " · 弱标签 weak" if content.get("weak") else ""
        figure = f"{content['value']:.4g} [{content['low']:.4g}, {content['high']:.4g}], n {content['n']}"
        return f"{content['name']} {figure} · {content.get('data', '')}{where}{weak}"
    short = {key: value for key, value in content.items() if key not in ("lock", "points", "signature")}
    return "; ".join(f"{key} {_value(value)}" for key, value in short.items())


def _value(value: Any) -> str:
    return (
        "—" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class ModelsPage:
    """The page: what is chosen."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.name: str | None = None
        self.number: str | None = None
        self.other: str | None = None

    def build(self) -> None:
        """Draw the frame of the page."""
        say = self.visitor.say
        fragment(
            tag(
                "div",
                tag("h1", icon("layers", 22), say("models")),
                tag("p", say("models_hint"), cls="xl-muted"),
                cls="xl-title",
            )
        )
        self.choices = ui.element("div").classes("xf-choices")
        with self.choices:
            self.chosen = {
                key: self._select(word, key)
                for key, word in (
                    ("model", "model_choose"),
                    ("version", "model_before"),
                    ("other", "model_after"),
                )
            }
        self.place = ui.element("div").classes("xf-column")

    def _select(self, word: str, key: str) -> Any:
        with ui.element("div").classes("xf-choice"):
            fragment(tag("span", self.visitor.say(word), cls="xl-label", aria_hidden="true"))
            choose = ui.select({}, on_change=self.visitor.guarded(self._changed))
            choose.props(f"outlined dense options-dense data-key={key}")
        choose.props["aria-label"] = self.visitor.say(word)
        return choose

    async def _changed(self) -> None:
        values = tuple(self.chosen[key].value for key in ("model", "version", "other"))
        if values != (self.name, self.number, self.other):
            another = values[0] != self.name
            self.name, self.number, self.other = (values[0], None, None) if another else values
            await self.fill()

    async def fill(self) -> None:
        """Read the registry and draw it."""
        shown = await asyncio.to_thread(read, self.visitor.desk.store, self.name, self.number, self.other)
        lang, version = self.visitor.lang, shown.version
        self.choices.set_visibility(version is not None)
        self.place.clear()
        if version is None:
            with self.place:
                fragment(empty_card(lang))
            return
        numbers = [one.number for one in shown.known]
        rest = [number for number in numbers if number != version.number]
        self.name, self.number = version.name, version.number
        self.other = _other(numbers, version.number, self.other)
        self.chosen["model"].set_options(list(shown.names), value=self.name)
        self.chosen["version"].set_options(numbers, value=self.number)
        self.chosen["other"].set_options(rest, value=self.other)
        with self.place:
            fragment(versions_card(shown.known, version.number, lang))
            fragment(lineage_card(version, shown.edges, lang))
            fragment(rewards_card(shown.grants, shown.payouts, lang))
            fragment(gate_card(version, lang))
            fragment(difference_card(shown.differences, self.other, version, lang))
            fragment(evidence_card(version, lang))


def register() -> None:
    """Register the page."""

    @ui.page("/models")
    async def models_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "models"):
            await ui.context.client.connected()
            page = ModelsPage(visitor)
            page.build()
        await visitor.guarded(page.fill)()
