"""Whose text it is: a note that opens with a relative, or names one with an age, may be about that relative.

我爸68岁,突发胸痛 and 胸口疼怎么办?我爸68岁 ask for the father; 我妈有糖尿病,我最近口渴 asks for oneself; 父亲死于心梗
is family history.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import Literal

from xinglin.terms.numerals import NUMBER

_ELDER_MALE = (
    "爸爸|老爸|爸|父亲|爷爷|外公|姥爷|祖父|外祖父|公公|岳父|哥哥|弟弟|叔叔|舅舅|伯父|老公|丈夫|"
    "儿子|孙子|侄子|外甥|男朋友"
)
_ELDER_FEMALE = (
    "妈妈|老妈|妈|母亲|奶奶|外婆|姥姥|祖母|外祖母|婆婆|岳母|姐姐|妹妹|姑姑|姨妈|姨|老婆|妻子|"
    "媳妇|女儿|闺女|孙女|侄女|女朋友"
)
_NEUTRAL = "孩子|小孩|宝宝|宝贝|娃娃|娃|婴儿|小朋友"
_EN_MALE = "father|dad|brother|grandfather|grandpa|husband|son|uncle|grandson|boyfriend"
_EN_FEMALE = "mother|mom|mum|sister|grandmother|grandma|wife|daughter|aunt|granddaughter|girlfriend"
_EN_NEUTRAL = "child|baby|infant|kid|toddler"
_HEAD = re.compile(
    rf"[\s\W]*(?:医生|大夫|你好|您好|请问|hello|hi|doctor|dear|,|!|。|\s)*"
    rf"(?:(?:我家|我们家|我的|我|俺|咱|家里|家)?(?:的)?(?P<kin>(?P<m>{_ELDER_MALE})|"
    rf"(?P<f>{_ELDER_FEMALE})|(?P<n>{_NEUTRAL}))"
    rf"|(?:my|our)\s+(?:[0-9]+[- ](?:year|month|week|day)s?[- ]olds?\s+)?(?:(?:elderly|old|little|young)\s+)?"
    rf"(?P<ekin>(?P<em>{_EN_MALE})|(?P<ef>{_EN_FEMALE})|(?P<en>{_EN_NEUTRAL}))\b)"
)
_INTRODUCED = re.compile(
    rf"(?P<asks>(?:替|给|帮|代)(?=[^,。]{{1,6}}?(?:问|咨询|看|,))|(?:患者|病人)?是)?(?:我家|我们家|我们|我|俺|咱)的?"
    rf"(?P<kin>(?P<m>{_ELDER_MALE})|(?P<f>{_ELDER_FEMALE}))"
    rf"(?P<age>[,:\s]{{0,2}}(?:今年|现在|已经?|都|快)?(?:男|女)?,?\s?{NUMBER}多?岁(?!时|那年|[死去过有也都得就])了?)?"
)
"""A relative who is named later: asked for (替我爸问), said to be the patient (是我爸), or with an age (我爸58岁)."""
_SAYS_WHO = re.compile("(?:患者|病人)是(?=我|俺|咱)")
_NOT_ABOUT = re.compile(
    r"(?:们)?(?:死于|因[^,。]{0,12}去世|去世|病逝|过世|曾|代诉|代述|诉|患有|也有|得过|家族|and (?:father|"
    r"mother)|(?:also |both )?(?:died|passed away|had)\b|有[^,。]{0,10}(?:病史|史|癌))"
)
_AS_PATIENT = re.compile(
    r"[,:]?\s?(?:今年|今天|今日|今晨|昨天|昨晚|最近|近|这几天|这两天|突然|突发|[,:]?\s?(?:男|"
    r"女)?,?[0-9一二三四五六七八九十]{1,3}岁(?!时))"
)
_SELF_LATER = re.compile(
    rf"(?:我|本人|自己|患者)(?!家|们|的?(?:{_ELDER_MALE}|{_ELDER_FEMALE}|{_NEUTRAL})|国|想|该|应|需|要|"
    rf"不知|问|担心|怕|看|带|给|觉得|发现|摸|[^,。]{{0,5}}(?:给|陪|带|帮|替)[他她它])"
    r"|\b(?:i (?:have|had|feel|am|get|got|noticed|developed|started|woke)|i've|i'm|the patient|"
    r"my (?!father|mother|son|daughter|dad|mom|wife|husband|child|baby|brother|sister))"
)
_KIN_WORD = re.compile(
    rf"{_ELDER_MALE}|{_ELDER_FEMALE}|{_NEUTRAL}|\b(?:{_EN_MALE}|{_EN_FEMALE}|{_EN_NEUTRAL})\b"
)
_CLAUSE = re.compile(r"[。;!?\n]|\.(?=\s|$)")
_SELF = re.compile(
    r"患者|患儿|病人|本人|自己|自诉|(?<!家)我(?!家|们|的?(?:爸|妈|父|母|爷|奶|外|姥|公|婆|哥|弟|姐|妹|儿|"
    r"女|老公|老婆|丈夫|妻子))|\b(?:patient|pt|i|he|she)\b"
)
_RELATIVES = re.compile(
    rf"{_ELDER_MALE}|{_ELDER_FEMALE}|亲属|亲戚|家人|同事|室友|同学|邻居|朋友|家族史|"
    rf"(?<!feeding )(?<!nursing )(?<!expectant )\b(?:{_EN_MALE}|{_EN_FEMALE}|roommate|colleague|friend|"
    rf"family history)\b"
)
_INFORMANT = re.compile(
    r"(?:代|口)?(?:诉|述|称|陪|送|发现|说|带|抱)|\s?(?:reports?|states?|says|brought|brings)"
)


class Subject:
    """Whom a normalised text is about, and where it speaks of someone else; every question is answered
    fast."""

    def __init__(self, text: str) -> None:
        head = _head(text) or _introduced(text)
        named = {} if head is None else head.groupdict()
        word = named.get("kin") or named.get("ekin") or ""
        self.kin = (
            frozenset(m.start() for m in _KIN_WORD.finditer(text) if m.group() == word)
            if word
            else frozenset()
        )
        """Offsets of kinship words that name the patient (the one at the head, and its repeats)."""
        self.sex: Literal["male", "female"] | None = None
        """Sex of the relative the text is about, if the word says so."""
        if head is not None:
            self.sex = (
                "male"
                if named.get("m") or named.get("em")
                else "female"
                if named.get("f") or named.get("ef")
                else None
            )
        self._others = [
            m.end()
            for m in _RELATIVES.finditer(text)
            if m.start() not in self.kin and not _INFORMANT.match(text, m.end())
        ]
        self._ends = [m.end() for m in _CLAUSE.finditer(text)] if self._others else []
        self._selves = [m.start() for m in _SELF.finditer(text)] if self._others else []

    @property
    def speaks_of_others(self) -> bool:
        """Whether anyone else is named at all."""
        return bool(self._others)

    def is_other(self, position: int) -> bool:
        """Whether, at ``position``, the sentence speaks of someone other than the patient."""
        at = bisect_right(self._others, position) - 1
        if at < 0:
            return False
        other = self._others[at]
        ended = bisect_right(self._ends, position) > bisect_right(self._ends, other)
        back = bisect_left(self._selves, position) > bisect_left(self._selves, other)
        return not ended and not back


def _introduced(text: str) -> re.Match[str] | None:
    """The one relative whom a text introduces as the patient; ``None`` where it speaks of oneself or of several."""
    found = [one for one in _INTRODUCED.finditer(text) if one["asks"] or one["age"]]
    if len({one["kin"] for one in found}) != 1 or _SELF_LATER.search(_SAYS_WHO.sub("是", text)):
        return None
    return None if _NOT_ABOUT.match(text, found[0].end()) else found[0]


def _head(text: str) -> re.Match[str] | None:
    head = _HEAD.match(text)
    if head is None or _NOT_ABOUT.match(text, head.end()) or _SELF_LATER.search(text, head.end()):
        return None
    formal = head.group("kin") in ("父亲", "母亲") and text[max(head.start("kin") - 1, 0)] not in (
        "我",
        "家",
        "的",
    )
    return None if formal and not _AS_PATIENT.match(text, head.end()) else head
