"""Numbers known by the label before them: records, visits, specimens, beds, licences, devices. Folded text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.deidentify.names_zh import HAN
from xinglin.records.deidentify.numbers import COLON
from xinglin.records.deidentify.spans import Span

_VALUE = r"(?P<v>[A-Z]{0,6}[\-_/]?[0-9][0-9A-Z]*(?:[\-_/.][0-9A-Z]+)*)(?![0-9A-Za-z])"
_NO = r"(?: ?(?:号码?|编号|编码|条码|ID|No|Num|Number|Nr)\b\.?| ?#| ?号)"
_RECORD = re.compile(
    r"(?:住院|门诊|急诊|病案|病历|就诊|登记|挂号|检查|检验|影像|放射|病理|标本|样本|条形?码?|处方|"
    r"医嘱|流水|超声|内镜|胃镜|肠镜|心电图?|申请单?|报告单?|"
    r"体检|患者|病人|就诊卡|诊疗卡|一卡通|健康档案|档案|序|登记|入院|出院|手术|试验|受试者|随机|筛选|"
    r"病例|记录|文书|取材|蜡块|玻片|切片|胶片|片|"
    r"CT|MRI?|DR|CR|PET(?:-CT)?|X线|B超|ECG|EEG|PACS|HIS|LIS|RIS|ICU)"
    rf"(?:号码?|编号|编码|条码|ID号?|No\.?|流水号){COLON}{_VALUE}",
    re.I,
)
_ANY_NUMBER = re.compile(
    rf"(?P<l>[{HAN}]{{1,8}}(?:编号|号码|号|ID))(?:[ ]*[:|][ ]*|[ ]{{1,4}}|(?=[A-Z]{{0,4}}[0-9]{{5}})){_VALUE}"
    rf"|(?:条码|条形码|二维码){COLON}{_VALUE.replace('<v>', '<w>')}"
)
"""Whatever a form calls a number of its own is one: 病理会诊编号, 切片号."""
_RECORD_EN = re.compile(
    r"\b(?:MRN|medical record|med\.? rec\.?|patient|pt|hospital|chart|account|acct|encounter|visit|"
    r"accession|case|specimen|"
    r"sample|order|requisition|study|exam|film|registration|unit|record|report|pathology|lab|subject|FIN|CSN|HAR)"
    rf"{_NO}{{0,2}}{COLON}(?=[A-Z\-]{{0,7}}[0-9][0-9A-Z\-/]{{2,}}){_VALUE}",
    re.I,
)
_DATE = re.compile(
    r"[0-9]{1,2}[\-/.][0-9]{1,2}[\-/.](?:[0-9]{2}){1,2}$|[0-9]{4}[\-/.][0-9]{1,2}[\-/.][0-9]{1,2}$|"
    r"[0-9]{1,2}-[A-Za-z]{3}-"
)
_EN_NEEDS = re.compile(r"MRN|FIN|CSN|HAR|[::#=]|\b(?:no|num|number|id)\b|号", re.I)
_BED = re.compile(
    rf"(?:床号|床位号?|床位|病床号?|病床|病房号?|房号|房间号|病室|\bbed\b(?: ?(?:no|number)\b\.?| ?#)?|"
    rf"\b(?:room|rm|ward)\b\.?(?: ?(?:no|number)\b\.?| ?#)?){COLON}"
    r"(?P<v>[A-Z]{0,3}[\-+]?[0-9]{1,4}(?:[\-/]?[0-9A-Z]{1,4})?\+?)(?: ?床)?(?![0-9A-Za-z%.])",
    re.I,
)
_BED_BARE = re.compile(
    r"(?<![0-9A-Za-z.\-/张有共第加])(?P<v>(?:[+加])?[0-9]{1,3}\+?) ?床(?![位旁上边单头垫椅栏沿面铺垫品、]|以|规模|的)"
)
_LICENSE = re.compile(
    r"(?:医师执业证书?|执业证书?|执业证|资格证书?|工号|职工号|员工号|医师编码|执业编码|"
    r"\b(?:medical |driver'?s? |nursing )?licen[sc]e(?! plate)|\bDEA|\bNPI|\bcertificate)"
    rf"{_NO}{{0,2}}{COLON}(?=[A-Z\-]{{0,4}}[0-9A-Z\-]{{3,}})(?P<v>[A-Z]{{0,4}}[\-]?[0-9][0-9A-Z\-]*)(?![0-9A-Za-z])",
    re.I,
)
_DEVICE = re.compile(
    r"(?:序列号|出厂编号|机身号|设备(?:序列)?(?:编?号|ID)|仪器编?号|植入物编?号|器械编?号|起搏器编?号|"
    r"产品编?号|批号|唯一标识|机器编?号|"
    r"\b(?:serial|device|model serial|implant|pacemaker serial|generator serial|lot|UDI|IMEI|S/?N)\b)"
    rf"{_NO}{{0,2}}{COLON}(?=[0-9A-Z\-/()]*[0-9])(?P<v>(?:\([0-9]{{2}}\)[0-9A-Z]+)+|"
    rf"[0-9A-Z][0-9A-Z\-/]{{3,60}})(?![0-9A-Za-z])",
    re.I,
)


def find_labelled(text: str) -> Iterator[Span]:
    """Yield record, bed, insurance, licence and device numbers."""
    for match in _RECORD.finditer(text):
        yield Span(*match.span("v"), "RECORD_NUMBER", 0.96)
    for match in _ANY_NUMBER.finditer(text):
        group = "v" if match["v"] else "w"
        if len(match[group]) >= 4 and not _DATE.match(match[group]):
            insured = match["l"] is not None and re.search("保|医疗|社会", match["l"])
            yield Span(
                *match.span(group), "INSURANCE" if insured else "RECORD_NUMBER", 0.86 if insured else 0.72
            )
    for match in _RECORD_EN.finditer(text):
        if _EN_NEEDS.search(text[match.start() : match.start("v")]) and not _DATE.match(match["v"]):
            yield Span(*match.span("v"), "RECORD_NUMBER", 0.94)
    for pattern, score in ((_BED, 0.9), (_BED_BARE, 0.7)):
        for match in pattern.finditer(text):
            yield Span(*match.span("v"), "RECORD_NUMBER", score)
    for match in _LICENSE.finditer(text):
        yield Span(*match.span("v"), "LICENSE", 0.95)
    for match in _DEVICE.finditer(text):
        yield Span(*match.span("v"), "DEVICE", 0.95)
