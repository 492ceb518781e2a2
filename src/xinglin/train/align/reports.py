"""Templated reports and queries about a nodule, in Chinese and English, with what each claims.

Templated: put together from ratings by chance, by nobody who looked at the image. A text carries its claims, so that
training can tell of *every* image whether the text is true of it, not only of the one it was written for: two nodules
with the same ratings have the same report, and calling one of them the wrong answer would teach nonsense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xinglin.train.align.statements import Statement, by_key, statements

SIZE_TRUE, SIZE_FALSE = 0.15, 0.30
"""Relative difference of diameters within which a stated size is true, and beyond which it is false."""
MENTIONED = 0.8
"""Chance that a report mentions an attribute that it could mention."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words with what they claim."""

    words: str
    claims: tuple[str, ...]
    """Keys of statements."""
    diameter: float | None = None
    """Millimetres, if a size is stated."""


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of one nodule."""

    ratings: Mapping[str, float]
    """By name, without ``lidc_``; what is not rated is absent."""
    diameter: float
    """Millimetres."""


def truth(text: Text, nodule: Described) -> bool | None:
    """Whether a text is true of a nodule; ``None``: some claim is neither true nor false and none is false."""
    answers = [by_key()[key].holds(nodule.ratings.get(by_key()[key].rating)) for key in text.claims]
    if text.diameter is not None:
        away = abs(text.diameter - nodule.diameter) / nodule.diameter
        answers.append(True if away <= SIZE_TRUE else False if away > SIZE_FALSE else None)
    if False in answers:
        return False
    return None if None in answers else True


def report(
    nodule: Described, generator: np.random.Generator, *, held: bool = False, whole: bool = False
) -> Text:
    """Write a report.

    Args:
        nodule: of which.
        generator: chooses language, order, words and what is left out.
        held: use the words kept for testing.
        whole: leave nothing out.
    """
    chinese = bool(generator.random() < 0.5)
    said = [one for one in statements() if one.holds(nodule.ratings.get(one.rating)) is True]
    said = [one for one in said if whole or generator.random() < MENTIONED]
    order = generator.permutation(len(said))
    said = [said[i] for i in order]
    first = [one for one in said if one.rating == "texture"]
    rest = [one for one in said if one.rating != "texture"]
    parts = [_pick(one.clauses(chinese, held), generator) for one in rest]
    density = _pick(first[0].words(chinese), generator) if first else ""
    frames = (_HELD_ZH if held else _FRAMES_ZH) if chinese else (_HELD_EN if held else _FRAMES_EN)
    size = f"{nodule.diameter:.0f}"
    joined = (COMMA if chinese else ", ").join(parts)
    words = _pick(frames, generator).format(density=density, size=size, rest=joined)
    return Text(_tidy(words), tuple(one.key for one in said), float(size))


def query(statement: Statement, generator: np.random.Generator, *, held: bool = False) -> Text:
    """Write a short query such as *nodule with spiculation* or 毛刺结节."""
    chinese = bool(generator.random() < 0.5)
    noun = _pick(_NOUNS_ZH if chinese else _NOUNS_EN, generator)
    if not held and statement.family in _BARE and generator.random() < 0.3:
        bare = _pick(_bare(statement, chinese), generator)
        return Text(f"{bare}{noun}" if chinese else f"{bare} {noun}", (statement.key,))
    clause = _pick(statement.clauses(chinese, held), generator)
    return Text(_with_noun(clause, noun, chinese, bool(generator.random() < 0.5)), (statement.key,))


def queries(statement: Statement, *, held: bool) -> list[str]:
    """Return every short query of a statement in both languages: an ensemble for testing, without chance."""
    return [
        _with_noun(clause, (_NOUNS_ZH if chinese else _NOUNS_EN)[0], chinese, False)
        for chinese in (True, False)
        for clause in statement.clauses(chinese, held)
    ]


def _with_noun(clause: str, noun: str, chinese: bool, first: bool) -> str:
    if chinese:
        return f"{clause}的{noun}" if first else f"{noun}{COMMA}{clause}"
    return f"{clause}, {noun}" if first else f"{noun}, {clause}"


def _bare(statement: Statement, chinese: bool) -> list[str]:
    """The word itself before the noun: 毛刺结节, *spiculated nodule*."""
    return list(statement.zh) if chinese else list(_ADJECTIVES.get(statement.key, statement.en))


def plain(generator: np.random.Generator) -> Text:
    """Write a query that any nodule answers: *pulmonary nodule* or 肺结节."""
    return Text(_pick(_NOUNS_ZH + _NOUNS_EN, generator), ())


def every_text(seed: int, count: int) -> list[str]:
    """Return texts in the words of training, for learning a vocabulary."""
    generator = np.random.default_rng(seed)
    texts = [query(one, generator).words for one in statements() for _ in range(count // len(statements()))]
    for _ in range(count):
        ratings = {
            one.rating: float(generator.choice(sorted(one.true)))
            for one in (statements()[i] for i in generator.permutation(len(statements())))
        }
        texts.append(report(Described(ratings, float(generator.uniform(3, 30))), generator).words)
    return texts


COMMA = "\uff0c"
_BARE = ("presence", "texture", "impression")
"""Families whose words may stand before the noun as they are; that *毛刺结节* has spicules, no form is needed to say."""
_ADJECTIVES = {"spiculated": ("spiculated",), "lobulated": ("lobulated",), "calcified": ("calcified",)}
_NOUNS_ZH = ("结节", "肺结节", "肺内结节", "肺部小结节")
_NOUNS_EN = ("nodule", "pulmonary nodule", "lung nodule")
_FRAMES_ZH = (
    "肺内{density}结节,直径约{size}mm,{rest}。",
    "{density}结节,大小约{size}毫米,{rest}",
    "见一{size}mm{density}肺结节,{rest}。",
    "肺部{density}小结节{size}mm,{rest}。",
)
_FRAMES_EN = (
    "A {size} mm {density} pulmonary nodule, {rest}.",
    "{density} nodule of {size} mm, {rest}",
    "There is a {density} lung nodule, {size} mm in diameter, {rest}.",
    "Nodule: {size} mm, {density}, {rest}.",
)
_HELD_ZH = ("影像显示{density}结节一枚,长约{size}mm;{rest}。", "{rest}的{density}肺结节({size}mm)")
_HELD_EN = (
    "CT shows one {density} nodule measuring {size} mm; {rest}.",
    "{size} mm nodule ({density}): {rest}",
)


def _pick(words: Sequence[str], generator: np.random.Generator) -> str:
    return words[int(generator.integers(len(words)))]


def _tidy(words: str) -> str:
    """Drop what an empty part left behind."""
    for wrong, right in (
        (" ,", ","),
        ("  ", " "),
        (",。", "。"),
        (", .", "."),
        ("()", ""),
        (";。", "。"),
        ("; .", "."),
    ):
        words = words.replace(wrong, right)
    return words.strip(" ,;:\uff0c\uff1b")
