"""Words and small pieces that the sections of the page share."""

from __future__ import annotations

from xinglin.measure.markup import Child, Markup, tag, verbatim
from xinglin.measure.typography import full_width
from xinglin.records.quality.tally import Status

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


def both(words: tuple[str, str]) -> Markup:
    """Chinese with the English beside it; one of them when they are the same."""
    zh, en = words
    if zh == en:
        return verbatim(zh)
    chinese = tag("span", verbatim(full_width(zh)), lang="zh-CN")
    return Markup(chinese + " " + tag("span", verbatim(en), lang="en", cls="q-en"))


def card(title: tuple[str, str], *content: Child, cls: str = "", name: str | None = None) -> Markup:
    """Return a section with its title; ``name`` is what a link leads to."""
    return tag("section", tag("h2", both(title)), content, cls=f"q-card {cls}".strip(), id=name)
