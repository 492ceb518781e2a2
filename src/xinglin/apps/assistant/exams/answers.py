"""What a model answered: a strict, published grammar (docs/exams.md); what it does not cover is unparsed, never guessed.

An output makes *claims*: letters behind a cue (答案, 应选, the answer is), or a first or last line that is letters alone, a
letter with its own option's text, or an option's text alone. Claims behind a final cue (最终答案, final answer, ``\\boxed``)
outrank the rest, the last of them counts; else all claims must agree. Letters in prose are no claims. Lenient extraction,
e.g. the first capital letter anywhere, scores guesses as knowledge; it is not offered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xinglin.records.exams import LETTERS

EMPTY, NONE_SAID, REFUSED = "empty", "no answer", "refusal"
UNFINISHED, SEVERAL, UNDECIDED = "unfinished thinking", "several answers", "undecided"
CONTRADICTION, UNKNOWN, RESTATED, NO_OPTION = (
    "letter and text differ",
    "no such option",
    "options restated",
    "none of the options",
)
REASONS = (
    EMPTY, UNFINISHED, NONE_SAID, REFUSED, NO_OPTION, SEVERAL, UNDECIDED, CONTRADICTION, UNKNOWN, RESTATED,
)  # fmt: skip
"""Why an output is unparsed."""
LONGEST = 50_000
"""Characters of an output that are read; an answer lies at its ends."""
REACH = 500
"""Characters behind a cue that are looked at."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one output says."""

    letters: str | None
    """Letters in order; ``None``: unparsed."""
    how: str
    """The rule that read it, or the reason why it is unparsed."""


@dataclass(frozen=True, slots=True)
class _Claim:
    letters: str | None
    how: str
    final: bool = False


_UNIT = r"[(\[\"'“‘【「]{0,2}[A-Z][)\]\"'”’】」]{0,2}"
_SEPARATOR = r"\s*(?:[,、;+&]|和|与|及|以及|\band\b|,\s*and\b)?\s*"
_LIST = rf"(?:{_UNIT}(?:{_SEPARATOR}{_UNIT}){{0,9}}|[(\[]?[a-j][)\]]?)"
_BE = r"(?:应该|应当|应|就|还)?(?:是|为|选择|选)?"
_CUES_ZH = (
    rf"(?P<final1>最终|最后)?的?(?:正确|最佳|参考|标准)?的?答案{_BE}\s*:?\s*(?:选项|选)?"
    rf"|(?:正确|最佳)的?选项{_BE}\s*:?\s*"
    r"|(?:应该|应当|应|故|因此|所以|我|本题|综上|综上所述)?,?\s*选(?!项)择?(?:答案|选项)?(?:是|为)?\s*:?\s*"
)
_CUES_EN = (
    r"\b(?P<final2>final\s+)?(?:answers?|(?:correct|right|best)\s+(?:choice|option))\s*"
    r"(?:is|are|would\s+be|should\s+be|must\s+be|:|=)\s*:?\s*(?:option|choice)?\s*"
    r"|\b(?:I|we)(?:'d|\s+would|\s+will)?\s+(?:choose|select|pick)\s*:?\s*(?:option|choice|answer)?\s*"
)
_CUE = re.compile(rf"(?:{_CUES_ZH}|{_CUES_EN})", re.IGNORECASE)
_AFTER = re.compile(
    rf"(?<![A-Za-z])(?:选项|option\s+|choice\s+)?(?P<list>{_UNIT})(?:选项|项)?"
    r"(?:是|为)?(?:\s*is\s+)?(?:the\s+)?(?:(?:正确|最佳)的?(?:答案|选项)|(?:correct|right|best)\s+(?:answer|option|choice))",
    re.IGNORECASE,
)
_LIST_AT = re.compile(_LIST)
_LEADING = re.compile(rf"(?P<letter>{_UNIT})\s*[.、:,)\-]?\s*(?P<text>.+)")
_DENIED = re.compile(
    r"(?:不|没|非|勿|别|误|错|么|首|候|备|筛|可|挑)[会能可应该宜要当]{0,2}$|\b(?:not|n't|never)\W*$",
    re.IGNORECASE,
)
_OR = re.compile(r"\s*(?:或者?|还是|/|\bor\b)\s*[(\[\"']?[A-Z]", re.IGNORECASE)
_FOLLOW = re.compile(
    r"\s*(?:$|\n|[.。,;!?:)\]】」”\"'、(\[—-]|项|选项|是|为|因为|的|because\b|since\b|as\b|is\b)",
    re.IGNORECASE,
)
_WRONG = re.compile(
    r"\s*(?:选?项)?(?:是|为)?(?:错|不)|\s*is\s+(?:wrong|incorrect|false|not)\b", re.IGNORECASE
)
_BOXED = re.compile(r"\\boxed\{\s*(?:\\(?:text|mathrm|textbf)\{)?([^{}\n]{1,200})\}?\s*\}")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_MARKS = re.compile(r"\*\*|__|`|^\s*#+\s*|^\s*>\s*|[\u200b-\u200f\ufeff]", re.MULTILINE)
_REFUSAL = re.compile(
    r"无法(?:回答|作答|判断|确定)|不能(?:回答|作答|提供)|拒绝回答|抱歉|对不起|\b(?:cannot|can't|unable\s+to)\b|\bsorry\b|\bas\s+an\s+AI\b",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"以上(?:都|均|皆)?(?:不(?:对|是|正确)|错)|(?:都|均|皆)不(?:对|正确)|没有(?:一个)?正确|none\s+of\s+(?:the\s+)?(?:above|options|these)",
    re.IGNORECASE,
)
_EDGE = " \t\r\n.。,;:!?、)(]["


