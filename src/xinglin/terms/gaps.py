"""Mentions with small words inside: 胸口有点疼 for 胸口疼, 发了三天烧 for 发烧, 头倒是不疼 for *no* 头疼.

Patients put degree adverbs, particles, durations and negators between a body part and what they feel
there; no list of aliases can hold all of them. We take those words out, match again, and keep only
matches that cross a place where something was taken out. Offsets are mapped back to the source.
"""

from __future__ import annotations

import re
from typing import TypeVar

from xinglin.terms.matcher import Match, Matcher
from xinglin.terms.words import ENGLISH

P = TypeVar("P")

_DEGREE = (
    "一阵一阵地?的?|一阵阵地?的?|一阵儿?|阵阵|阵发性?地?的?|时不时地?的?|越来越|有一点儿?|有点儿?|有些|"
    "有时候?|"
    "特别地?的?|非常地?的?|十分|比较|稍微|稍|略微|略|轻微地?的?|轻度|中度|重度|明显地?的?|剧烈地?的?|"
    "隐隐地?的?|"
    "持续性?地?的?|反复地?的?|间断性?地?|间歇性?地?|一直|总是|老是|经常|时常|常常|偶尔|偶有|突然|突发|开始|"
    "感觉到?|感到|觉得|自觉|自感|倒是|疼得|痛得|还是|仍然|仍|又|也|还|都|就|会|很|好|挺|太|总|老|更加?|地|"
    "的|了|着|"
    "里面|里|那里|这里|那块|这块|上面|下面|部位|什么|啥|多少|现在|今天|最近|慢慢地?|逐渐"
)
_DURATION = (
    r"[0-9一二两三四五六七八九十半几数]{1,3}(?:个)?(?:多|余)?(?:个)?"
    r"(?:小时|钟头|分钟|上午|下午|晚上|晚|天|日|周|星期|礼拜|月|年|次|回)(?:多)?的?"
)
# How much, in what vessel, of which colour, behind a verb of passing: 呕出一大口鲜红的血, 咳出小半碗黄绿色的痰.
_AMOUNT = (
    "(?:满满|整整|足足|将近|大概|差不多)?(?:[0-9一二两三四五六七八九十几数半大小好多]{1,4})"
    "(?:口|盆|碗|杯|摊|滩|堆|团|片|块|袋|桶|瓶|勺|盒|马桶|池子)"
)
_COLOUR = "(?:鲜|暗|深|淡|浅|紫|发)?(?:红|黑|黄|绿|白|褐|粉|灰){1,2}(?:颜?色)?的"
_PASSED = f"(?<=[吐呕咳拉屙尿便流喷淌出了的])(?:来了?)?(?:{_AMOUNT}的?(?:{_COLOUR})?|{_COLOUR})"
_PASSES = re.compile(_PASSED)
# 父亲死于心梗 for the alias 父亲心梗.
_KIN = "(?<=[亲爸妈母人爷奶哥姐弟妹])(?:死于|患有|患|有|得了|得过|也有|都有|均有|曾患)"
# CRP: 升高, 白细胞 升高, 腹 痛 (spaces of a scan).
_SPACE = "(?<=[a-z0-9一-鿿])[ :]{1,2}(?=[升增偏降减高低↑↓])|(?<=[一-鿿]) (?=[一-鿿])"
# and ENGLISH: pain in my chest for *pain in chest*, her lips have gone blue for *lips blue*.
_FILLER = re.compile(f"(?:{_PASSED}|{_DEGREE}|{_DURATION}|{_KIN}|{_SPACE}|(?:{ENGLISH})+)+")
# 不 negates inside a mention only before a sensation or a size (头不疼, 肝不大), never in 咳不出痰.
_NEGATOR = (
    "(?:并|也|都|倒|倒是|从来?)?(?:没有|没|无|未见|未及|未触及|不怎么|不是很|不太|"
    "不(?=[疼痛晕昏痒胀酸麻肿红闷热烧烫硬咳吐喘渴苦黄黑大快慢高低]))"
)
_NEGATED_FILLER = re.compile(f"(?:{_DEGREE}|{_DURATION}|{_NEGATOR})+")
_TOO_WEAK = frozenset("的地里好会就都还也又")
"""Fillers that do not hold two single characters together: 具体的检查 is not 体检."""
_INNER_NEGATOR = re.compile(_NEGATOR)


def matches_across_fillers(text: str, matcher: Matcher[P]) -> list[Match[P]]:
    """Matches in normalised ``text`` that appear once fillers (and negators) are taken out.

    Returns only what a plain search cannot find; the caller resolves overlaps with the plain matches.
    """
    found = _crossing(text, matcher, _FILLER, negators=False)
    if _INNER_NEGATOR.search(text):
        found += _crossing(text, matcher, _NEGATED_FILLER, negators=True)
    return found


def _crossing(text: str, matcher: Matcher[P], filler: re.Pattern[str], *, negators: bool) -> list[Match[P]]:
    kept: list[int] = []
    last = 0
    for gap in filler.finditer(text):
        kept.extend(range(last, gap.start()))
        last = gap.end()
    if last == 0:
        return []
    kept.extend(range(last, len(text)))
    found: list[Match[P]] = []
    for match in matcher.all_matches("".join([text[i] for i in kept])):
        start, end = kept[match.start], kept[match.end - 1] + 1
        if end - start == match.size or (match.size == 2 and text[start + 1 : end - 1] in _TOO_WEAK):
            continue
        # Of 吐了 and 吐..血 the one that says what came up is meant.
        size = match.size + (_PASSES.search(text, start + 1, end) is not None)
        negated = negators and _INNER_NEGATOR.search(text, start + 1, end) is not None
        if negated == negators:
            found.append(Match(start, end, match.payload, size, negated))
    return found
