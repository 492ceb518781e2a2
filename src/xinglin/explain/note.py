"""The note with its units marked: sign by colour and by kind of line, strength by depth and thickness.

Orange and blue stay apart for every kind of colour blindness (Okabe and Ito); in black and white print the line
tells the sign (solid: for, dashed: against) and its thickness the strength.
"""

from __future__ import annotations

from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import CaseExplanation
from xinglin.explain.phrases import Lang, plain, say, signed
from xinglin.explain.units import Unit
from xinglin.measure.markup import Markup, tag, verbatim

STEPS = (0.04, 0.15, 0.35, 0.65)
"""Share of the strongest unit from which a unit has strength 1, 2, 3, 4; below the first it is not marked."""
SIGNED = 2
"""Strength from which a mark shows its sign."""


def strengths(attribution: Attribution) -> tuple[int, ...]:
    """Return the strength of each unit, 0 (not marked) to 4."""
    top = max((abs(value) for value in attribution.values), default=0.0)
    if top < 5e-4:  # nothing that a reader could tell from rounding
        return (0,) * len(attribution.values)
    return tuple(sum(abs(value) >= step * top for step in STEPS) for value in attribution.values)


def marked_note(explanation: CaseExplanation, lang: Lang) -> Markup:
    """Return the note with the units of its attribution marked; without one, the note as it stands."""
    text, attribution = explanation.text, explanation.attribution
    parts: list[Markup] = []
    at = 0
    if attribution is not None:
        sizes = strengths(attribution)
        places = sorted(
            (span, number) for number, unit in enumerate(attribution.units) for span in unit.spans
        )
        for (start, end), number in places:
            parts.append(verbatim(text[at:start]))
            unit, value = attribution.units[number], attribution.values[number]
            tip = f"{_told(explanation, unit, lang)}: {signed(value)}"
            parts.append(_mark(text[start:end], value, sizes[number], tip))
            at = end
    parts.append(verbatim(text[at:]))
    return tag("div", parts, cls="xw-note")


def _told(explanation: CaseExplanation, unit: Unit, lang: Lang) -> str:
    return unit.text if unit.name is None else plain(explanation.named(unit.name), lang)


def _mark(words: str, value: float, strength: int, tip: str) -> Markup:
    if not strength:
        return tag("span", verbatim(words), title=tip)
    side = "for" if value > 0 else "against"
    sign = tag("sup", "+" if value > 0 else "−") if strength >= SIGNED else None
    return tag("mark", verbatim(words), sign, cls=f"xw-{side} xw-s{strength}", title=tip)


def legend(lang: Lang) -> Markup:
    """Return what the marks mean."""
    scales = [
        tag(
            "span",
            [
                tag("mark", "　", cls=f"xw-{side} xw-s{strength}", aria_hidden="true")
                for strength in range(1, len(STEPS) + 1)
            ],
            tag("b", sign),
            say(side, lang),
        )
        for side, sign in (("for", "+"), ("against", "−"))
    ]
    words = tag(
        "span", say("strength", lang), "; " if lang == "en" else ";", say("plain", lang), cls="xw-muted"
    )
    return tag("div", scales, words, cls="xw-legend")