def read_answer(text: str, options: Sequence[str]) -> Reading:
    """Return the letters that an output claims, or why it claims none.

    Args:
        text: what a model wrote, thinking and all.
        options: texts of the options, in the order of the letters.
    """
    said, unfinished = _without_thinking(text[-LONGEST:])
    if unfinished:
        return Reading(None, UNFINISHED)
    said = _MARKS.sub("", unicodedata.normalize("NFKC", said)).strip()
    if not said:
        return Reading(None, EMPTY)
    known = _Options(options)
    said, whole = _blocks(said, known)
    if whole is not None:
        return _decided([whole], said)
    said = _BOXED.sub(r"\n最终答案:\1\n", said)
    claims = [*_lines(said, known), *_cued(said, known)]
    return _decided(claims, said)


class _Options:
    """The options' texts, folded for comparison."""

    def __init__(self, options: Sequence[str]) -> None:
        self.letters = LETTERS[: len(options)]
        self.folded = [_fold(text) for text in options]
        self.words = all(text.isascii() and text.isalpha() for text in options)

    def of_text(self, text: str) -> str:
        """Letters of the options whose text this is, and nothing more."""
        wanted = _fold(text)
        return "".join(letter for letter, own in zip(self.letters, self.folded, strict=True) if own == wanted)

    def begun(self, text: str) -> str:
        """Letters of the longest option texts that this begins with."""
        wanted = _fold(text)
        lengths = [len(own) if own and wanted.startswith(own) else 0 for own in self.folded]
        most = max(lengths)
        return "".join(letter for letter, size in zip(self.letters, lengths, strict=True) if size == most > 0)


