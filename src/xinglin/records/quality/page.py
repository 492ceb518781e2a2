"""The report as one self-contained HTML page: no script, no link to elsewhere, and no content of any record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from xinglin import __version__
from xinglin.measure.markup import Child, Markup, tag, verbatim
from xinglin.measure.typography import full_width
from xinglin.records.quality.assess import QualityReport
from xinglin.records.quality.charts import heat, percent, share_bar, stacked, two_histograms
from xinglin.records.quality.drift import Drift
from xinglin.records.quality.rules import RULES, Rule
from xinglin.records.quality.tally import Outcome, Status
from xinglin.types import DISCLAIMER

STYLE = Path(__file__).with_name("report.css")
PLACES = {
    None: ("完整性", "Completeness"),
    "value": ("一致性 · 取值", "Conformance · value"),
    "relational": ("一致性 · 关系", "Conformance · relational"),
    "computational": ("一致性 · 计算", "Conformance · computational"),
    "uniqueness": ("合理性 · 唯一", "Plausibility · uniqueness"),
    "atemporal": ("合理性 · 与时间无关", "Plausibility · atemporal"),
    "temporal": ("合理性 · 时间", "Plausibility · temporal"),
}
CONTEXTS = {"verification": ("内部核查", "verification"), "validation": ("外部验证", "validation")}
STATUSES: dict[Status, tuple[str, str, str]] = {
    "fail": ("✕", "未通过", "failed"),
    "note": ("!", "待判断", "to judge"),
    "pass": ("✓", "通过", "passed"),
    "none": ("–", "不适用", "nothing to check"),
}
COUNTS = {
    "records": ("记录", "records"),
    "subjects": ("患者", "subjects"),
    "sites": ("中心", "sites"),
    "labels": ("标签", "labels"),
    "events": ("事件", "events"),
    "values": ("可核数值", "checked values"),
    "characters": ("字符", "characters"),
}
EFFECTS = {"category": "PSI", "number": "D", "text": "acc"}
MOST_PICTURES = 12


def page(report: QualityReport) -> str:
    """Return the report as one HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        tag("title", verbatim(f"{report.name} · 数据质量报告 Data quality")),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    main = tag("main", _top(report), _overview(report), _findings(report), _drift(report), _balance(report), _rest(report),
               _reading(report), _foot())  # fmt: skip
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', main), lang='zh-CN')}\n"


def both(words: tuple[str, str]) -> Markup:
    """Chinese with the English beside it; one of them when they are the same."""
    zh, en = words
    if zh == en:
        return verbatim(zh)
    chinese = tag("span", verbatim(full_width(zh)), lang="zh-CN")
    return Markup(chinese + " " + tag("span", verbatim(en), lang="en", cls="q-en"))


def _card(title: tuple[str, str], *content: Child, cls: str = "") -> Markup:
    return tag("section", tag("h2", both(title)), content, cls=f"q-card {cls}".strip())


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
    return _card(("总览", "At a glance"), tag("div", numbers, cls="q-numbers"), matrix)


