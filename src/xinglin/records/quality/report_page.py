"""The report as one self-contained HTML page: no script, no link to elsewhere, and no content of any record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from xinglin import __version__
from xinglin.measure.markup import Markup, html_page, tag, verbatim
from xinglin.records.quality.charts import percent, share_bar
from xinglin.records.quality.page_groups import balance_section, drift_section
from xinglin.records.quality.report import QualityReport
from xinglin.records.quality.rules import RULES, Rule
from xinglin.records.quality.tally import Outcome, Status
from xinglin.records.quality.words import CONTEXTS, COUNTS, PLACES, STATUSES, both, card
from xinglin.types import DISCLAIMER

STYLE = Path(__file__).with_name("report.css")


def page(report: QualityReport) -> str:
    """Return the report as one HTML document."""
    groups = (drift_section(report), balance_section(report))
    said = (_overview(report), _findings(report), groups, _rest(report), _reading(report))
    main = tag("main", _top(report), said, _foot())
    title = f"{report.name} · 数据质量报告 Data quality"
    return html_page(title, STYLE.read_text(encoding="utf-8"), tag("body", main), "zh-CN")


def _top(report: QualityReport) -> Markup:
    facts = [
        tag("span", tag("b", f"{report.counts[key]:,}"), " ", both(words))
        for key, words in COUNTS.items()
        if report.counts.get(key)
    ]
    brand = tag("p", both(("杏林 · 数据质量报告", "Xinglin · data quality report")), cls="q-brand")
    made = tag("p", verbatim(report.made.replace("T", " ")[:16] + " UTC"), cls="q-muted")
    return tag(
        "header", tag("div", brand, made), tag("h1", verbatim(report.name)), tag("p", facts, cls="q-facts")
    )


def _overview(report: QualityReport) -> Markup:
    """How many rules failed, and which, by their place in the framework."""
    counted = report.by_status()
    numbers = [
        tag(
            "div",
            tag("strong", str(counted[status])),
            tag("span", both(STATUSES[status][1:])),
            cls=f"q-number q-{status}",
        )
        for status in STATUSES
    ]
    worst = _worst(report.outcomes)
    rows = []
    for place, words in PLACES.items():
        cells = [
            tag("td", [_chip(rule, worst[rule.id]) for rule in RULES.values()
                       if rule.subcategory == place and rule.context == context])
            for context in CONTEXTS
        ]  # fmt: skip
        rows.append(tag("tr", tag("th", both(words), scope="row"), cells))
    header = tag("tr", tag("th"), [tag("th", both(words), scope="col") for words in CONTEXTS.values()])
    matrix = tag("table", tag("thead", header), tag("tbody", rows), cls="q-matrix")
    return card(("总览", "At a glance"), tag("div", numbers, cls="q-numbers"), matrix)


def _worst(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    order = list(STATUSES)
    worst: dict[str, Status] = dict.fromkeys(RULES, "none")
    for outcome in outcomes:
        worst[outcome.rule.id] = min(worst[outcome.rule.id], outcome.status, key=order.index)
    return worst


def _chip(rule: Rule, status: Status) -> Markup:
    sign, zh, en = STATUSES[status]
    title = f"{zh} {en}"
    inner = (tag("i", sign, aria_hidden="true"), both(rule.name))
    if status in ("fail", "note"):
        return tag("a", inner, href=f"#{rule.id}", title=title, cls=f"q-chip q-{status}")
    return tag("span", inner, title=title, cls=f"q-chip q-{status}")


def _findings(report: QualityReport) -> list[Markup]:
    """What failed, then what is for the reader to judge; a rule a row group."""
    cards = []
    titles: dict[Status, tuple[str, str]] = {
        "fail": ("未通过:先处理这些", "Failed: see to these first"),
        "note": ("待判断:没有通用的界限", "To judge: no limit fits every set"),
    }
    hint = tag(
        "p",
        both(("不符数 / 已查数,占比及其 95 % 区间", "broken / checked, the share and its 95 % interval")),
        cls="q-muted",
    )
    left_out = {"drift", "text-drift", "shortcut"}
    for status, title in titles.items():
        found = [o for o in report.outcomes if o.status == status and o.rule.id not in left_out]
        if found:
            cards.append(card(title, hint, _table(found), cls=f"q-list q-{status}"))
    if not cards:
        cards.append(card(("没有发现问题", "Nothing was found"), cls="q-pass"))
    return cards


def _table(outcomes: Sequence[Outcome]) -> Markup:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.rule.id, []).append(outcome)
    return tag("div", [_rule(items) for items in groups.values()], cls="q-rules")


def _rule(items: Sequence[Outcome]) -> Markup:
    rule = items[0].rule
    context = CONTEXTS[rule.context]
    place = tag("small", both(PLACES[rule.subcategory]), " · ", both(context), cls="q-muted")
    name = tag("h3", both(rule.name))
    rows = [_outcome(outcome) for outcome in items]
    return tag("article", tag("div", name, place), tag("div", rows), id=rule.id, cls="q-rule")


def _outcome(outcome: Outcome) -> Markup:
    share = outcome.share
    counted = f"{outcome.failed:,} / {outcome.checked:,}"
    figures = [tag("b", counted), " ", tag("span", both(outcome.rule.unit), cls="q-muted")]
    if share is not None:
        figures += [tag("span", verbatim(percent(share)), cls="q-percent")]
    item = tag("p", both(outcome.item), cls="q-item") if any(outcome.item) else None
    # Where every record breaks a rule, a few of them say nothing.
    shown = outcome.examples if outcome.failed < outcome.checked else ()
    named = [tag("code", verbatim(_cut(example))) for example in shown]
    examples = tag("p", tag("small", both(("例", "e.g.")), cls="q-muted"), named) if named else None
    note = tag("p", both(outcome.note), cls="q-muted") if any(outcome.note) else None
    return tag("div", item, tag("div", share_bar(share) if share else None, tag("p", figures), cls="q-figures"), note,
               examples, cls="q-outcome")  # fmt: skip


def _cut(record_id: str) -> str:
    """A record id, shortened in its middle when it is longer than a UUID."""
    return record_id if len(record_id) <= 36 else f"{record_id[:20]}…{record_id[-12:]}"


def _rest(report: QualityReport) -> Markup:
    """Rules that passed, and those with nothing to check, folded."""
    worst = _worst(report.outcomes)
    passed = [
        o for o in report.outcomes if o.status == "pass" and worst[o.rule.id] in ("pass", "fail", "note")
    ]
    rows = [
        tag(
            "tr",
            tag("th", both(outcome.rule.name), scope="row"),
            tag("td", both(outcome.item) if any(outcome.item) else "–"),
            tag("td", f"{outcome.checked:,}"),
            tag("td", f"≤ {100 * outcome.share.high:.2g} %" if outcome.share else "–"),
        )
        for outcome in passed
    ]
    header = tag("tr", [tag("th", both(words), scope="col") for words in (
        ("规则", "rule"), ("项目", "item"), ("已查", "checked"), ("上限", "upper end"))])  # fmt: skip
    table = tag("table", tag("thead", header), tag("tbody", rows), cls="q-plain")
    idle = [rule for rule in RULES.values() if worst[rule.id] == "none"]
    listed = tag("p", [_chip(rule, "none") for rule in idle])
    folded = tag("summary", both((f"通过 {len(passed)} 项", f"{len(passed)} passed")))
    unused = tag(
        "summary", both((f"没有可核查的数据:{len(idle)} 条", f"nothing to check: {len(idle)} rules"))
    )
    return card(
        ("其余规则", "The other rules"),
        tag("details", folded, tag("div", table, cls="q-scroll")),
        tag("details", unused, listed),
    )


def _reading(report: QualityReport) -> Markup:
    options = report.options
    lines = (
        (
            "未通过:占比的 95 % 区间(Wilson)下限高于容许值,多数规则的容许值为 0。待判断:没有容许值,够不够由用途决定。",
            "Failed: the lower end of the share's 95 % interval (Wilson) lies above the tolerance, for most rules zero. "
            "To judge: there is no tolerance; what is enough depends on the use.",
        ),
        (
            "分类依据 Kahn 等 2016 的统一框架。可能范围和单位取自本系统词表:自行编写、未经审阅。",
            "Categories after the harmonised framework of Kahn et al. 2016. Possible ranges and units are those of our "
            "own vocabulary: authored, unreviewed.",
        ),
        (
            f"近似重复:字符三元组的 Jaccard 指数不低于 {options.near_threshold:g}。例子只列记录编号,不含任何内容。",
            f"Near-duplicates: Jaccard index of character 3-grams at least {options.near_threshold:g}. Examples name "
            "records and never show content.",
        ),
        (
            "PSI:群体稳定性指数。D:Kolmogorov-Smirnov 距离。acc:分类器认出中心的正确率,随机为 0.5。",
            "PSI: population stability index. D: Kolmogorov-Smirnov distance. acc: how often a classifier recognises "
            "the site, by chance 0.5.",
        ),
        (
            "通过这些规则不等于数据正确:规则只能发现它们所描述的错误。",
            "Passing does not make the data right: rules find the errors that they describe.",
        ),
    )
    listed = tag("ul", [tag("li", both(line)) for line in lines])
    made = tag(
        "p", tag("code", verbatim(f"xinglin {__version__} · seed {options.seed} · alpha {options.alpha:g}"))
    )
    return card(("怎样读这份报告", "How to read this report"), listed, made, cls="q-reading")


def _foot() -> Markup:
    return tag("footer", both((DISCLAIMER["zh"], DISCLAIMER["en"])))
