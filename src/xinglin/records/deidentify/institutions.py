"""Hospitals, clinics, employers and schools by the form of their names. Folded text.

A bare abbreviation of one's own (华西, 协和) is found only with a numbered or attached ``院`` (附一院, 市二院).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.deidentify.lexicon import words
from xinglin.records.deidentify.names_zh import HAN
from xinglin.records.deidentify.spans import Span

_KINDS = words("facilities")
_ZH = re.compile(
    rf"[{HAN}0-9A-Za-z\xb7]{{1,24}}?(?:{'|'.join(_KINDS)})(?:\([{HAN}]{{2,10}}\))?(?:[{HAN}]{{1,4}}(?:院区|分院))?"
)
_BEFORE = re.compile(
    r".*(?:外请|邀请|特请|就诊于|求治于|就医于|住院于|转诊至|转诊到|转入|转至|转到|转往|转回|送至|送到|送往|急送|"
    r"前往|曾在|曾于|曾至|曾到|曾赴|遂至|遂到|先后在|先后于|先后至|来到|收入|收住|来自|推荐|建议|联系|"
    r"毕业于|任职于|就职于|工作于|"
    r"患者|病人|家属|今日|昨日|同日|次日|当日|随后|后在|后于|后至|后到|后转|再次|[0-9]年|[0-9]月|"
    r"[0-9]日|[年月日天周时]|术前|术后|于[0-9]*|"
    r"[在于到至赴往去从经由自被向回入来送抵转据而但并及和与或的为是将,。;、:\n()])(?!院)"
)
_SURELY_BEFORE = re.compile(r".*(?:就诊于|住院于|[0-9年月日]|[在于到至赴由去往从经转入,。;、:\n()])(?!院)")
_GENERIC = re.compile(
    r"(?:我|本|该|贵|外|当地|上级|下级|基层|各级|某|某某|其他|其它|多家|数家|一家|这家|那家|几家|附近|"
    r"就近|正规|专业|专科|综合|大|小|大型|公立|私立|民营|好|三甲|二甲|三级|二级|一级|甲等|三级甲等|"
    r"三甲等|社区|乡镇|乡|镇|村|县|市|省|区|"
    r"县级|市级|省级|国家级|人民|中医|中西医|中西医结合|儿童|妇产|妇幼|口腔|肿瘤|精神病|精神|传染病|"
    r"胸科|眼科|皮肤病|皮肤|肛肠|骨科|康复|整形|美容|男科|妇科|肝病|结核病|肾病|心血管病|教学|附属|"
    r"接诊|收治|定点|医保|家|个|本地|外地|省市|市里|县里|"
    r"知名|有名|权威|相关|有关|具体|别的|别家|另一家|同一|同一家|不同|地方|军队|海外|国外|国内|许多|"
    r"很多|所有|全国|各大|各|两家|三家|去|到|在|住|能|有|条件|较|比较|更|最|尽快|及时|立即|马上|应|需|"
    r"要|可|来|用|把|等|后|前|时|的|和|或|与|及|了|过|您|你|他|她|"
    r"医生|医师|患者|病人|家长|建议|选择|推荐|治疗|检查|就诊|看病|就医|住院|门诊|急诊|转|送|私人|个体|"
    r"小|黑|村里|镇里|乡里|诊断|确诊|做|看|上|下|出|进|离开|返回|联系|咨询|复查|手术|体检|抢救|急救|"
    r"骨伤|老年|老年病|糖尿病|脑科|脑病|心脏病|心脏|肺科|耳鼻喉|五官科|烧伤|职业病|风湿病|风湿|血液病|"
    r"血液|生殖|不孕不育|癫痫|乙肝|白癜风|正规的|大的|好的|当地的|一般|普通|民办|军|部队|厂矿|校|学校|"
    r"单位|企业|农村|城市|城镇|便民|网上|线上|互联网|宠物|动物)+"
)
_NUMBERED = re.compile(
    rf"[{HAN}]{{1,8}}?(?:附属?[一二三四五六]?|[一二三四五六七八九十]附?|"
    rf"大附)院(?![长区内外中前后系士落子墙])|(?<![0-9])[1-9][0-9]{{2}}医院"
)
_SPECIALTY = re.compile(
    "(?:肿瘤|精神病|结核病|传染病|皮肤病|肝病|肾病|心脏病|糖尿病|职业病|老年病|风湿病|专科)$"
)
_NO_INSTITUTION = re.compile(
    "哪|什么|啥|怎么|多少|(?:(?<!第)一|这|那|几|多|换|(?<!第)两|(?<!第)三|某|好|有|各|每|别|许多|"
    "很多|一些|同一|其他|接着|因为)"
    "(?:家|个|些|所|间|次|种)$|(?:这|那|几|某|各|每|别|许多|很多|其他|接着|因为)$|比如|例如|像|治疗|"
    "救治|专治|看病|看看|看好|检查|复诊|想|要|吗|呢|吧|了|过|"
    "(?:病|症|炎|癌|瘤|疹|癣|疮|痛|阳|肝|疾病|科室|县城|省城|城里|镇上|市里|街上|门口|附近|机构和)$|"
    "[最更很挺]好|知名|权威|著名|医保|正规|所在|"
    "什|们|你|我|他|她"
)
_WORK = re.compile(
    rf"(?:工作单位(?:及地址|名称)?|单位名称|工作单位及职务|就读学校|学校|单位|就职于|任职于|就读于|"
    rf"工作于|供职于|毕业于)[ ]*[::]?[ ]*(?P<v>[{HAN}0-9A-Za-z()\xb7]{{2,24}}?(?:公司|集团|工厂|厂|"
    rf"小学|中学|高中|大学|学院|学校|幼儿园|银行|局|所|院|中心|店|社|队|部|处|委员会|研究所|政府|超市|"
    rf"酒店|工地|矿|站|商场|有限责任公司))(?![{HAN}])"
)
_AT = re.compile(
    rf"(?:^|[,。;、:\n]|现?[于在]|系|为|是)(?P<v>(?:(?![在于系为是])[{HAN}]){{2,10}}?"
    "(?:小学|中学|高中|大学|学院|幼儿园|职业学校|技校|公司|集团|工厂|[纺机电化钢造印食服药织械子工铁船刷品装]厂))"
    "(?=上班|工作|任教|任职|就读|读书|上学|打工|务工|教书|学生|职工|员工|教师|教授|老师|退休)"
)
_COMPANY = re.compile(rf"[{HAN}]{{3,16}}?(?:有限责任公司|股份有限公司|有限公司|集团公司)")
_WORD = r"(?:(?!Dr\b|Mr\b|Mrs\b|Ms\b)[A-Z][A-Za-z'’\-]+|St\.)"
_EN = re.compile(
    rf"(?:{_WORD}[ ](?:(?:of|and|the|for|&|de)[ ])?){{1,6}}(?:Hospital|Medical Cent(?:er|re)|Clinic|"
    rf"Infirmary|Hospice|Nursing Home|Health System|Healthcare System|Health Cent(?:er|re)|"
    rf"Rehabilitation Cent(?:er|re)|Surgery Cent(?:er|re)|Surgical Cent(?:er|re)|Cancer Cent(?:er|re)|"
    rf"Medical Group|Medical College|Care Cent(?:er|re)|Sanatorium|Dispensary|Urgent Care|"
    rf"Family Practice|Health Services)\b(?:[ ](?:of|at)[ ](?:the[ ])?{_WORD}(?:[ ](?!These|The|This|"
    rf"For|In|It|She|He|You){_WORD}){{0,2}})?"
    rf"|(?:Hospital|University(?= of [A-Za-z ]+ (?:Hospital|Medical))|"
    rf"Clinic)[ ]of[ ](?:the[ ])?{_WORD}(?:[ ]{_WORD}){{0,2}}(?:[ ](?:Hospital|Medical Center))?"
)
_EN_LEAD = re.compile(
    r"^(?:(?:The|A|An|At|In|To|From|This|Your|His|Her|And|For|Of|By|With|Patient|Admitted|Transferred|"
    r"Seen|Local|Outside|Referring|General(?= Hospital$)|Community(?= (?:Hospital|Clinic)$)|Facility|"
    r"Hospital(?= [A-Z]))[ :]+)+"
)
_EN_LABEL = re.compile(
    r"(?<![A-Za-z])(?i:facility|hospital|institution|clinic|employer|school|works at|employed by|"
    r"employed at|practice name)[ ]*(?:name)?[ ]*(?::|(?<=at)|"
    r"(?<=by))[ ]*(?P<v>[A-Z][A-Za-z0-9'’.&\- ]{2,50}[A-Za-z.])(?=[ ]{2,}|[\n,;|.]|$)"
)
_EN_GENERIC = frozenset(words("english_no_facility"))


def find_institutions(text: str) -> Iterator[Span]:
    """Yield hospitals, other health facilities, employers and schools."""
    for match in _ZH.finditer(text):
        span = _chinese(text, match)
        if span is not None:
            yield span
    for match in _NUMBERED.finditer(text):
        value = match.group()
        cut = _BEFORE.match(value[:-2])
        lead = cut.end() if cut else 0
        stem = re.sub("[附属一二三四五六七八九十院]+$", "", value[lead:])
        if (
            stem in ("省", "市", "区", "县")
            or value[0].isdigit()
            or (len(stem) > 1 and not _GENERIC.fullmatch(stem))
        ):
            yield Span(match.start() + lead, match.end(), "INSTITUTION", 0.75)
    for match in _WORK.finditer(text):
        yield Span(*match.span("v"), "INSTITUTION", 0.85)
    for match in _AT.finditer(text):
        yield Span(*match.span("v"), "INSTITUTION", 0.7)
    for match in _COMPANY.finditer(text):
        cut = re.match(r".*[在于到为是由,。;、:\n]", match.group())
        start = match.start() + (cut.end() if cut else 0)
        if match.end() - start >= 6:
            yield Span(start, match.end(), "INSTITUTION", 0.75)
    for match in _EN.finditer(text):
        lead_en = _EN_LEAD.match(match.group())
        start = match.start() + (lead_en.end() if lead_en else 0)
        words = re.findall(r"[A-Za-z'’\-]+", text[start : match.end()])
        if len(words) > 1 and not all(word in _EN_GENERIC or word[0].islower() for word in words):
            yield Span(start, match.end(), "INSTITUTION", 0.8)
    for match in _EN_LABEL.finditer(text):
        yield Span(*match.span("v"), "INSTITUTION", 0.9)


def _chinese(text: str, match: re.Match[str]) -> Span | None:
    if text[match.end() : match.end() + 1] in (":", "|") or text[match.end() : match.end() + 2] in (
        "名称",
        "地址",
        "电话",
    ):
        return None  # the label of a form
    value = match.group()
    kind = next(kind for kind in sorted(_KINDS, key=len, reverse=True) if kind in value)
    stem = value[: value.rindex(kind)]
    cut = _BEFORE.match(stem)
    if cut and stem[cut.end() - 1] in "和与为" and not _names_one(stem[cut.end() :]):
        cut = _SURELY_BEFORE.match(stem)  # 安和康复医院: the last cut was within the name
    lead = cut.end() if cut else 0
    return Span(match.start() + lead, match.end(), "INSTITUTION", 0.82) if _names_one(stem[lead:]) else None


def _names_one(stem: str) -> bool:
    """Whether what stands before 医院 and the like names one of them, rather than a kind of them."""
    own = _SPECIALTY.sub("", stem)
    return not (
        len(re.findall(f"[{HAN}]", stem)) < 2
        or (len(own) < 2 and own != stem)
        or _NO_INSTITUTION.search(own)
        or _GENERIC.fullmatch(own)
        or _GENERIC.fullmatch(stem)
        or re.match("(?:中国|美国|国家|英国|日本|欧洲|世界|德国|全国)(?:疾病)?$", own)
    )
