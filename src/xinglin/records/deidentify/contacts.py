"""Ways to reach a person: telephone and fax, e-mail, web and network addresses, WeChat and QQ. Folded text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.deidentify.numbers import COLON, GAP, OPEN, bare
from xinglin.records.deidentify.spans import Span

_MOBILE = re.compile(
    rf"(?<![0-9A-Za-z.+])(?:\(?(?:\+|00)86\)?[ \-]?|\(86\) ?|86[ \-])?(?P<n>1{GAP}[3-9](?:{GAP}[0-9])"
    + r"{9})(?![0-9A-Za-z])"
)
_LANDLINE = re.compile(
    r"(?<![0-9A-Za-z.\-])(?:(?:\+|00)86[ \-]?)?\(?0?(?:10|2[0-9]|"
    r"[3-9][0-9]{2})\)?[ ]?[\-]?[ ]?[2-9][0-9]{2,3}[ \-]?[0-9]{4}"
    r"(?:[ ]?(?:转|-|ext\.?|分机)[ ]?[0-9]{1,5})?(?![0-9A-Za-z])"
)
_AREA = re.compile(r"(?:(?:\+|00)86[ \-]?)?\(?0|\(|[0-9]{2,3}-")
_HOTLINE = re.compile(
    r"(?<![0-9A-Za-z.\-])[48]00[ \-]?[0-9]{3}[ \-]?[0-9]{4}(?![0-9A-Za-z])|"
    r"(?<![0-9A-Za-z.\-])[48]00[ \-][0-9]{4}[ \-][0-9]{3}(?![0-9A-Za-z])"
)
_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z.\-])(?:\+?1[ \-.]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[\-. ])[2-9][0-9]{2}[\-. ][0-9]{4}"
    r"(?:[ ,]*(?:x|ext\.?|extension)[ ]?[0-9]{1,6})?(?![0-9A-Za-z])",
    re.I,
)
_INTERNATIONAL = re.compile(r"(?<![0-9A-Za-z.])(?:\+|00)[1-9](?:[ \-.()]{0,2}[0-9]){7,14}(?![0-9A-Za-z])")
_PHONE_LABEL = re.compile(
    r"(?:联系电话|联系方式|电话号码|家庭电话|手机号码?|手机|座机|移动电话|电话|传真|热线|致电|拨打|来电|短号|呼叫|"
    r"\b(?:telephone|phone|mobile|cell|tel|fax|pager|beeper|call(?:ed)?|contact|home|work)(?: ?(?:no|number|#))?\b\.?)"
    rf"{COLON}(?P<v>[+(]?[0-9](?:[ \-.()/]{{0,2}}[0-9])"
    r"{6,15}(?:[ ]?(?:转|ext\.?|x|分机)[ ]?[0-9]{1,6})?)(?![0-9A-Za-z])",
    re.I,
)
_WRAPPED = re.compile(r"(?=1[3-9][0-9\n]{10}(?![0-9]))[0-9]{3,10}\n")
"""A mobile number that the line's end breaks: the label's own pattern would take the half of it."""
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63} ?(?:@|\[at\]|\(at\)|"
    r" at (?=[a-z0-9\-]+\.(?:com|cn|net|org|edu)))[\r\n]? ?"
    r"(?:[A-Za-z0-9\-]{1,63}(?:\.| ?\[dot\] ?| ?\(dot\) ?)){1,5}[A-Za-z]{2,10}(?![A-Za-z])"
)
_URL = re.compile(
    r"(?:https?|ftp)://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+|"
    r"(?<![A-Za-z0-9.@])www\.[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+(?:/[A-Za-z0-9\-._~/?#&=%+]*)?"
    r"|(?<![A-Za-z0-9.@\-])(?:[A-Za-z0-9\-]{2,63}\.)+(?:com|cn|net|org|edu|gov|io|info|me|cc|top|xyz|"
    r"hk|tw|uk|co)(?:/[A-Za-z0-9\-._~/?#&=%+]*)?(?![A-Za-z0-9.@])",
    re.I,
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(
    rf"(?<![0-9A-Za-z.])(?:{_OCTET}\.){{3}}{_OCTET}(?::[0-9]{{1,5}}|/[0-9]{{1,2}})?(?![0-9A-Za-z]|\.[0-9])"
)
_VERSION = re.compile(r"(?:(?<![A-Za-z])(?:v|ver|version)|版本号?|软件)[ .:]*$", re.I)
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z:])(?:[0-9A-F]{1,4}:){7}[0-9A-F]{1,4}(?![0-9A-Za-z:])|"
    r"(?<![0-9A-Za-z:])(?:[0-9A-F]{1,4}:){1,6}(?::[0-9A-F]{1,4}){1,6}(?![0-9A-Za-z:])",
    re.I,
)
_MAC = re.compile(
    r"(?<![0-9A-Za-z:\-])[0-9A-F]{2}([:\-])(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}(?![0-9A-Za-z:\-])", re.I
)
_WECHAT = re.compile(
    rf"(?:微信号?|微信ID|企业微信|公众号|wechat|weixin|\bWX|\bVX|抖音号?|钉钉号?|支付宝(?:账号|账户)?|"
    rf"微博(?:账号)?)(?: ?ID)?{OPEN}@?(?P<v>[A-Za-z0-9][A-Za-z0-9_\-]{{4,29}})(?![A-Za-z0-9@.])",
    re.I,
)
_QQ = re.compile(rf"(?<![A-Za-z])QQ(?:号码?|群)?{OPEN}(?P<v>[1-9][0-9]{{4,11}})(?![0-9A-Za-z@])", re.I)


def find_contacts(text: str) -> Iterator[Span]:
    """Yield phones, e-mail, URL, IP and hardware addresses, social accounts."""
    for match in _PHONE_LABEL.finditer(text):
        if 7 <= len(bare(match["v"])) <= 20 and not _WRAPPED.match(text, match.start("v")):
            yield Span(*match.span("v"), "PHONE", 0.97)
    for match in _MOBILE.finditer(text):
        if _grouped(match["n"]) and not re.search("[0-9] $", text[max(0, match.start() - 2) : match.start()]):
            yield Span(match.start() + _opens(match), match.end(), "PHONE", 0.95)
    for match in _LANDLINE.finditer(text):
        if _AREA.match(match.group()):
            yield Span(match.start() + _opens(match), match.end(), "PHONE", 0.85)
    for pattern, score in ((_HOTLINE, 0.85), (_AMERICAN, 0.85), (_INTERNATIONAL, 0.9)):
        for match in pattern.finditer(text):
            yield Span(*match.span(), "PHONE", score)
    if "@" in text or "at" in text:
        for match in _EMAIL.finditer(text):
            yield Span(*match.span(), "EMAIL", 1.0)
    for match in _URL.finditer(text):
        yield Span(match.start(), match.start() + len(match.group().rstrip(".,;:)]'")), "URL", 0.95)
    for match in _IPV4.finditer(text):
        if not _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
            yield Span(*match.span(), "IP_ADDRESS", 0.9)
    for pattern in (_IPV6, _MAC):
        for match in pattern.finditer(text):
            if ":" in match.group() or pattern is _MAC:
                yield Span(*match.span(), "IP_ADDRESS", 0.9)
    for pattern in (_WECHAT, _QQ):
        for match in pattern.finditer(text):
            yield Span(*match.span("v"), "SOCIAL_ACCOUNT", 0.98)


def _grouped(number: str) -> bool:
    """Whether eleven digits are set as a mobile number is: whole, in groups, each apart, or wrapped once."""
    digits = [at for at, char in enumerate(number) if char.isdigit()]
    gaps = {place for place in range(1, 11) if digits[place] - digits[place - 1] > 1}
    return gaps in ({3, 7}, {3, 6}, {3}, {7}, {4, 8}, set(range(1, 11))) or len(gaps) < 2


def _opens(match: re.Match[str]) -> int:
    """1 if the number starts with a bracket that it does not close, else 0."""
    return int(match.group().startswith("(") and ")" not in match.group())
