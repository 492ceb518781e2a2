"""The cards of the challenge pages: list, rules, board, hospitals, one's own entries. HTML by construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from xinglin.apps.diagnosis.wording import Lang
from xinglin.measure.markup import Child, Markup, tag, verbatim
from xinglin.release.challenge.board import Row
from xinglin.release.challenge.manifest import Said
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.record import Challenge, Entered
from xinglin.serve.workbench.federation import local
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say

CREATE = "xinglin challenge create MANIFEST --hidden FILE --out FILE"


def list_card(found: Sequence[tuple[Challenge, int]], now: datetime, lang: Lang) -> Markup:
    """Return all challenges, each with the number of its entrants."""
    if not found:
        how = say("challenges_how", lang, command="\0").split("\0")
        return tag(
            "section",
            tag("p", say("challenges_none", lang)),
            tag("p", how[0], tag("code", verbatim(CREATE)), how[1], cls="xl-muted"),
            cls="xl-card",
        )
    items = [
        tag(
            "a",
            tag("div", tag("h2", _said(one.manifest.title, lang)), phase_pill(one, now, lang), cls="xc-head"),
            tag("p", _said(one.manifest.task, lang)),
            tag(
                "p",
                dates(one, lang),
                f" · {say('board_entrant', lang)} {entrants}",
                cls="xl-muted",
            ),
            href=f"/challenges/{one.name}",
            cls="xl-card xc-item",
        )
        for one, entrants in found
    ]
    return tag("div", items, cls="xf-column")


def phase_pill(one: Challenge, now: datetime, lang: Lang) -> Markup:
    """Return where a challenge stands as a word with a colour."""
    phase = one.phase(now)
    return tag("span", say(f"phase_{phase}", lang), cls=f"xl-pill xc-{phase}")


def dates(one: Challenge, lang: Lang) -> str:
    """Return when a challenge is open."""
    return say("challenge_dates", lang, opens=local(one.manifest.opens), closes=local(one.manifest.closes))


def rules_card(one: Challenge, lang: Lang) -> Markup:
    """Return task, rules, data and commitments."""
    manifest, committed = one.manifest, one.manifest.committed()
    metric = METRICS[manifest.metric]
    final = committed.cases - committed.board
    facts: list[tuple[str, Child]] = [
        ("challenge_metric", metric.zh if lang == "zh" else metric.en),
        (
            "challenge_test",
            say("challenge_test_is", lang, cases=committed.cases, board=committed.board, final=final),
        ),
        ("challenge_daily", str(manifest.daily)),
        ("challenge_kinds", "; ".join(say(f"kind_{kind}", lang) for kind in manifest.entries)),
        ("challenge_organiser", verbatim(one.organiser)),
    ]
    if manifest.public is not None:
        public = manifest.public
        facts.append(
            (
                "challenge_public",
                [
                    verbatim(f"{public.file}, {public.rows}, {public.source}, {public.licence}; "),
                    say("challenge_recipe", lang),
                    " ",
                    tag("code", verbatim(public.recipe)),
                ],
            )
        )
    for part, value in (("inputs", committed.inputs), ("labels", committed.labels)):
        facts.append(
            (
                "challenge_commitment",
                [say(f"commitment_{part}", lang), " ", tag("code", value, cls="xc-digest")],
            )
        )
    rows = [tag("div", tag("dt", say(word, lang)), tag("dd", value)) for word, value in facts]
    rules = [tag("li", _said(rule, lang)) for rule in manifest.rules]
    return _card(
        "book",
        say("challenge_rules", lang),
        tag("p", _said(manifest.task, lang)),
        tag("ul", rules, cls="xc-rules") if rules else None,
        tag("p", say("challenge_ladder", lang), cls="xl-muted"),
        tag("dl", rows, cls="xc-facts"),
    )


def board_card(one: Challenge, rows: Sequence[Row], lang: Lang) -> Markup:
    """Return the board with what ranks mean."""
    heading = say("board_final" if one.closed else "board_open", lang)
    if not rows:
        return _card("list", heading, tag("p", say("board_none", lang), cls="xl-muted"))
    metric = METRICS[one.manifest.metric]
    groups = list(dict.fromkeys(name for row in rows for name in row.groups))
    heads: list[tuple[Child, str | None]] = [
        (say("board_rank", lang), "xl-number"),
        (say("board_entrant", lang), None),
        (metric.zh if lang == "zh" else metric.en, "xl-number"),
        (say("board_figure", lang), "xl-number"),
        (say("board_tries", lang), "xl-number"),
        *((verbatim(name), "xl-number") for name in groups),
    ]
    lines = [
        tag(
            "tr",
            tag("td", str(row.rank), cls="xl-number xc-rank"),
            tag(
                "th",
                verbatim(row.entrant),
                tag("span", say("board_baseline", lang), cls="xl-pill xc-ended") if row.baseline else None,
                tag("small", verbatim(row.title)),
                scope="row",
            ),
            tag("td", f"{row.figure.value:.4f}", cls="xl-number"),
            tag("td", f"{row.figure.low:.3f} – {row.figure.high:.3f}, n {row.figure.n}", cls="xl-number"),
            tag("td", str(row.entries), cls="xl-number"),
            [tag("td", _group(row, name), cls="xl-number") for name in groups],
        )
        for row in rows
    ]
    notes = [say("board_ties", lang, alpha=f"{one.manifest.alpha:g}")]
    if not one.closed:
        notes.append(say("board_groups_later", lang))
    return _card(
        "list",
        heading,
        _table(heads, lines),
        tag("p", tag("small", " ".join(notes)), cls="xl-muted"),
    )


def sites_card(reports: Sequence[Mapping[str, Any]], lang: Lang) -> Markup | None:
    """Return what hospitals measured at home, or nothing where none did."""
    if not reports:
        return None
    lines = [
        tag(
            "tr",
            tag("th", verbatim(str(told["site"])), scope="row"),
            tag("td", tag("code", verbatim(str(told["model"])[:12] + "…"))),
            tag("td", f"{told['value']:.4f}", cls="xl-number"),
            tag("td", f"{told['low']:.3f} – {told['high']:.3f}, n {told['n']}", cls="xl-number"),
        )
        for told in reports
    ]
    heads: list[tuple[Child, str | None]] = [
        (say("site", lang), None),
        (say("site_model", lang), None),
        (say("challenge_metric", lang), "xl-number"),
        (say("board_figure", lang), "xl-number"),
    ]
    return _card("shield", say("board_sites", lang), _table(heads, lines))


def mine_card(one: Challenge, entries: Sequence[Entered], lang: Lang) -> Markup:
    """Return one's own entries, each with what one was told and its receipt."""
    heading = say("challenge_mine", lang)
    if not entries:
        return _card("person", heading, tag("p", say("mine_none", lang), cls="xl-muted"))
    lines = []
    for entry in reversed(entries):
        told = entry.told
        value = verbatim(str(told["reason"])) if entry.state == "failed" else f"{told['value']:.4f}"
        barriers = told.get("barriers")
        under = f"{say('mine_barriers', lang)}: {', '.join(barriers)}" if barriers else None
        lines.append(
            tag(
                "tr",
                tag("td", str(entry.id), cls="xl-number"),
                tag("th", verbatim(entry.title), tag("small", local(entry.time)), scope="row"),
                tag("td", tag("span", say(f"entry_{entry.state}", lang), cls=f"xl-pill xc-{entry.state}")),
                tag("td", value, tag("small", under) if under else None),
                tag(
                    "td",
                    tag(
                        "a",
                        say("mine_get", lang),
                        href=f"/api/challenges/{one.name}/entries/{entry.id}/receipt",
                        download=f"{one.name}-{entry.id}-receipt.json",
                    ),
                ),
            )
        )
    heads: list[tuple[Child, str | None]] = [
        (say("mine_number", lang), "xl-number"),
        (say("board_title", lang), None),
        (say("mine_state", lang), None),
        (say("challenge_metric", lang), None),
        (say("mine_proof", lang), None),
    ]
    return _card("person", heading, _table(heads, lines))


def _group(row: Row, name: str) -> str:
    figure = row.groups.get(name)
    return "—" if figure is None else f"{figure.value:.3f} ({figure.n})"


def _said(text: Said, lang: Lang) -> Markup:
    return verbatim(text.zh if lang == "zh" else text.en)


def _table(heads: Sequence[tuple[Child, str | None]], rows: Sequence[Markup]) -> Markup:
    head = tag("tr", [tag("th", name, scope="col", cls=cls) for name, cls in heads])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table"), cls="xl-scroll")


def _card(picture: str, heading: str, *content: Markup | None) -> Markup:
    return tag("section", tag("h2", icon(picture), heading), content, cls="xl-card")
