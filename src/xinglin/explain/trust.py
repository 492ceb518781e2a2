"""Whether the explanation can be trusted: each check beside its chance floor, and a failed one said loudly."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.explain.basis import Pair
from xinglin.explain.faithfulness import Faithfulness
from xinglin.explain.phrases import PHRASES, Lang, say
from xinglin.measure.markup import Child, Markup, tag

HIGHER = {"comprehensiveness": True, "sufficiency": False, "deletion": False, "insertion": True}
"""The four figures that have a chance floor, and whether a higher one is better."""


def failures(faithfulness: Faithfulness) -> Pair:
    """Return the failed checks in words."""
    return failures_of(faithfulness.failed)


def failures_of(failed: Sequence[str]) -> Pair:
    """Return the names of failed checks in words."""
    names = [PHRASES.get(f"failed_{name}", (name, name)) for name in failed]
    return "、".join(zh for zh, _ in names), ", ".join(en for _, en in names)


def alarm(faithfulness: Faithfulness, lang: Lang) -> Markup | None:
    """Return the warning that stands above the picture, or nothing if every check was passed."""
    if not faithfulness.failed:
        return None
    words = say("trust_bad", lang, count=len(faithfulness.failed), names=failures(faithfulness))
    return tag("p", tag("b", "✗ ", aria_hidden="true"), words, cls="xw-alarm", role="alert")


def checks(faithfulness: Faithfulness | None, lang: Lang) -> Markup:
    """Return the figures, each with its floor drawn, and the verdict in plain words."""
    if faithfulness is None:
        return tag("p", say("trust_none", lang), cls="xw-alarm")
    rows: list[Markup] = [_against_chance(faithfulness, name, lang) for name in HIGHER]
    rows.append(_alone(faithfulness, "stability", faithfulness.stability, lang))
    rows.append(_alone(faithfulness, "randomised", faithfulness.randomised, lang))
    verdict = None
    if not faithfulness.failed:
        verdict = tag("p", tag("b", "✓ ", aria_hidden="true"), say("trust_good", lang), cls="xw-passed")
    return tag("div", verdict, tag("ul", rows, cls="xw-checks"), _key(lang))


def _against_chance(faithfulness: Faithfulness, name: str, lang: Lang) -> Markup:
    value, floor = getattr(faithfulness, name), getattr(faithfulness.chance, name)
    numbers = [tag("b", _number(value)), tag("small", say("chance", lang), " ", _number(floor))]
    return _check(faithfulness, name, numbers, _track(value, floor, HIGHER[name]), lang)


def _alone(faithfulness: Faithfulness, name: str, value: float | None, lang: Lang) -> Markup:
    if value is None:
        return _check(faithfulness, name, [tag("small", say("not_possible", lang))], None, lang)
    hint = tag("small", say(f"{name}_words", lang), cls="xw-muted")
    return _check(faithfulness, name, [tag("b", _number(value))], [_track(value), hint], lang)


def _check(
    faithfulness: Faithfulness, name: str, numbers: Sequence[Child], drawn: Child, lang: Lang
) -> Markup:
    failed = name in faithfulness.failed
    sign = "✗" if failed else "–" if drawn is None else "✓"
    return tag(
        "li",
        tag("div", tag("i", sign), tag("span", say(name, lang)), cls="xw-check-name"),
        tag("div", numbers, cls="xw-check-number"),
        drawn,
        cls="xw-failed" if failed else None,
    )


def _track(value: float, floor: float | None = None, higher: bool = True) -> Markup:
    """The value as a dot on a line from 0 (or the lowest value) to 1; the side that beats the floor is shaded."""
    low = min(0.0, value, floor or 0.0)

    def at(number: float) -> float:
        return 100 * (min(number, 1.0) - low) / (1.0 - low)

    drawn = []
    if floor is not None:
        band = f"left:{at(floor):.1f}%;right:0" if higher else f"left:0;right:{100 - at(floor):.1f}%"
        drawn = [
            tag("i", cls="xw-better", style=band),
            tag("i", cls="xw-floor", style=f"left:{at(floor):.1f}%"),
        ]
    drawn.append(tag("i", cls="xw-dot", style=f"left:{at(value):.1f}%"))
    return tag("div", drawn, cls="xw-meter", aria_hidden="true")


def _key(lang: Lang) -> Markup:
    marks = [
        tag("span", tag("i", cls=f"xw-{mark}"), say(words, lang))
        for mark, words in (("dot", "this"), ("floor", "chance"), ("better", "better"))
    ]
    return tag("p", marks, cls="xw-key", aria_hidden="true")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
