"""Many patterns found in one pass over a text, the longest first.

A pattern is looked up by hash: for each position the first two characters select the lengths worth
trying, longest first. That is the trie of dicts with its inner nodes removed; in CPython it is three
times faster to build and to run than walking one dict per character, and needs no compiled wheel
(pyahocorasick) that a hospital's offline computer may lack. Aho & Corasick, CACM 18(6) 1975, is the
classical algorithm; we differ in that we give up its worst case (text x longest pattern), which natural
vocabularies do not meet.

Latin patterns match on word boundaries only; Chinese ones as substrings. Texts and patterns must have
gone through :func:`xinglin.terms.characters.normalise`, so offsets are those of the source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import Generic, TypeVar

from xinglin.terms.families import Family, by_head

P = TypeVar("P")

_NEGATION_PREFIXES = ("没有", "没", "无", "不", "未", "非")


@dataclass(frozen=True, slots=True)
class Match(Generic[P]):
    """One occurrence of a pattern: half-open offsets and what the pattern stands for."""

    start: int
    end: int
    payload: P
    size: int
    """Characters of the pattern: less than ``end - start`` when fillers stood inside the mention."""
    negated: bool = False
    """A negator stood inside the mention (头倒是不疼 for 头疼)."""


class Matcher(Generic[P]):
    """A frozen set of patterns, each with a payload.

    Args:
        patterns: ``(pattern, payload)``, normalised; of two equal patterns the first one counts.
        digits_after: let digits touch a Latin pattern (``T36.5P80``), for names of quantities.
        families: ``(phrase, payload)``, see :mod:`xinglin.terms.families`; a pattern of equal length wins.
    """

    def __init__(
        self,
        patterns: Iterable[tuple[str, P]],
        *,
        digits_after: bool = False,
        families: Iterable[tuple[str, P]] = (),
    ) -> None:
        self._payload: dict[str, P] = {}
        self._singles: set[str] = set()
        lengths: dict[str, set[int]] = {}
        for pattern, payload in patterns:
            if pattern and pattern not in self._payload:
                self._payload[pattern] = payload
                if len(pattern) == 1:
                    self._singles.add(pattern)
                else:
                    lengths.setdefault(pattern[:2], set()).add(len(pattern))
        self._lengths = {head: tuple(sorted(sizes, reverse=True)) for head, sizes in lengths.items()}
        self._digits_after = digits_after
        self._families: dict[str, tuple[Family[P], ...]] = by_head(families)

    def __len__(self) -> int:
        return len(self._payload)

    def get(self, pattern: str) -> P | None:
        """The payload of one exact (normalised) pattern."""
        return self._payload.get(pattern)

    def all_matches(self, text: str) -> list[Match[P]]:
        """Every occurrence of every pattern, overlapping ones too, by start and falling length."""
        found: list[Match[P]] = []
        lengths, payload, size = self._lengths, self._payload, len(text)
        families, unordered = self._families, bool(self._singles)
        for start, pair in enumerate(map(add, text, text[1:])):  # the hot loop: no slicing per character
            if pair not in lengths and pair not in families:
                continue
            if start and not self._digits_after and _inside_word(pair[0], text[start - 1]):
                continue
            for length in lengths.get(pair, ()):
                end = start + length
                word = text[start:end]
                if word in payload and end <= size and self._stands_alone(text, start, end):
                    found.append(Match(start, end, payload[word], length))
            for family in families.get(pair, ()):
                said = family.pattern.match(text, start)
                if said is not None and self._stands_alone(text, start, said.end()):
                    found.append(Match(start, said.end(), family.payload, said.end() - start))
                    unordered = True
        for start, char in enumerate(text) if self._singles else ():
            if char in self._singles and self._stands_alone(text, start, start + 1):
                found.append(Match(start, start + 1, payload[char], 1))
        if unordered:
            found.sort(key=lambda m: (m.start, -m.size))
        return found

    def longest(self, text: str) -> list[Match[P]]:
        """Occurrences that do not overlap, by position: the longest wins, then the leftmost.

        One exception: a pattern that begins with a negation yields to one that begins right after the
        negation and reaches further, so that 无尿频 is read as 无 + 尿频 and not as 无尿 + 频.
        """
        return resolve(self.all_matches(text), text)

    def _stands_alone(self, text: str, start: int, end: int) -> bool:
        first, last = text[start], text[end - 1]
        if start and _is_word(first) and _is_word(before := text[start - 1]):
            touches = self._digits_after and before.isdigit() and not first.isdigit()
            if not touches:
                return False
        if end < len(text) and _is_word(last) and _is_word(after := text[end]):
            return self._digits_after and after.isdigit() and not last.isdigit()
        return True


def _inside_word(char: str, before: str) -> bool:
    """A cheap first test of what ``_stands_alone`` tests in full: most starts of English text fall here."""
    return "a" <= char <= "z" and "a" <= before <= "z"


def _is_word(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or "\u00df" <= char <= "\u024f"


def resolve(matches: list[Match[P]], text: str) -> list[Match[P]]:
    """The longest, then leftmost, of overlapping matches; see :meth:`Matcher.longest`."""
    if len(matches) < 2:
        return matches
    kept: list[Match[P]] = []
    taken = bytearray(len(text))
    starts: dict[int, int] = {}
    for match in matches:
        starts[match.start] = max(starts.get(match.start, 0), match.end)
    for match in sorted(matches, key=lambda m: (-m.size, m.end - m.start, m.start)):
        if 1 in taken[match.start : match.end] or _yields(match, text, starts):
            continue
        taken[match.start : match.end] = b"\1" * (match.end - match.start)
        kept.append(match)
    kept.sort(key=lambda m: m.start)
    return kept


def _yields(match: Match[P], text: str, furthest: dict[int, int]) -> bool:
    """Whether a pattern that begins with a negation is better read as negation + another pattern."""
    for prefix in _NEGATION_PREFIXES:
        if text.startswith(prefix, match.start):
            return furthest.get(match.start + len(prefix), 0) > match.end
    return False
