"""Sections of the page on groups: the sites against each other, the balance, and what the label hangs on."""

from __future__ import annotations

from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.records.quality.charts import heat, percent, stacked, two_histograms
from xinglin.records.quality.drift import Drift
from xinglin.records.quality.report import QualityReport
from xinglin.records.quality.tally import Status
from xinglin.records.quality.words import STATUSES, both, card

EFFECTS = {"category": "PSI", "number": "D", "text": "acc"}
MOST_PICTURES = 12


def drift_section(report: QualityReport) -> Markup | None:
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
            f"每格比较一个中心与其余所有中心。{len(report.drifts)} 项检验中 {count} 项有差异,以粗体标出:"
            "校正 p < 0.05,且效应区间的下限达到界限。",
            f"Each cell compares one site with all others. {count} of {len(report.drifts)} tests differ, in bold: "
            "corrected p < 0.05 and the interval's lower end reaches the limit.",
        )),
        cls="q-muted",
    )  # fmt: skip
    anchor = tag("span", id="text-drift")
    legend = tag(
        "p", tag("i", cls="q-key q-here"), both(("该中心", "the site")), tag("i", cls="q-key q-rest"),
        both(("其余中心", "the others")), cls="q-legend",
    )  # fmt: skip
    shown = [legend, tag("div", pictures, cls="q-pictures")] if pictures else None
    return card(("中心之间的差异", "Drift between sites"), anchor, said, table, shown, name="drift")


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


def balance_section(report: QualityReport) -> Markup | None:
    """Each grouping as one bar with its figures, and what the label hangs on."""
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
    return card(("分组的平衡", "Balance of the groups"), blocks, _dependences(report))


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
        "A label that depends on the site or the sex is a shortcut: a model may learn the hospital, not the disease.",
    )), cls="q-muted")  # fmt: skip
    return [title, hint, tag("ul", rows, cls="q-signs")]
