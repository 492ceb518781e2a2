"""Numbers that name a person: identity documents, cards, plates. All functions take folded text.

``GAP`` lets blanks, a dash or one line break stand between digits: numbers are typed in groups and wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.deidentify.checks import (
    hong_kong,
    identity_15,
    identity_18,
    identity_shape,
    luhn,
    taiwan,
)
from xinglin.records.deidentify.spans import Span

GAP = r"[ \-.]?[\r\n]?[ ]?"
COLON = r"[ ]*(?:\([^()\n0-9]{0,12}\))?[ ]*[:=#|]*(?:(?:is|was|are)[ ])?[ \"']*[\r\n]?[ ]*"
"""What may stand between a label and its value."""
OPEN = rf"{COLON}[(]?"
"""The same, for a value in brackets."""
_DIGITS = re.compile(
    rf"(?<![0-9A-Za-z.])[0-9](?:{GAP}[0-9])" + r"{11,18}" + rf"(?:{GAP}[Xx])?(?![0-9A-Za-z])"
)
_CHINESE_ID = r"公民身份号码|身份证号码?|身份证件号码?|身份证|证件号码?|证件编号|ID ?(?:card|number)"
_ID_LABEL = re.compile(
    rf"(?:{_CHINESE_ID}){OPEN}(?P<v>[0-9](?:{GAP}[0-9Xx])" + r"{12,18})(?![0-9A-Za-z])", re.I
)
_PERMIT = re.compile(
    r"(?:回乡证|港澳通行证|港澳居民来往内地通行证|来往内地通行证|台胞证|台湾居民来往大陆通行证|"
    r"来往大陆通行证|台湾通行证|通行证|居住证)"
    rf"(?:号码?|编号)?{OPEN}(?P<v>[HMChmc]?[0-9](?:{GAP}[0-9])" + r"{6,17})(?![0-9A-Za-z])"
)
_HOME_RETURN = re.compile(r"(?<![0-9A-Za-z])[HM][0-9]{8}(?:[0-9]{2})?(?![0-9A-Za-z])")
_PASSPORT = re.compile(
    rf"(?:护照(?:号码?|编号)?|passport(?: (?:no|number|"
    rf"num)\b\.?)?){OPEN}(?P<v>[A-Z]{{0,2}}[0-9]{{6,9}}[A-Z]?)(?![0-9A-Za-z])",
    re.I,
)
_CHINESE_PASSPORT = re.compile(r"(?<![0-9A-Za-z])(?:E[A-HJ-NP-Z][0-9]{7}|[EGDSP][0-9]{8})(?![0-9A-Za-z])")
_HONG_KONG = re.compile(r"(?<![0-9A-Za-z])(?P<l>[A-Z]{1,2})(?P<d>[0-9]{6}) ?\((?P<c>[0-9A])\)")
_MACAU = re.compile(r"(?<![0-9A-Za-z])[157]/?[0-9]{6}/?\([0-9]\)")
_TAIWAN = re.compile(r"(?<![0-9A-Za-z])[A-Z][1289][0-9]{8}(?![0-9A-Za-z])")
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])[A-Z]{3}[0-9]{12}(?![0-9A-Za-z])")
_MILITARY = re.compile(
    rf"(?:军官证|士兵证|警官证|文职干部证|残疾证|驾驶证|户口簿?)(?:号码?|"
    rf"编号)?{OPEN}(?P<v>[\u4e00-\u9fff]{{0,4}}第?[0-9A-Z]{{6,20}}号?)"
)
_CARD = re.compile(
    rf"(?:银行卡|银行账[号户]|(?<![诊疗康保障])卡号|账[号户]|帐[号户]|借记卡|信用卡|储蓄卡|(?:bank |"
    rf"credit |debit )card|"
    rf"bank account)(?: ?(?:号码?|no|number))?\.?{OPEN}"
    rf"(?P<v>[0-9](?:{GAP}[0-9])" + r"{7,18})(?![0-9A-Za-z])",
    re.I,
)
_CARD_START = re.compile(r"62|4|5[1-5]|2[2-7]|3[47]|6011|65|35|9558")
_SSN = re.compile(
    r"(?<![0-9A-Za-z-])(?!000|666|9)[0-9]{3}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9A-Za-z-])"
)
_SSN_LABEL = re.compile(
    rf"(?:SSN|social security(?: (?:no|number)\b\.?| ?#)?){OPEN}(?P<v>(?:[0-9X*]{{3}}[- "
    rf"]?[0-9X*]{{2}}[- ]?)?[0-9]{{4}})(?![0-9])",
    re.I,
)
_INSURANCE = re.compile(
    r"(?:社会?保障?卡|社会保障|医疗?保险?卡?|医保证|医疗卡|新农合|农合证|合作医疗证?|健康卡|"
    r"电子健康卡|保险单|保单|公费医疗证|"
    r"(?:health |insurance |medicare |medicaid )?(?:insurance|plan|policy|member|subscriber|beneficiary|group|"
    r"medicare|medicaid|HICN?|MBI)\b)"
    rf"[ ]?(?:卡?号码?|编号|ID|no\b\.?|number|#)+{OPEN}(?P<v>[A-Z]{{0,4}}[0-9](?:[ \-]?[0-9A-Z]){{4,"
    rf"24}})(?![0-9A-Za-z])",
    re.I,
)
_PLATE = re.compile(
    r"(?<![\u4e00-\u9fff])?[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z] ?[\xb7.\-]? ?"
    r"(?=[A-HJ-NP-Z]{0,5}[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9学警港澳挂](?![0-9A-Za-z])"
)
_PLATE_LABEL = re.compile(
    rf"(?:车牌号?码?|车牌|车号|\blicense plate|\bplate (?=no|number|#)|\bvehicle (?:plate|tag)|\bVIN\b|"
    rf"车架号)(?: ?(?:no|number|#))?\.?{OPEN}"
    r"(?=[^\n]{0,18}[0-9])(?P<v>[\u4e00-\u9fff]?[A-Z0-9]+(?:[ \xb7\-]?[A-Z0-9]+){0,2})(?![0-9A-Za-z])",
    re.I,
)


def find_numbers(text: str) -> Iterator[Span]:
    """Yield identity documents, bank and insurance cards, social-security numbers and plates."""
    for match in _DIGITS.finditer(text):
        number = bare(match.group())
        if len(number) == 18 and identity_18(number):
            yield Span(*match.span(), "ID_NUMBER", 1.0)
        elif len(number) == 18 and identity_shape(number):
            yield Span(*match.span(), "ID_NUMBER", 0.85)  # a slip of the pen in one digit is no other person
        elif len(number) == 15 and identity_15(number):
            yield Span(*match.span(), "ID_NUMBER", 0.9)
        elif number.isdigit() and len(number) >= 15 and _CARD_START.match(number) and luhn(number):
            yield Span(*match.span(), "BANK_CARD", 0.9)
    yield from _labelled(text, _ID_LABEL, "ID_NUMBER")
    yield from _labelled(text, _PERMIT, "ID_NUMBER")
    yield from _labelled(text, _PASSPORT, "ID_NUMBER")
    yield from _labelled(text, _MILITARY, "ID_NUMBER")
    yield from _labelled(text, _CARD, "BANK_CARD")
    yield from _labelled(text, _SSN_LABEL, "SOCIAL_SECURITY")
    yield from _labelled(text, _INSURANCE, "INSURANCE")
    yield from _labelled(text, _PLATE_LABEL, "PLATE")
    for pattern, entity, score in (
        (_HOME_RETURN, "ID_NUMBER", 0.7),
        (_CHINESE_PASSPORT, "ID_NUMBER", 0.7),
        (_MACAU, "ID_NUMBER", 0.85),
        (_RESIDENT, "ID_NUMBER", 0.7),
        (_SSN, "SOCIAL_SECURITY", 0.8),
        (_PLATE, "PLATE", 0.9),
    ):
        for match in pattern.finditer(text):
            yield Span(*match.span(), entity, score)
    for match in _HONG_KONG.finditer(text):
        if hong_kong(match["l"], match["d"], match["c"]):
            yield Span(*match.span(), "ID_NUMBER", 1.0)
    for match in _TAIWAN.finditer(text):
        if taiwan(match.group()):
            yield Span(*match.span(), "ID_NUMBER", 1.0)


def bare(number: str) -> str:
    """Return a number without what stands between its digits."""
    return re.sub(r"[^0-9A-Za-z]", "", number)


def _labelled(text: str, pattern: re.Pattern[str], entity: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield Span(*match.span("v"), entity, 1.0)