def _worst(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    order = list(STATUSES)
    worst: dict[str, Status] = dict.fromkeys(RULES, "none")
    for outcome in outcomes:
        worst[outcome.rule.id] = min(worst[outcome.rule.id], outcome.status, key=order.index)
    return worst


def _chip(rule: Rule, status: Status) -> Markup:
    sign, zh, en = STATUSES[status]
    title = f"{rule.name[0]} {rule.name[1]}: {zh} {en}"
    inner = (tag("i", sign, aria_hidden="true"), verbatim(rule.name[0]))
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
    left_out = {"drift", "text-drift", "shortcut"}
    for status, title in titles.items():
        found = [o for o in report.outcomes if o.status == status and o.rule.id not in left_out]
        if found:
            cards.append(_card(title, _table(found), cls=f"q-list q-{status}"))
    if not cards:
        cards.append(_card(("没有发现问题", "Nothing was found"), cls="q-pass"))
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
    examples = (
        tag(
            "p",
            tag("small", both(("例", "e.g.")), cls="q-muted"),
            [tag("code", verbatim(_cut(e))) for e in outcome.examples],
        )
        if outcome.examples
        else None
    )
    note = tag("p", both(outcome.note), cls="q-muted") if any(outcome.note) else None
    return tag("div", item, tag("div", share_bar(share) if share else None, tag("p", figures), cls="q-figures"), note,
               examples, cls="q-outcome")  # fmt: skip


def _cut(record_id: str) -> str:
    """A record id, shortened in its middle when it is longer than a UUID."""
    return record_id if len(record_id) <= 36 else f"{record_id[:20]}…{record_id[-12:]}"


def _drift(report: QualityReport) -> Markup | None:
    """A table of sites and fields, then the distributions that differ."""
    if not report.drifts:
        return None
    sites = list(dict.fromkeys(drift.site for drift in report.drifts))
    fields = list(dict.fromkeys(drift.field for drift in report.drifts))
    by_place = {(drift.field, drift.site): drift for drift in report.drifts}
    rows = [
        tag("tr", tag("th", both(field), scope="row"), [_cell(by_place.get((field, site))) for site in sites])
        for field in fields
    ]
    header = tag("tr", tag("th"), [tag("th", verbatim(site), scope="col") for site in sites])
    table = tag("div", tag("table", tag("thead", header), tag("tbody", rows), cls="q-heat"), cls="q-scroll")
    found = sorted((d for d in report.drifts if d.found and d.here), key=lambda d: -d.effect.low)
    pictures = [_picture(drift) for drift in found[:MOST_PICTURES]]
    count = sum(drift.found for drift in report.drifts)
    said = tag(
        "p",
        both((
            f"每格比较一个中心与其余所有中心。{len(report.drifts)} 项检验中 {count} 项有差异(校正 p < 0.05 且效应区间下限达到界限),以粗体标出。",
            f"Each cell compares one site with all others. {count} of {len(report.drifts)} tests differ, in bold: "
            "corrected p < 0.05 and the interval's lower end reaches the limit.",
        )),
        cls="q-muted",
    )  # fmt: skip
    legend = tag(
        "p", tag("i", cls="q-key q-here"), both(("该中心", "the site")), tag("i", cls="q-key q-rest"),
        both(("其余中心", "the others")), cls="q-legend",
    )  # fmt: skip
    shown = [legend, tag("div", pictures, cls="q-pictures")] if pictures else None
    return _card(("中心之间的差异", "Drift between sites"), said, table, shown)


def _cell(drift: Drift | None) -> Markup:
    if drift is None:
        return tag("td", "–", cls="q-muted")
    effect = drift.effect
    name = EFFECTS[drift.kind]
    base = 0.5 if drift.kind == "text" else 0.0
    value = f"{effect.value:.2f}"
    return tag(
        "td",
        tag("b" if drift.found else "span", f"{name} {value}"),
        tag("small", f"{effect.low:.2f}–{effect.high:.2f}"),
        style=heat(effect.value, drift.found, drift.worth, base),
        cls="q-found" if drift.found else None,
        title=f"n = {effect.n:,}, p = {drift.p:.2g}, p' = {drift.adjusted:.2g}",
    )


def _picture(drift: Drift) -> Markup:
    said = f"{EFFECTS[drift.kind]} {drift.effect.value:.2f} ({drift.effect.low:.2f}–{drift.effect.high:.2f})"
    caption = tag("figcaption", tag("b", verbatim(drift.site)), " · ", both(drift.field), tag("small", said))
    return tag("figure", caption, two_histograms(drift))


def _balance(report: QualityReport) -> Markup | None:
    if not report.balances:
        return None
    blocks: list[Markup] = []
    for balance in report.balances:
        shares = [(name, share.value) for name, share in balance.groups.items()]
        few = min(balance.counts.values())
        even = f"{balance.evenness:.2f}" if balance.evenness is not None else "–"
        facts = both((
            f"{len(shares)} 组,最小 {few:,} 条,均匀度 {even}" + (f",缺失 {balance.missing:,}" if balance.missing else ""),
            f"{len(shares)} groups, smallest {few:,}, evenness {even}"
            + (f", {balance.missing:,} missing" if balance.missing else ""),
        ))  # fmt: skip
        listed = [
            tag(
                "tr",
                tag("th", verbatim(name), scope="row"),
                tag("td", f"{balance.counts[name]:,}"),
                tag("td", percent(share)),
            )
            for name, share in list(balance.groups.items())[:40]
        ]
        more = tag(
            "details",
            tag("summary", both(("数字", "figures"))),
            tag("table", tag("tbody", listed), cls="q-plain"),
        )
        title = tag("h3", both(balance.grouping), tag("small", facts, cls="q-muted"))
        blocks.append(tag("div", title, stacked(shares), more, cls="q-group"))
    return _card(("分组的平衡", "Balance of the groups"), blocks, _dependences(report))


def _dependences(report: QualityReport) -> list[Markup] | None:
    if not report.dependences:
        return None
    rows = []
    for item in report.dependences:
        status: Status = "note" if item.found else "pass"
        said = f"V = {item.v:.2f} · p' = {item.adjusted:.2g} · n = {item.n:,}"
        rows.append(
            tag(
                "li",
                tag("span", STATUSES[status][0], cls=f"q-sign q-{status}"),
                both(item.grouping),
                " ",
                tag("code", said),
            )
        )
    title = tag("h3", both(("标签是否取决于", "Does the label depend on")), id="shortcut")
    hint = tag("p", both((
        "取决于中心或性别的标签是捷径:模型可能学到医院而不是疾病。",
        "A label that depends on the site or the sex is a shortcut: a model may learn the hospital instead of the disease.",
    )), cls="q-muted")  # fmt: skip
    return [title, hint, tag("ul", rows, cls="q-signs")]


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
    return _card(
        ("其余规则", "The other rules"),
        tag("details", tag("summary", both((f"通过 {len(passed)} 项", f"{len(passed)} passed"))), tag("div", table, cls="q-scroll")),
        tag("details", tag("summary", both((f"没有可核查的数据:{len(idle)} 条规则", f"Nothing to check: {len(idle)} rules"))), listed),
    )  # fmt: skip


def _reading(report: QualityReport) -> Markup:
    options = report.options
    lines = (
        ("未通过:占比的 95 % 区间(Wilson)下限高于该规则的容许值(多数为 0)。待判断:没有容许值,由使用者决定。",
         "Failed: the lower end of the share's 95 % interval (Wilson) lies above the rule's tolerance, mostly zero. To judge: "
         "the rule has no tolerance; what is enough depends on the use."),
        ("分类依据 Kahn 等 2016 的统一框架;可能范围和单位取自本系统词表,为自行编写、未经审阅。",
         "Categories after the harmonised framework of Kahn et al. 2016; possible ranges and units are those of this system's "
         "vocabulary: authored, unreviewed."),
        (f"近似重复:字符三元组的 Jaccard 指数不低于 {options.near_threshold:g}。例子只列记录编号,不含任何内容。",
         f"Near-duplicates: Jaccard index of character 3-grams at least {options.near_threshold:g}. Examples name records and "
         "never show content."),
        ("通过这些规则不等于数据正确:规则只能发现它们所描述的错误。",
         "Passing does not make the data right: rules find the errors that they describe."),
    )  # fmt: skip
    listed = tag("ul", [tag("li", both(line)) for line in lines])
    made = tag(
        "p", tag("code", verbatim(f"xinglin {__version__} · seed {options.seed} · alpha {options.alpha:g}"))
    )
    return _card(("怎样读这份报告", "How to read this report"), listed, made, cls="q-reading")


def _foot() -> Markup:
    return tag("footer", both((DISCLAIMER["zh"], DISCLAIMER["en"])))
