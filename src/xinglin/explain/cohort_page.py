"""The page of a cohort: what the model goes by over a data set, as a beeswarm, by class, by subgroup, with its checks.

Pure: a cohort in, one self-contained HTML document out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xinglin.explain.beeswarm import beeswarm_svg
from xinglin.explain.cohort import Check, Cohort, Trust
from xinglin.explain.overview import Driver, Subgroup
from xinglin.explain.phrases import Lang, pair, plain, say, shown, signed
from xinglin.explain.sheet import card, document, made, masthead, versions_card
from xinglin.explain.trust import failures_of
from xinglin.measure import Figure
from xinglin.measure.markup import Child, Markup, tag, verbatim

SHOWN = 20
"""Units of the beeswarm and its table."""
CLASSES, CLASS_ROWS = 6, 6
"""Classes with a card of their own, and units in each."""
CLASS_CASES = 5
"""Cases below which a class has no card: its means would be of those cases, not of the class."""
GROUP_ROWS = 10


def cohort_page(cohort: Cohort, lang: Lang = "both") -> str:
    """Return the page as one HTML document; it needs no other file, no script and no network.

    Raises:
        MissingExtraError: matplotlib, which draws the beeswarm, is not installed.
    """
    title = f"{cohort.source} · {plain(pair('cohort'), lang)}"
    content = [
        masthead(say("cohort", lang), [_facts(cohort, lang), made(cohort.time, lang)], lang),
        _intro(cohort, lang),
        _drivers(cohort, lang),
        _classes(cohort, lang),
        _subgroups(cohort, lang),
        card("cohort_trust", lang, _trust(cohort.trust, lang)),
        versions_card(cohort.versions, cohort.time, lang),
    ]
    return document(title, content, lang)


def _facts(cohort: Cohort, lang: Lang) -> list[Markup]:
    return [
        tag("span", tag("small", say("cohort_source", lang)), " ", verbatim(cohort.source)),
        tag("span", tag("small", say("cohort_cases", lang)), f" {cohort.overview.cases}"),
    ]


def _intro(cohort: Cohort, lang: Lang) -> Markup:
    explained = (
        say("cohort_first", lang) if cohort.target is None else say("cohort_target", lang, name=cohort.target)
    )
    facts = [explained, say(f"method_{cohort.method}", lang)]
    if cohort.abstained:
        facts.append(say("cohort_abstained", lang, count=cohort.abstained, of=cohort.overview.cases))
    if cohort.left_out:
        facts.append(say("cohort_left_out", lang, count=sum(cohort.left_out.values())))
    facts.append(say("cohort_meaning", lang))
    listed = tag("ul", [tag("li", fact) for fact in facts], cls="xw-facts-list")
    digest = tag("p", tag("code", verbatim(f"SHA-256 {cohort.digest}"))) if cohort.digest else None
    return tag("section", _alarm(cohort.trust, lang), listed, digest, cls="xw-card")


def _alarm(trust: Trust | None, lang: Lang) -> Markup | None:
    failed = [check.name for check in trust.checks if check.failed] if trust is not None else []
    if not failed:
        return None
    words = say("trust_bad", lang, count=len(failed), names=failures_of(failed))
    return tag("p", tag("b", "✗ ", aria_hidden="true"), words, cls="xw-alarm", role="alert")


def _drivers(cohort: Cohort, lang: Lang) -> Markup:
    listed = cohort.overview.drivers[:SHOWN]
    if not listed:
        return card("drivers", lang, tag("p", say("drivers_none", lang), cls="xw-remark"))
    english = lang == "en"
    names = {driver.name: cohort.named(driver.name)[1] for driver in listed} if english else {}
    drawn = beeswarm_svg(
        replace(cohort.overview, drivers=listed), lang="en" if english else "zh", names=names
    )
    head = [say(name, lang) for name in ("unit", "cases", "mean_strength", "mean_direction")]
    rows = [
        [
            shown(cohort.named(driver.name), lang),
            str(driver.strength.n),
            _interval(driver.strength),
            _direction(driver.direction),
        ]
        for driver in listed
    ]
    return card(
        "drivers",
        lang,
        tag("figure", Markup(drawn), cls="xw-picture", role="img", aria_label=plain(pair("drivers"), lang)),
        tag("p", say("drivers_hint", lang), cls="xw-muted"),
        tag("details", tag("summary", say("as_table", lang)), _table(head, rows), open=True),
    )


def _classes(cohort: Cohort, lang: Lang) -> Markup | None:
    """The strongest units of each class with enough cases."""
    if cohort.target is not None:
        return None
    counts = cohort.class_cases
    chosen = [name for name in cohort.overview.by_class if counts[name] >= CLASS_CASES][:CLASSES]
    if not chosen:
        return card(
            "by_class", lang, tag("p", say("by_class_none", lang, count=CLASS_CASES), cls="xw-remark")
        )
    cards = [
        tag(
            "div",
            tag("h3", shown(cohort.named(name), lang), tag("small", f" n={counts[name]}")),
            _bars(cohort, cohort.overview.by_class[name][:CLASS_ROWS], lang),
        )
        for name in chosen
    ]
    hidden = len(counts) - len(chosen)
    more = tag("p", say("by_class_more", lang, count=hidden), cls="xw-muted") if hidden else None
    return card("by_class", lang, tag("div", cards, cls="xw-classes"), more)


def _bars(cohort: Cohort, drivers: Sequence[Driver], lang: Lang) -> Markup:
    if not drivers:
        return tag("p", say("drivers_none", lang), cls="xw-remark")
    widest = max(abs(driver.direction) for driver in drivers) or 1.0
    rows = [
        tag(
            "li",
            tag("span", shown(cohort.named(driver.name), lang)),
            tag(
                "div",
                tag(
                    "i",
                    cls="xw-bar-for" if driver.direction > 0 else "xw-bar-against",
                    style=f"width:{100 * abs(driver.direction) / widest:.1f}%",
                ),
                cls="xw-share",
            ),
            _direction(driver.direction),
        )
        for driver in drivers
    ]
    return tag("ul", rows, cls="xw-class")


def _subgroups(cohort: Cohort, lang: Lang) -> Markup:
    groups = [group for group in cohort.overview.subgroups if group.cases]
    if not groups:
        return card("subgroups", lang, tag("p", say("subgroups_none", lang), cls="xw-remark"))
    listed = cohort.overview.drivers[:GROUP_ROWS]
    head: list[Child] = [say("unit", lang)]
    head += [[shown(cohort.named(group.value), lang), tag("small", f" n={group.cases}")] for group in groups]
    rows = [
        [shown(cohort.named(driver.name), lang), *(_cell(group, driver.name) for group in groups)]
        for driver in listed
    ]
    stated = [
        say("subgroup_stated", lang, name=cohort.named(name), count=count, of=cohort.overview.cases)
        for name, count in cohort.stated.items()
    ]
    told = tag("p", [[item, " "] for item in stated], say("subgroups_hint", lang), cls="xw-muted")
    return card("subgroups", lang, _table(head, rows), told)


def _cell(group: Subgroup, name: str) -> Child:
    for driver in group.drivers:
        if driver.name == name:
            return [_direction(driver.direction), tag("small", f" n={driver.strength.n}")]
    return tag("span", "·", cls="xw-muted")


def _trust(trust: Trust | None, lang: Lang) -> list[Child]:
    if trust is None:
        return [tag("p", say("trust_none", lang), cls="xw-alarm")]
    head = [say(name, lang) for name in ("check", "this", "chance", "gain")]
    rows = [_check(check, lang) for check in trust.checks]
    passed = trust.passed
    words = say(
        "cohort_passed",
        lang,
        count=round(passed.value * passed.n),
        of=passed.n,
        low=f"{passed.low:.0%}",
        high=f"{passed.high:.0%}",
    )
    return [tag("p", words), _table(head, rows)]


def _check(check: Check, lang: Lang) -> list[Child]:
    sign = tag("b", "✗ " if check.failed else "✓ ", cls="xw-sign-bad" if check.failed else "xw-sign-good")
    return [
        [sign, say(check.name, lang)],
        _interval(check.value),
        "" if check.chance is None else _number(check.chance),
        "" if check.gain is None else _interval(check.gain, plus=True),
    ]


def _table(head: Sequence[Child], rows: Sequence[Sequence[Child]]) -> Markup:
    top = tag("tr", [tag("th", cell, scope="col") for cell in head])
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in rows]
    return tag(
        "div",
        tag("table", tag("thead", top), tag("tbody", body), cls="xw-table xw-figures"),
        cls="xw-wide",
    )


def _interval(figure: Figure, *, plus: bool = False) -> Markup:
    write = signed if plus else _number
    return verbatim(f"{write(figure.value)} [{write(figure.low)}, {write(figure.high)}]")


def _direction(value: float) -> Markup:
    return tag("span", signed(value), cls="xw-word-for" if value > 0 else "xw-word-against")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
