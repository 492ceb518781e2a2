"""Characters made alike, one for one, so that every offset stays that of the source text.

Full-width forms become half-width, Chinese and traditional punctuation one set, Latin lower case,
common traditional characters of medical text their simplified ones. Nothing is inserted or removed:
``len(normalise(text)) == len(text)`` always.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_SURROGATE = re.compile("[\ud800-\udfff]")

_PUNCTUATION = {
    "\u3000": " ", "\xa0": " ", "\ufeff": " ", "\u200b": " ", "\u2009": " ", "\u202f": " ",
    "，": ",", "﹐": ",", "､": ",", "；": ";", "﹔": ";", "：": ":", "﹕": ":", "︰": ":", "∶": ":",
    "？": "?", "﹖": "?", "！": "!", "。": "。", "．": ".", "｡": "。", "﹒": ".", "（": "(", "）": ")",
    "﹙": "(", "﹚": ")", "〔": "(", "〕": ")", "［": "[", "］": "]", "【": "[", "】": "]", "｛": "{",
    "｝": "}", "「": '"', "」": '"', "『": '"', "』": '"', "“": '"', "”": '"', "‘": "'", "’": "'",
    "～": "~", "〜": "~", "∼": "~", "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "﹣": "-",
    "＝": "=", "≦": "≤", "≧": "≥", "⩽": "≤", "⩾": "≥", "％": "%", "﹪": "%", "‧": "、", "・": "、",
    "µ": "μ", "℉": "℉", "✕": "×", "✖": "×", "⨯": "×", "·": "·", "⬆": "↑", "⬇": "↓", "▲": "↑", "▼": "↓",
    "⇧": "↑", "⇩": "↓", "⁄": "/", "∕": "/", "﹑": "、", "‚": ",",
}  # fmt: skip
# Traditional -> simplified, pairs side by side. Only characters met in medical notes; each is one for one.
_TRADITIONAL = (
    "發发熱热頭头無无壓压腫肿脹胀嘔呕瀉泻鬱郁體体溫温氣气難难脈脉瘡疮膿脓黃黄濕湿陰阴陽阳檢检驗验師师醫医"
    "藥药飲饮側侧雙双腦脑腸肠膽胆腎肾臟脏膚肤齒齿鬆松關关節节韌韧帶带顫颤惡恶噁恶"
    "癢痒癥症經经絕绝斷断續续個个週周兩两約约間间時时過过來来為为與与這这還还沒没會会後后幾几歲岁婦妇產产"
    "兒儿親亲媽妈爺爷誤误傷伤術术診诊療疗電电視视聽听覺觉痺痹癱瘫瘓痪癲癫癇痫險险"
    "顯显現现轉转劇剧輕轻穩稳適适滯滞結结塊块潰溃瘍疡遺遗傳传應应陳陈舊旧暈晕慮虑緊紧張张鬧闹煩烦鈣钙鉀钾"
    "鈉钠鐵铁細细紅红總总膠胶質质謝谢飽饱餓饿噴喷寧宁臥卧動动彎弯點点邊边裡里裏里"
    "處处開开門门風风濃浓淚泪龍龙癬癣皰疱觸触擊击從从對对長长慣惯煙烟測测試试報报極极嚴严複复復复雜杂聲声"
    "啞哑嚥咽嚨咙齦龈繼继證证異异類类樣样僅仅卻却隨随並并"
)


@cache
def _table() -> dict[int, str]:
    table: dict[int, str] = {}
    for point in range(0xFF01, 0xFF5F):  # full-width ASCII
        table[point] = chr(point - 0xFEE0).lower()
    for point in (*range(0x00, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)):
        table[point] = " "  # control characters; tab, line feed and carriage return keep their meaning
    for point in range(0xD800, 0xE000):  # lone surrogates
        table[point] = "\ufffd"
    for point in range(0x41, 0x250):
        lower = chr(point).lower()
        if len(lower) == 1 and lower != chr(point):
            table[point] = lower
    table.update({ord(a): b for a, b in zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True)})
    table.update({ord(a): b for a, b in _PUNCTUATION.items()})
    return table


def normalise(text: str) -> str:
    """``text`` with characters made alike, of the same length."""
    return text.translate(_table())


def without_surrogates(text: str) -> str:
    """``text`` with lone surrogates replaced by U+FFFD, of the same length, so that it can be encoded."""
    return _SURROGATE.sub("\ufffd", text)


def is_chinese(char: str) -> bool:
    """Whether the character is a CJK ideograph."""
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf"


def is_latin(char: str) -> bool:
    """Whether the character is a Latin letter (accented ones included)."""
    return (char.isascii() and char.isalpha()) or "\u00c0" <= char <= "\u024f"


def scripts(text: str) -> set[str]:
    """The scripts that occur: ``chinese``, ``latin``, ``other`` (letters of any other script)."""
    found: set[str] = set()
    for char in text:
        if is_chinese(char):
            found.add("chinese")
        elif is_latin(char):
            found.add("latin")
        elif unicodedata.category(char).startswith("L"):
            found.add("other")
    return found
