"""The language of red-flag rules: facts, comparisons, ``&``, ``|``, ``N of (...)``. No negation.

    胸痛 & (大汗 | 呼吸困难)        收缩压<90        年龄>=60 & 晕厥
    2 of (收缩压<100, 呼吸频率>=22, 意识障碍)

A name is a fact that holds or is not known to hold; an unknown fact is never true, and since there is
no negation it can never lower a level either. Grammar:

    either := both ("|" both)*        both := atom ("&" atom)*
    atom   := "(" either ")" | NUMBER "of" "(" either ("," either)* ")" | NAME [OP NUMBER]
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from xinglin.errors import VocabularyError

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|(>=|<=|=|>|<)|([&|(),])|([^\s&|(),<>=]+))")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A name that must hold."""

    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measured quantity against a number, in the quantity's canonical unit."""

    name: str
    sign: str
    number: float


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least ``count`` of the parts must hold: 1 is *or*, all of them is *and*."""

    count: int
    parts: tuple[Expression, ...]


Expression = Fact | Comparison | AtLeast


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a case."""

    holds: frozenset[str]
    values: Mapping[str, float]


def parse(text: str) -> Expression:
    """Parse a rule.

    Raises:
        VocabularyError: the text does not follow the grammar; says where.
    """
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise VocabularyError(f"rule {text!r}: cannot read from character {at + 1}: {stripped[at:]!r}")
        tokens.append(match.group().strip())
        at = match.end()
    reader = _Reader(text, tokens)
    expression = reader.either()
    if reader.tokens:
        raise reader.error(f"unexpected {reader.tokens[0]!r}")
    return expression


class _Reader:
    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text
        self.tokens = tokens

    def error(self, message: str) -> VocabularyError:
        return VocabularyError(f"rule {self.text!r}: {message}")

    def take(self, wanted: str | None = None) -> str:
        if not self.tokens:
            raise self.error(f"ends where {wanted or 'a fact'!r} is expected")
        token = self.tokens.pop(0)
        if wanted is not None and token != wanted:
            raise self.error(f"expected {wanted!r}, got {token!r}")
        return token

    def either(self) -> Expression:
        parts = [self.both()]
        while self.tokens[:1] == ["|"]:
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AtLeast(1, tuple(parts))

    def both(self) -> Expression:
        parts = [self.atom()]
        while self.tokens[:1] == ["&"]:
            self.take()
            parts.append(self.atom())
        return parts[0] if len(parts) == 1 else AtLeast(len(parts), tuple(parts))

    def atom(self) -> Expression:
        token = self.take()
        if token == "(":
            inner = self.either()
            self.take(")")
            return inner
        if token.isdigit() and self.tokens[:1] == ["of"]:
            self.take("of")
            self.take("(")
            parts = [self.either()]
            while self.tokens[:1] == [","]:
                self.take()
                parts.append(self.either())
            self.take(")")
            if not 1 <= int(token) <= len(parts):
                raise self.error(f"{token} of {len(parts)} parts")
            return AtLeast(int(token), tuple(parts))
        if token in "&|),>=<" or token[0].isdigit():
            raise self.error(f"expected a fact, got {token!r}")
        if self.tokens[:1] and self.tokens[0] in _OPERATORS:
            sign = self.take()
            number = self.take()
            try:
                return Comparison(token, sign, float(number))
            except ValueError:
                raise self.error(f"{token} {sign} expects a number, got {number!r}") from None
        return Fact(token)


def names(expression: Expression) -> tuple[set[str], set[str]]:
    """Return (facts, quantities) that a rule refers to."""
    if isinstance(expression, Fact):
        return {expression.name}, set()
    if isinstance(expression, Comparison):
        return set(), {expression.name}
    facts: set[str] = set()
    quantities: set[str] = set()
    for part in expression.parts:
        more_facts, more_quantities = names(part)
        facts |= more_facts
        quantities |= more_quantities
    return facts, quantities


def clues(expression: Expression, common: Collection[str] = ()) -> set[str]:
    """Return names of which at least one must be known for a rule to hold, few and rare ones.

    Of ``n`` parts, ``count`` of which must hold, one of any ``n - count + 1`` must.

    Args:
        expression: the rule.
        common: names that many cases have; avoided where there is a choice.
    """
    if not isinstance(expression, AtLeast):
        return {expression.name}
    choices = [clues(part, common) for part in expression.parts]
    choices.sort(key=lambda found: (len(found.intersection(common)), len(found)))
    return set().union(*choices[: len(choices) - expression.count + 1])


def matched(expression: Expression, facts: Facts) -> tuple[str, ...] | None:
    """Return the facts that make a rule hold, or ``None`` if it does not."""
    if isinstance(expression, Fact):
        return (expression.name,) if expression.name in facts.holds else None
    if isinstance(expression, Comparison):
        value = facts.values.get(expression.name)
        if value is None or not _OPERATORS[expression.sign](value, expression.number):
            return None
        return (expression.name,)
    hits, spare = [], len(expression.parts) - expression.count
    for part in expression.parts:
        hit = matched(part, facts)
        if hit is not None:
            hits.append(hit)
        elif spare == 0:
            return None
        else:
            spare -= 1
    return tuple(dict.fromkeys(name for hit in hits for name in hit))
