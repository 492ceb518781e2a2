"""How a clinical sentence hangs together: sentences, bare lists, fillers and connectors.

All functions take normalised text. Small regular expressions with a name each; none nests a repeat.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

_END = re.compile(r"[。!?;\n\r|]|\.(?=\s|$|[\u4e00-\u9fff])")
_CONNECT = re.compile(r"以及|或者|并且|[、/和及与或跟&+,]|\b(?:and|or|nor)\b")
_FILLER = re.compile(
    r"明显|显著|任何|其他|其它|特殊|典型|明确|确切|相关|过|再|又|发生|感到|觉得|感觉|什么|太|的|了|那种|"
    r"这种|这些|那些|上述|症状|"
    r"有|左侧|右侧|双侧|左|右|双|侧|阵发性|持续性|性|曾|会|是|很|怎么|类似|新发|以往|既往|曾经|病|药物|"
    r"食物|及其|"
    r"\b(?:any|the|a|an|of|evidence|signs?|symptoms?|significant|recent|acute|current|obvious|new|"
    r"associated|other|"
    r"complaints?|history|feeling|having|experiencing|her|his|my|your|their|been|be|known|have|has|had|"
    r"there|is)\b|[\s:]"
)
_CLOSERS = re.compile(
    r"等症状|等不适|等情况|等表现|等病史|等慢性病史?|等疾病|等|等?(?:慢性|传染|遗传|"
    r"重大)(?:性)?(?:疾)?病史?|家族史|病史|既往史|史|症状|情况|"
    r"明显|异常|疾病|其他|左侧|右侧|双侧|[、/和及与或\s]|感|"
    r"\b(?:and|or|nor|any|the|of|other|significant|recent|history|associated|evidence|a|an|in|his|her)\b"
)
_POST = re.compile(
    r"(?:双侧|两侧|左侧|右侧|症状|体征|试验|检查|反射|现象|感|征|均|都|皆|也|亦|已|已经|现已|现|目前|现在|"
    r"基本|完全|全部|自行|等|等症状|等不适|情况|的|了|:|\s|"
    r"结果|呈|为|提示|\b(?:is|are|was|were|has|have|had|been|all|now|both|completely|symptoms?|test|sign|"
    r"since)\b)*"
)
_POST_HISTORY = re.compile(r"(?:的|等|之|个人|急?慢?性?传染(?:性)?疾?|慢性疾?|遗传(?:性)?疾?|疾|相关|\s)*")
_LIST = re.compile(r"\s*(?:以及|或者|[、/和及与或跟&+]|,?\s*(?:and|or|nor)\b)\s*")
_LIST_COMMA = re.compile(r"\s*(?:以及|或者|[、/和及与或跟&+,]|,?\s*(?:and|or|nor)\b)\s*")
_STRUCTURE = re.compile(
    r"[0-9]|但|而|伴|有|出现|今|现|近|突|患者|我|本人|\b(?:but|has|have|is|was|presents?|i|he|she|with|for)\b"
)
_OR = re.compile(r"\s*(?:or|nor)\b|或")
_ADJECTIVES = 4
"""What may stand beside a mention in a clause that begins with *or* (*or appreciable joint effusion*)."""
_ITEM = 6
"""A clause of at most so many characters without any mention is taken for a list item we do not know."""


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Half-open offsets of the sentences; the end mark is left out."""
    start = 0
    for mark in _END.finditer(text):
        yield start, mark.start() if mark.group() != "?" else mark.end()
        start = mark.end()
    if start < len(text):
        yield start, len(text)


def is_filler(gap: str) -> bool:
    """Whether the text adds nothing: words such as 明显, 任何, *any*, *of*."""
    return not gap or not _FILLER.sub("", gap)


def unexplained(gap: str) -> int:
    """Characters since the last connector that are no filler; a Latin word counts two."""
    if not gap:
        return 0
    return _cost(_FILLER.sub("", _CONNECT.split(gap)[-1]))


def _cost(rest: str) -> int:
    """Characters, a Latin word counting two."""
    words = re.findall(r"[a-z0-9'-]+", rest)
    return len(rest.replace(" ", "")) - sum(map(len, words)) + 2 * len(words)


def joined(gap: str, *, commas: bool = False) -> bool:
    """Whether two mentions with this text between them belong to one enumeration."""
    return (_LIST_COMMA if commas else _LIST).fullmatch(gap) is not None


def post_gap(gap: str, *, history: bool = False) -> bool:
    """Whether a backward cue may act over this text (胸痛[症状均]消失; 结核[等传染]病史)."""
    return not gap or (_POST_HISTORY if history else _POST).fullmatch(gap) is not None


def _clause_end(text: str, start: int, end: int, stops: list[int]) -> int:
    comma = text.find(",", start, end)
    at = bisect_right(stops, start)
    return min(comma if comma >= 0 else end, stops[at] if at < len(stops) else end)


def _without(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> tuple[str, bool]:
    """The clause less its mentions, and whether it had any."""
    parts, position, any_mention = [], start, False
    for left, right in spans[max(bisect_left(spans, (start, 0)) - 1, 0) : bisect_left(spans, (end, 0))]:
        if right > start:
            parts.append(text[position:left])
            position, any_mention = right, True
    parts.append(text[position:end])
    return "".join(parts), any_mention


def bare_until(text: str, start: int, end: int, spans: list[tuple[int, int]], stops: list[int]) -> bool:
    """Whether the clause from ``start`` to the next comma or stop word holds only mentions and list words.

    A short clause without a mention and without any sign of a new statement passes as an unknown item.
    """
    stop = _clause_end(text, start, end, stops)
    rest, any_mention = _without(text, start, stop, spans)
    rest = _CLOSERS.sub(" ", rest).strip()
    if any_mention:
        return not rest or (_OR.match(text, start, stop) is not None and _cost(rest) <= _ADJECTIVES)
    return _cost(rest) <= _ITEM and not _STRUCTURE.search(rest)


def closes_list(text: str, start: int, end: int, spans: list[tuple[int, int]], stops: list[int]) -> bool:
    """Whether bare clauses run from ``start`` to one that closes an enumeration with 等 or 或 / *or*."""
    while start < end:
        stop = _clause_end(text, start, end, stops)
        if not bare_until(text, start, end, spans, stops):
            return False
        clause = text[start:stop]
        if re.search(r"等|或|\b(?:or|nor)\b", clause):
            return True
        if stop >= end or text[stop] != ",":
            return False
        start = stop + 1
    return False
