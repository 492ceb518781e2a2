"""What would change the answer, in one sentence a kind of change."""

from __future__ import annotations

from xinglin.explain.basis import CaseExplanation, Change, Counterfactual, Pair
from xinglin.explain.phrases import Lang, pair, say, shown
from xinglin.measure.markup import Markup, tag


def sentence(found: Counterfactual) -> Pair:
    """Return a counterfactual as a sentence; *none* and *none found* are told apart."""
    if found.after is None:
        key = "change_none" if found.complete else "change_not_found"
        what = pair(found.kind)
        return pair(key, what=what, before=found.before, count=found.evaluations)
    conditions = [_condition(change) for change in found.changes]
    # The second condition drops its own 如果: 如果没有甲,并且没有乙.
    zh = f"，{pair('and')[0]}".join(words.removeprefix("如果") for words, _ in conditions)
    en = pair("and")[1].join(words for _, words in conditions)
    ifs = f"如果{zh}", en[0].upper() + en[1:]
    return pair("change_to", ifs=ifs, before=found.before, after=found.after)


def _condition(change: Change) -> Pair:
    if change.after is None:
        return pair("if_deleted", name=change.name)
    return pair(f"if_{change.before or 'unknown'}_{change.after}", name=change.name)


def changes(explanation: CaseExplanation, lang: Lang) -> Markup:
    """Return the sentences, each with the step from the first candidate to the new one drawn below it."""
    rows = [
        tag("div", tag("p", shown(sentence(found), lang)), _step(found, lang), cls="xw-change")
        for found in explanation.counterfactuals
    ]
    note = None
    if explanation.versions.engine != "graph" and any(
        found.kind == "findings" and found.after for found in explanation.counterfactuals
    ):
        note = tag("p", say("only_findings", lang), cls="xw-muted")
    return tag("div", rows, note)


def _step(found: Counterfactual, lang: Lang) -> Markup | None:
    if found.after is None:
        return None
    return tag(
        "div",
        tag("span", shown(found.before, lang), cls="xw-old"),
        tag("b", "→", aria_hidden="true"),
        tag("span", shown(found.after, lang), cls="xw-new"),
        cls="xw-turn",
    )
