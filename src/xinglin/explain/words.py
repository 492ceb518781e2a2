"""The words of a note: Chinese by jieba, other scripts at white space; deterministic, and silent on the terminal."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from xinglin.errors import MissingExtraError

_HAN = re.compile(r"[\u3400-\u9fff]")
_CHUNK = re.compile(r"(?:[^\s,;:!?。、!?;:…()()\[\]【】《》“”\".,]|(?<=\d)[.,:](?=\d))+")
"""What stands between white space and punctuation; the point within a number is no punctuation."""
_CHINESE_STOPS = (
    "的 了 着 地 得 和 与 及 或 等 是 在 于 为 以 并 且 而 也 都 就 又 还 其 该 此 这 那 我 你 他 她"
)
_ENGLISH_STOPS = (
    "the a an of and or to in on at is are was were be been am i my he his she her it its this that with for by as "
    "patient"
)
STOPS = frozenset(f"{_CHINESE_STOPS} 患者 病人 病例 {_ENGLISH_STOPS}".split())
"""Words that say nothing clinical. No word of negation, doubt or time is among them."""


def words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the words between two offsets, without punctuation and stop words.

    Raises:
        MissingExtraError: there is Chinese, and jieba is not installed.
    """
    for chunk in _CHUNK.finditer(text, start, end):
        chinese = _HAN.search(chunk.group()) is not None
        for first, last in _chinese(chunk.group(), chunk.start()) if chinese else [chunk.span()]:
            word = text[first:last]
            if word.lower() not in STOPS and any(map(str.isalnum, word)):
                yield first, last


def _chinese(chunk: str, offset: int) -> list[tuple[int, int]]:
    """Spans of the words of a chunk with Chinese in it; 58岁, ST段 and 150/95mmHg stay whole."""
    spans: list[tuple[int, int]] = []
    foreign = False
    for word in _jieba().cut(chunk):
        han = _HAN.search(word) is not None
        start = spans[-1][1] if spans else offset
        if foreign and (not han or (len(word) == 1 and word not in STOPS)):
            spans[-1] = (spans[-1][0], start + len(word))
        else:
            spans.append((start, start + len(word)))
        foreign = not han
    return spans


@cache
def _jieba() -> Any:
    """jieba with its own dictionary, loaded once (about a second); it neither reads nor writes a cache file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of setuptools' pkg_resources, which it does not need
            import jieba
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin explain", "explain") from error
    tokenizer = jieba.Tokenizer()
    # What initialize() does, without its cache in the shared temporary folder and its log on the terminal.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer
