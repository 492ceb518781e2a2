"""Addresses smaller than a province, in Chinese and English, and postcodes. Folded text.

A Chinese address is a chain of units from large to small (市, 区, 镇, 路, 号, 栋, 室). A chain counts with two units or
with a road and a number; one alone only after a label (住址:) or a verb of living or coming (家住, 来自). A province alone
is no address: it is the counterpart of a state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.deidentify.lexicon import words
from xinglin.records.deidentify.names_zh import HAN
from xinglin.records.deidentify.spans import Span

_NUM = r"[0-9A-Za-z一二三四五六七八九十百零〇]"
_WORD = rf"[{HAN}0-9]"
_PROVINCE = rf"(?:(?:{'|'.join(words('provinces'))})(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)?)"
_CITY = (
    rf"(?:(?:{'|'.join(sorted(words('cities'), key=len, reverse=True))})(?:市|地区|"
    rf"(?:{_WORD}{{1,6}}族)?自治州|盟|州)?)"
)
_OTHER_CITY = rf"(?:[{HAN}]{{2,6}}?(?:市|自治州|地区|盟))"
_COUNTY = rf"(?:[{HAN}]{{1,7}}?(?:新区|开发区|高新区|自治县|自治旗|区|县|旗|市))"
_TOWN = rf"(?:[{HAN}]{{1,7}}?(?:街道办事处|街道办|街道|镇|乡|苏木))"
_VILLAGE = (
    rf"(?:[{HAN}0-9]{{1,9}}?(?:社区|居委会|村委会|行政村|自然村|村|屯|庄|嘎查)(?:{_NUM}{{1,3}}(?:组|队|社))?)"
)
_ROAD = rf"(?:[{HAN}0-9]{{1,8}}?(?:大道|大街|马路|胡同|路|街|巷|弄|里|条)(?:[东南西北中]段|{_NUM}{{1,3}}段)?)"
_PHASE = rf"(?:[东南西北]区|{_NUM}{{1,2}}区|{_NUM}{{1,3}}期)?"
_SURE_ESTATE = (
    rf"(?:[{HAN}0-9A-Za-z]{{2,10}}?(?:小区|花园|家园|公寓|新村|新城|大厦|广场|山庄|别墅|宿舍|家属院|家属区|"
    rf"大院|苑){_PHASE})"
)
_ESTATE = (
    rf"(?:[{HAN}0-9A-Za-z]{{2,10}}?(?:小区|花园|家园|公寓|新村|新城|大厦|广场|山庄|别墅|宿舍|家属院|家属区|"
    rf"大院|苑|城|园|府|里|湾|庭|居|楼|院|港湾|豪庭){_PHASE})"
)
_HOUSE = (
    rf"(?:{_NUM}{{1,6}}(?:[\-之]{_NUM}{{1,4}})?(?:号院|号楼|号(?!线)|弄|支弄)(?:内|附{_NUM}{{1,3}}号|"
    rf"之{_NUM}{{1,2}})?)"
)
_FLAT = rf"(?:{_NUM}{{1,4}}(?:(?:号楼|栋|幢|座|单元)(?:[0-9]{{2,4}}(?:室|户|号)?)?|楼|层|室|户|门|房|号))"
_DASHED = rf"(?:{_NUM}{{1,5}}(?:[\-#]{_NUM}{{1,5}}){{1,3}}(?:室|号|户)?)"
_SEP = r"[ ,]{0,1}"
_TAIL = (
    rf"(?:{_SEP}{_TOWN})?(?:{_SEP}{_VILLAGE})?(?:{_SEP}{_ROAD})?(?:{_SEP}{_HOUSE})?"
    rf"(?:{_SEP}(?:{_ESTATE}(?={_SEP}(?:{_HOUSE}|{_FLAT}|{_DASHED}))|{_SURE_ESTATE}))?"
    rf"(?:{_SEP}(?:{_FLAT}|{_HOUSE})){{0,5}}(?:{_SEP}{_DASHED})?"
)
# From a named province or city downward: at least one unit below it.
_FROM_PROVINCE = re.compile(
    rf"(?P<p>{_PROVINCE}){_SEP}(?P<rest>(?:{_CITY}|{_OTHER_CITY})?(?:{_SEP}{_COUNTY}){{0,2}}{_TAIL})"
)
_FROM_CITY = re.compile(rf"(?P<p>{_CITY})(?P<rest>(?:{_SEP}{_COUNTY}){{0,2}}{_TAIL})")
# Without a name of the lists: county and town or road, or a road with a house number.
_CHAIN = re.compile(
    rf"(?:[{HAN}]{{2,9}}?(?:市|县|区|旗|镇|乡|街道)){_SEP}(?:{_COUNTY}{_SEP})?(?:(?:{_TOWN}|{_VILLAGE}|"
    rf"{_ROAD}|{_SURE_ESTATE}){_SEP}){{1,4}}(?:(?:{_FLAT}|{_HOUSE}){_SEP}){{0,5}}{_DASHED}?"
)
_ROAD_HOUSE = re.compile(
    rf"(?:{_ROAD}|{_ESTATE}){_SEP}(?:{_HOUSE}|{_NUM}{{1,4}}(?:栋|幢|座|号楼)|{_DASHED}(?:室|"
    rf"号))(?:{_SEP}{_ESTATE}(?=[0-9]))?(?:{_SEP}(?:{_FLAT}|{_HOUSE})){{0,5}}(?:{_SEP}{_DASHED})?"
)
_LABEL = (
    r"(?<![PpCc])(?<!网络)(?<!网)(?<!邮箱)(?<!邮件)(?<!访问)(?:现住址|家庭住址|家庭地址|户籍地址|户籍所在地|户口地址|户口所在地|户籍地?|常住地址?|居住地址?|"
    r"现居住地|联系地址|通讯地址|通信地址|邮寄地址|收件地址|单位地址|工作地址|住址|地址|住所|籍贯|"
    r"出生地|原籍|祖籍|现住|家住|暂住地?|居住地)"
)
_LABELLED = re.compile(
    rf"{_LABEL}(?:\([^()\n]{{0,8}}\))?[ ]*[:|][ \n|]*(?P<v>[{HAN}0-9A-Za-z#][{HAN}0-9A-Za-z#\-()\xb7 "
    rf"]*(?:\n(?=[0-9\-]{{1,6}}(?:号|室|栋|单元|楼|村|组))[{HAN}0-9A-Za-z\-#]+)?)"
)
_LIVES = re.compile(
    rf"(?:家住|现住|住在|居住于|居住在|现居|暂住|来自|户籍|籍贯|原籍|祖籍|出生于|生于|出生在|回到|返回|返乡|移居|"
    rf"迁居|定居|务工于|前往|常住|在)[ ]?(?P<v>(?:{_PROVINCE}{_SEP})?{_CITY}(?:{_SEP}{_COUNTY})?)(?=[,"
    rf"。;、 \n人居务打生工出旅读上]|$)"
)
_NEXT_FIELD = re.compile(
    r"[ ](?=(?:联系|电话|手机|邮编|邮政|姓名|性别|年龄|民族|职业|婚姻|入院|出院|病史|身份证|工作|关系|"
    r"科室|床号|住院号|门诊号|病案号|户籍|现住|籍贯|出生|日期|单位|家属|血型|医保|病史)[^ ]{0,8})"
)
_POSTCODE = re.compile(
    r"(?:邮政编码|邮编|postcode|postal code|zip(?: code)?)[ ]*[::]?[ ]*(?P<v>[0-9]{5}(?:-[0-9]{4})?[0-9]?)(?![0-9])",
    re.I,
)

_CUT = re.compile(
    "地为|址为|地是|居住于|居住在|现住于|现住在|家住于|家住在|家住|现住|住在|住于|来自|位于|坐落|"
    "毕业于|就职于|返回|回到|送至|送到|迁至|搬至|搬到|寄至|寄到|籍贯|户籍|"
    "住址|地址|原籍|祖籍|出生于|生于|生活于|发生在|发生于|经过|途经|"
    "[在于到至从自往由住距去赴是为回往经及与,。;、:\n|](?![市县区镇乡村路街])"
)
_MAY_BE_WITHIN = frozenset("从自由去往回经及与为是至")
"""Words that lead to an address and also stand within one (从化市, 经十路)."""
_FIRST_UNIT = re.compile(
    rf"(?!.[市县区旗镇村路街])[{HAN}0-9]{{2,8}}?(?:市|县|区|旗|镇|乡|街道|路|街|巷|弄|道|村|小区|花园|家园|苑)"
)
_GENERIC_UNIT = re.compile(
    "(?:病|院|疫|市|城|郊|山|地|灾|牧|农|社|小|一|二|三|两|各|全|该|我|本|外|新|老|旧|库|东|西|南|"
    "北)区|(?:本|外|我|该|全|上|超|门|城|都|夜|集|各|省|地)市|(?:本|我|该|全|各|外)县|(?:农|乡|全|本|"
    "我|该|同)村|"
    "(?:道|马|公|铁|走|思|电|线|回|旁|气|管|通|尿|顺|半|一|迷|问|带|上|出|让|过|三|铺)路|(?:上|逛|大|"
    "小)街|.?(?:腰|家|夜|心|胃|肚|嘴|这|那|哪|屋|水|手|眼|城|嘴|口)里|(?:一|二|三|上|下|爬|跳|坠|摔|"
    "门诊|住院|急诊)楼|(?:公|校|果|幼儿|花)园|"
    "(?:长|全|进|县|省)城|.?(?:出|入|住|我|本|外|医|法|学|转|来|到|该|贵)院|.?(?:血|体|分|水肿|功能)区"
)
_ANATOMY = re.compile(
    "(?:肾|肝|心|前|后|肺|胃|脾|缺血|梗死|水肿|供血|支配|引流|切口|手术|术|创|咽|颈|腰|背|腹|骶|鞍|"
    "顶|额|颞|枕|回声|密度|暗|影|误|语言|运动|感觉|受压|叩痛|骶尾|会阴|"
    "腹股沟|肘|腘窝|乳头|中央|周边|纵隔|肺门|听诊|瓣膜|触发|亚|病变|病灶|低灌注|坏死|纤维化)区|(?:尿|"
    "通|传导|神经|胆|静脉|血管|呼吸)路|(?:皮|表|肌|浅|深|内|中|外)层|(?:卫生|我|出|入|住|医)院"
)

_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Ter|"
    r"Circle|Cir|Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Loop|Close|Crescent|Row|Mews)"
)
_STATES = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|"
    r"UT|V[AT]|W[AIVY]|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|"
    r"Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|"
    r"Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|"
    r"New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|"
    r"South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming)"
)
_TOWN_EN = r"[A-Z][A-Za-z.'\-]+(?: [A-Z][A-Za-z.'\-]+){0,2}"
_ZIP = r"[0-9]{5}(?:-[0-9]{4})?"
_AMERICAN = re.compile(
    rf"(?<![0-9A-Za-z/.\-])(?<![0-9] )[0-9]{{1,6}}[A-Z]?[ ](?:[NSEW]\.?[ ]|North |South |East |"
    rf"West )?(?:(?:[A-Z][A-Za-z'\-]*\.?|[0-9]{{1,3}}(?:st|nd|rd|"
    rf"th))[ ]){{1,4}}{_STREET}\b\.?(?:[ ](?:NW|NE|SW|SE|North|South|East|West)\b)?"
    rf"(?:[ ]?,?[ \n]{{1,2}}(?:Apt|Apartment|Unit|Suite|Ste|Floor|Fl|Room|Rm|Bldg|"
    rf"#)\.?[ ]?#?[0-9A-Za-z\-]+)?(?:[ ]?,?[ \n]{{1,2}}{_TOWN_EN})?(?:[ ]?,[ \n]?{_STATES}\b)?(?:[ "
    rf"]{{1,2}}{_ZIP})?(?![0-9A-Za-z])"
)
_BOX = re.compile(rf"\bP\.?[ ]?O\.?[ ]?Box[ ]?[0-9]+(?:,[ ]?{_TOWN_EN},?[ ]{_STATES})?(?:[ ]{_ZIP})?", re.I)
_TOWN_STATE_ZIP = re.compile(rf"(?:{_TOWN_EN},[ ])?(?<![A-Za-z]){_STATES}[ ]{{1,2}}{_ZIP}(?![0-9])")
_LABEL_EN = re.compile(
    r"(?<![A-Za-z])(?i:(?:home |mailing |street |current |permanent )?address[ ]*:|residence[ ]*:|"
    r"lives at|resides at|residing at|living at|hometown)[ ]*[::]?[ ]*(?P<v>[0-9A-Z#][^\n;|"
    r"。]{3,110}?)(?=[ ]{2,}|[\n;|]|\.(?:\s|$)|,? (?:and|with|phone|tel|where|since|Phone|Tel|DOB|MRN|"
    r"Email)\b|$)"
)
_FROM_TOWN = re.compile(
    rf"\b(?:from|in|of|to|near|lives in|resides in|moved to|born in) (?P<v>{_TOWN_EN}, {_STATES})(?![A-Za-z])"
)


def find_places(text: str) -> Iterator[Span]:
    """Yield addresses and postcodes."""
    for match in _LABELLED.finditer(text):
        value = _NEXT_FIELD.split(match["v"], maxsplit=1)[0].rstrip()
        if len(value) >= 2 and not re.fullmatch(
            rf"(?:{_PROVINCE}|不详|同上|无|未填|未知|保密|本地|外地|农村|城市|城镇|同现住址|同户籍地?)", value
        ):
            yield Span(match.start("v"), match.start("v") + len(value), "ADDRESS", 0.95)
    for match in _FROM_PROVINCE.finditer(text):
        if len(match["rest"]) >= 2 and not _holds_no_unit(match["rest"]):
            yield _span(match, text, 0.85)
    for match in _FROM_CITY.finditer(text):
        if len(match["rest"].strip(" ,")) >= 2 and not _holds_no_unit(match["rest"]):
            yield _span(match, text, 0.8)
    for pattern, score in ((_CHAIN, 0.7), (_ROAD_HOUSE, 0.72)):
        for match in pattern.finditer(text):
            start = match.start() + _cut(match.group().rstrip(" ,"))
            value = text[start : match.end()].rstrip(" ,")
            units = len(
                re.findall(
                    "[市县区旗镇乡村路街巷弄号栋幢座室]|街道|小区|花园|家园|公寓|单元|大道|胡同", value
                )
            )
            if len(value) >= 4 and units >= 2 and not _holds_no_unit(value):
                yield Span(start, start + len(value), "ADDRESS", score)
    for match in _LIVES.finditer(text):
        yield Span(*match.span("v"), "ADDRESS", 0.75)
    for match in _POSTCODE.finditer(text):
        yield Span(*match.span("v"), "ADDRESS", 0.95)
    for match in _LABEL_EN.finditer(text):
        yield Span(match.start("v"), match.start("v") + len(match["v"].rstrip(" ,")), "ADDRESS", 0.93)
    for pattern, score in ((_AMERICAN, 0.9), (_BOX, 0.9), (_TOWN_STATE_ZIP, 0.85)):
        for match in pattern.finditer(text):
            yield Span(*match.span(), "ADDRESS", score)
    for match in _FROM_TOWN.finditer(text):
        yield Span(*match.span("v"), "ADDRESS", 0.8)


def _span(match: re.Match[str], text: str, score: float) -> Span:
    value = match.group().rstrip(" ,")
    return Span(match.start(), match.start() + len(value), "ADDRESS", score)


def _holds_no_unit(value: str) -> bool:
    """Whether the first unit is a word of anatomy or of the hospital rather than a place."""
    first = re.match(rf"[{HAN}]*?(?:市|县|区|旗|镇|乡|街道|路|街|巷|弄|里|村|院|楼|城|园|条|庄|居|层)", value)
    return first is not None and (
        _GENERIC_UNIT.fullmatch(first.group()) is not None or _ANATOMY.search(first.group()) is not None
    )


def _cut(words: str) -> int:
    """Return where the address starts: behind the last word that leads to one and leaves its first unit whole."""
    ends = [0]
    for match in _CUT.finditer(words):
        if match.group() not in _MAY_BE_WITHIN or _FIRST_UNIT.match(words, match.end()):
            ends.append(match.end())
    return ends[-1]