def _fold(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold().strip(_EDGE)


def _without_thinking(text: str) -> tuple[str, bool]:
    """Return what follows the thinking, and whether the thinking never ended.

    Templates may open the thinking themselves, so that only its end is in the output.
    """
    rest = _THOUGHT.sub("", text)
    ends = list(_CLOSE.finditer(rest))
    if ends:
        rest = rest[ends[-1].end() :]
    return rest, _OPEN.search(rest) is not None


def _letters(found: str) -> str:
    return "".join(sorted(set(re.findall(r"[A-Z]", re.sub(r"\band\b", "", found).upper()))))


def _claim(found: str, how: str, known: _Options, final: bool = False) -> _Claim:
    letters = _letters(found)
    if set(letters) - set(known.letters):
        return _Claim(None, UNKNOWN, final)
    return _Claim(letters, how, final)


def _restated(line: str, known: _Options) -> str:
    """The letter of a line that is a letter with its own option's text, else nothing."""
    match = _LEADING.fullmatch(line.strip())
    if match is None:
        return ""
    letter = _letters(match["letter"])
    return letter if letter in known.of_text(match["text"]) else ""


def _blocks(said: str, known: _Options) -> tuple[str, _Claim | None]:
    """Take restated options out of the way: two lines or more, each a letter with its own text.

    Alone they are the answer if some are missing; behind a line that ends with a cue they are what the cue points to;
    elsewhere they only repeat the question.
    """
    lines = [line for line in said.split("\n") if line.strip()]
    kept: list[str] = []
    place = 0
    while place < len(lines):
        end = place
        letters = ""
        while end < len(lines) and (letter := _restated(lines[end], known)):
            letters, end = letters + letter, end + 1
        if end - place < 2:
            kept.append(lines[place])
            place += 1
            continue
        if end - place == len(lines):
            if set(letters) == set(known.letters):
                return said, _Claim(None, RESTATED)
            return said, _claim(letters, "restated", known)
        if kept and any(match.end() == len(kept[-1]) for match in _CUE.finditer(kept[-1])):
            kept[-1] += "".join(sorted(set(letters)))
        place = end
    return "\n".join(kept), None


def _lines(said: str, known: _Options) -> Iterator[_Claim]:
    """Claims of the first and the last line."""
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    for line in dict.fromkeys(lines[:1] + lines[-1:]):
        bare = line.strip(_EDGE)
        if _LIST_AT.fullmatch(bare):
            yield _claim(bare, "letters alone", known)
        elif letter := _restated(line, known):
            yield _claim(letter, "letter and text", known)
        elif letters := known.of_text(line):
            yield _Claim(letters, "text alone") if len(letters) == 1 else _Claim(None, UNDECIDED)
        elif (match := _LEADING.fullmatch(line)) and known.of_text(match["text"]):
            yield _Claim(None, CONTRADICTION)
    if known.words and lines:
        match = re.match(r"([A-Za-z]+)\s*(?:[,.;:!]|$)", lines[0])
        if match and (letter := known.of_text(match[1])):
            yield _Claim(letter, "word")


def _cued(said: str, known: _Options) -> Iterator[_Claim]:
    """Claims behind and before a cue."""
    for match in _CUE.finditer(said):
        if _DENIED.search(said[max(0, match.start() - 8) : match.start()]):
            continue
        final = bool(match["final1"] or match["final2"])
        rest = said[match.end() : match.end() + REACH]
        found = _LIST_AT.match(rest)
        if found is not None:
            claim = _pointed(found, rest, known, final)
            if claim is not None:
                yield claim
                continue
        sentence = re.split(r"[\n。;]|\.(?:\s|$)", rest, maxsplit=1)[0]
        letters = known.of_text(sentence)
        if len(letters) == 1:
            yield _Claim(letters, "text behind a cue", final)
    for match in _AFTER.finditer(said):
        if not _DENIED.search(said[max(0, match.start() - 8) : match.start()]):
            yield _claim(match["list"], "letter before a cue", known)


def _pointed(found: re.Match[str], rest: str, known: _Options, final: bool) -> _Claim | None:
    """The claim of letters behind a cue, by what follows them; ``None``: they begin something else."""
    after = rest[found.end() :]
    if _WRONG.match(after):
        return None
    if _OR.match(after):
        return _Claim(None, UNDECIDED, final)
    letters = _letters(found[0])
    line = after.split("\n", 1)[0].lstrip(" .、:,)-")
    begun = known.begun(line) if len(letters) == 1 else ""
    if begun and letters not in begun:
        return _Claim(None, CONTRADICTION, final)
    if not begun and not _FOLLOW.match(after):
        return None
    return _claim(found[0], "letters behind a cue", known, final)


def _decided(claims: Sequence[_Claim], said: str) -> Reading:
    finals = [claim for claim in claims if claim.final]
    if finals:
        return Reading(finals[-1].letters, finals[-1].how)
    for claim in claims:
        if claim.letters is None:
            return Reading(None, claim.how)
    found = {claim.letters for claim in claims}
    if len(found) > 1:
        return Reading(None, SEVERAL)
    if claims:
        return Reading(claims[0].letters, claims[0].how)
    if _REFUSAL.search(said):
        return Reading(None, REFUSED)
    return Reading(None, NO_OPTION if _NONE.search(said) else NONE_SAID)
