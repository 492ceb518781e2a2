"""Header facts in a text: age, sex, pregnancy, lactation, allergies, drugs in use, eGFR.

What is not stated stays ``None``: 老年 is no age, a boyfriend no sex. Ages and sexes of relatives are left
alone unless the text is about the relative (:mod:`xinglin.terms.subject`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, cast

from xinglin.terms.numerals import ENGLISH_NUMBER, NUMBER, number
from xinglin.terms.quantity import Quantity
from xinglin.terms.subject import Subject
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient

_DAYS = 365.25
_YEARS = {"岁": 1.0, "周岁": 1.0, "个月": 1 / 12, "个多月": 1 / 12, "月": 1 / 12, "月龄": 1 / 12, "天": 1 / _DAYS,
"日": 1 / _DAYS, "日龄": 1 / _DAYS,
          "周": 7 / _DAYS, "周龄": 7 / _DAYS, "小时": 1 / 24 / _DAYS}  # fmt: skip
_AGE_ZH = re.compile(
    rf"(?<![0-9.])(?P<y>{NUMBER})\s?(?:多|余|来|几)?\s?周?岁(?:零|又)?(?:(?P<m>{NUMBER})个?月|(?P<half>半))?"
    r"(?!的?时|起|开始|那年|以[上下前后]|前|后|之前|左右时)"
)
_AGE_SMALL = re.compile(
    rf"(?:男|女|婴|儿|宝宝|孩子|患儿|生后|出生后?|日龄|月龄|孩|,|^|\s|"
    rf":)\s?(?P<n>{NUMBER})\s?(?:多)?(?P<u>个多月|个月|月龄|月|天|日龄|周龄|小时)(?P<mark>大|龄|婴|的?(?:男|"
    rf"女)?(?:婴|宝|娃|孩)|[,。\s]|$)"
)
_AGE_SINCE_BIRTH = re.compile(
    rf"(?:出生|生下来|生后|分娩)[^。;]{{0,8}}?(?:到现在|至今|已经?|现在|才|刚)\s?(?P<n>{NUMBER})(?:多)?"
    r"(?P<u>个月|月|天|周|个?小时)"
)
_AGE_HEADER = re.compile(
    rf"\s*(?:患者|患儿)?[,:]?(?:[男女][性婴]?)[,\s]{{0,2}}(?P<n>{NUMBER})(?P<u>天|日|个月|月)(?=[,。\s]|$)"
)
_BABY = re.compile(r"婴|新生儿|患儿|宝宝|宝贝|早产儿|生后|出生|日龄|月龄|孩子|小孩|娃|足月|母乳|奶")
_AGE_FIELD = re.compile(rf"年龄[:\s]*(?P<n>{NUMBER})(?!\s?(?:个?月|天|日|周))")
_AGE_EN = re.compile(
    rf"\b(?P<n>{ENGLISH_NUMBER}|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|"
    rf"two|three|four|five|six|seven|eight|nine))?)[- ]?"
    r"(?P<u>years?|yrs?|months?|mos?|weeks?|wks?|days?|hours?)[- ]?(?:of age|olds?)\b"
    r"|\b(?P<n2>[0-9]{1,3})\s?(?:y/?o|yo)\b(?:\s(?P<s2>[fm])\b)?|"
    r"\bage[d:]?\s*(?:is\s)?(?P<n3>[0-9]{1,3})\b(?! (?:months|days|weeks))"
    r"|\b(?P<n4>[0-9]{1,3})\s?(?:y\s?)?[/]?(?P<s4>[fm])\b(?![-/])|(?<!')\b(?P<s5>[fm])\s?/?\s?(?P<n5>[0-9]{2})\b"
    r"|\b(?P<n6>[0-9]{1,2})[- ]?(?:mo|month|months)\b(?= (?:infant|baby|boy|girl|male|female|m\b|f\b))"
    r"|\b(?:i'm|i am|he's|he is|she's|she is|(?:son|daughter|wife|husband|mother|father|mum|mom|dad|child|boy|"
    r"girl|patient|grandson|granddaughter|grandmother|grandfather|gran|grandma|grandad|grandpa|brother|sister)"
    r"(?:'s| is)) (?:only |just |nearly |almost |about |now )?(?P<n7>[0-9]{1,3})\b"
    r"(?! ?(?:[%/:°'-]|\.[0-9]|weeks|wks|months?|mos?\b|days?|hours?|hrs?|min|mg|kg|cm|lbs?|pounds|stone|"
    r"foot|feet|ft|st\b|nd\b|rd\b|th\b|times|units|degrees|out of|of|years?(?! ?(?:old|of age))))"
)
_PARENT = re.compile(r"[^.,;]{0,30}\b(?:mother|father|mom|dad|parents)\b")
_DELIVERED = re.compile(
    r"产后|分娩后|顺产后|剖宫产后|坐月子|\bpost-?partum\b|\bdeliver(?:ed|ing|y)\b|\bborn at\b"
)
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_MALE = re.compile(
    r"(?<![父母])男(?!友|朋友|科|方|用|厕|女|医生|护士|同事|同学|士们)|先生|\b(?:male|man|boy|gentleman|mr)\b"
)
_FEMALE = re.compile(
    r"(?<![父母生])女(?!儿|友|朋友|婿|方|用|厕|医生|护士|同事|同学|士们)|女士|产妇|孕妇|\b(?:female|woman|"
    r"girl|lady|mrs|ms)\b"
)
_FEMALE_STATE = re.compile(r"末次月经|月经|痛经|停经|绝经|阴道流血|阴道出血|怀孕|孕[0-9]|妊娠")
_HE, _SHE = (
    re.compile(r"(?<![其吉])他(?!人|们|汀|莫|克|巴)|\b(?:he|his|him)\b"),
    re.compile(r"她|\b(?:she|her)\b"),
)
_PREGNANT = re.compile(
    rf"(?:宫内)?(?:孕|妊娠|怀孕|gestation(?:al age)?(?: of)?|"
    rf"孕周)[:\s]?(?P<w>{NUMBER})\s?(?:\+\s?(?P<d>[0-6]))?\s?周(?:\+?(?P<d2>[0-6])天?)?"
    rf"|怀孕(?P<m>{NUMBER})个?多?月|\b(?P<ew>[0-9]{{1,2}})(?:\+[0-6])?[- ]?(?:weeks?|"
    rf"wks?)[- ]?(?:\+[0-6] )?(?:pregnant|gestation|gravid|ga\b|of gestation|of pregnancy)"
    r"|孕妇|怀孕|妊娠(?:状态|期|中)?|孕(?:早|中|晚)期|\b(?:pregnant|gravid)\b|\bin pregnancy\b"
)
_NOT_PREGNANT = re.compile(
    r"(?:未|没有?|非|不是|否认|排除|无|并未|不在|没)(?:宫内)?(?:怀孕|妊娠|孕)|(?:怀孕|"
    r"妊娠)(?:试验)?(?:\(-\)|阴性)|\b(?:not|non-?|isn't|denies (?:being )?|denies)\s?pregnan|"
    r"\bpregnancy test (?:was |is )?negative|\bnegative pregnancy test"
)
_NO_PREGNANCY_FACT = re.compile(
    r"备孕|异位|宫外|妊娠史|孕产史|避孕|不孕|试验|待|是否|可能|如果|计划|想|纹|流产|引产|糖尿病史|"
    r"高血压史|生育"
)
_BORN = re.compile(r"^[^。;]{0,8}(?:出生|分娩|娩出|生产|产|剖宫|早产|顺产|剖出)")
_LACTATING = re.compile(
    r"哺乳期|正在哺乳|哺乳中|\b(?:breast-?feeding|lactating|nursing mother)\b|(?<!未)(?<!不)喂奶期"
)
_NOT_LACTATING = re.compile(r"(?:未|不|没有?|非|停止)哺乳|\bnot (?:breast-?feeding|lactating)\b")
_NO_ALLERGY = re.compile(
    r"(?:否认|无|没有|未发现|不详外无)[^,。;]{0,12}过敏史?|过敏史?[:\s]*(?:无|否认|未发现|没有)|\bnkd?a\b|"
    r"\bno (?:known )?(?:drug |food |medication )*allerg|\bdenies (?:any )?(?:drug |known )*allerg|"
    r"\ballergies:? (?:none|nil|nkda)"
)
_ALLERGIC = re.compile(
    r"对(?P<a>[^,。;、:\s]{1,12}?(?:[、和及][^,。;、:\s]{1,10}?)*)(?:等)?(?:药物|类药物)?(?:有|会|严重)?过敏"
    r"|过敏史?[:\s](?P<b>[^,。;]{1,20})|\ballerg(?:ic to|y to|ies to|ies:)\s*(?P<c>[^,.。;]{2,40})"
)
_ALLERGY_AFTER = re.compile(r"\s?(?:类|药物|类药物|皮试)?(?:有|会|严重)?(?:过敏(?!性)|皮试阳性|allerg)")
_TAKES = re.compile(
    r"服用|口服|在用|在吃|吃着|正在使用|正在用|使用|应用|用药|服药|服|吃|注射|吸入|长期|规律|目前用|用|"
    r"\b(?:takes?|taking|on|uses?|using|prescribed|medications?|meds|started on)\b"
)
_TAKES_NOT = re.compile(
    r"未|没|不|否认|无|停用|停服|已停|停|曾|过量|误服|自行停|建议|拟|予|给予|如|若|换|\b(?:not|no|denies|"
    r"stopped|discontinued|never|off|overdose)\b"
)
_NO_DRUGS = re.compile(
    r"(?:未|没有?|否认|无)(?:长期|规律|特殊|其他|任何|口服|正在)*(?:服用|使用|吃|用|服)(?:任何|其他|"
    r"特殊)?(?:药物?)(?:史)?(?!后)|(?:无|否认)(?:长期|特殊)?用药史|\b(?:no|takes no|not on any|"
    r"denies taking) (?:regular |current |daily |any )*medications?\b"
)


def read_patient(text: str, vocabulary: Vocabulary, quantities: list[Quantity] | None = None) -> Patient:
    """The header facts of a normalised text.

    Args:
        quantities: already read; an eGFR among them is taken over.
    """
    subject = Subject(text)
    age, sex = _age_and_sex(text, subject)
    pregnant, weeks = _pregnancy(text, subject, age, sex)
    lactating = False if _NOT_LACTATING.search(text) else True if _LACTATING.search(text) else None
    if age is not None and age < 10:
        lactating = None
    if pregnant or lactating:
        sex = sex or "female"
    egfr = next((q.value for q in quantities or () if q.analyte.loinc.startswith("33914-3")), None)
    allergies = _allergies(text, subject, vocabulary)
    return Patient(
        age=age, sex=sex, pregnant=pregnant, gestation_weeks=weeks, lactating=lactating, allergies=allergies,
        drugs=_drugs(text, subject, vocabulary), egfr=egfr,
    )  # fmt: skip


def merge_patient(stated: Patient | None, read: Patient) -> Patient:
    """``stated`` by the caller wins field by field; what it leaves open comes from the text."""
    if stated is None:
        return read
    fields = {
        name: value
        for name in Patient.__dataclass_fields__
        if getattr(stated, name) is None and (value := getattr(read, name)) is not None
    }
    return replace(stated, **fields)


def _age_and_sex(text: str, subject: Subject) -> tuple[float | None, Literal["male", "female"] | None]:
    age = None
    sex: str | None = None
    for match in _AGE_ZH.finditer(text):
        if not subject.is_other(match.start()):
            years = number(match.group("y")) or 0.0
            months = 6.0 if match.group("half") else number(match.group("m") or "") or 0.0
            if years <= 130:
                age = years + months / 12
                break
    if age is None and (field := _AGE_FIELD.search(text)):
        age = number(field.group("n"))
    if age is None and (header := _AGE_HEADER.match(text)):
        age = (number(header.group("n")) or 0.0) * _YEARS[header.group("u")]
    if age is None and (since := _AGE_SINCE_BIRTH.search(text)):
        age = (number(since.group("n")) or 0.0) * _YEARS[since.group("u").replace("个小时", "小时")]
    if age is None and _BABY.search(text):
        for match in _AGE_SMALL.finditer(text):
            unit, amount = match.group("u"), number(match.group("n"))
            firm = (
                match.group("mark") in ("大", "龄")
                or match.start() < 12
                or bool(_BABY.search(text, max(0, match.start() - 6), match.start() + 3))
            )
            if amount is not None and firm:
                age = amount * _YEARS[unit]
                break
    if age is None:
        age, sex = _english_age(text, subject)
    return age, cast('Literal["male", "female"] | None', sex or _sex(text, subject, age))


def _english_age(text: str, subject: Subject) -> tuple[float | None, str | None]:
    for match in _AGE_EN.finditer(text):
        if subject.is_other(match.start()) or _PARENT.match(text, match.end()):
            continue
        if match.group("n"):
            amount, unit = _english_number(match.group("n")), match.group("u")[0:2]
            scale = {
                "ye": 1.0,
                "yr": 1.0,
                "mo": 1 / 12,
                "we": 7 / _DAYS,
                "wk": 7 / _DAYS,
                "da": 1 / _DAYS,
            }.get(unit, 1 / 24 / _DAYS)
            return (None if amount is None else amount * scale), None
        if match.group("n6"):
            return float(match.group("n6")) / 12, None
        letter = match.group("s2") or match.group("s4") or match.group("s5")
        if (match.group("s4") or match.group("s5")) and match.start() > 40:
            continue
        years = float(next(match.group(n) for n in ("n2", "n3", "n4", "n5", "n7") if match.group(n)))
        if years <= 130:
            return years, {"f": "female", "m": "male"}.get(letter or "")
    return None, None


def _english_number(word: str) -> float | None:
    head, _, tail = word.replace("-", " ").partition(" ")
    if head in _TENS:
        return _TENS[head] + ((number(tail) or 0.0) if tail else 0.0)
    return number(word)


def _sex(text: str, subject: Subject, age: float | None) -> str | None:
    """First mark of a sex that is not a relative's; then the relative the text is about; then a pronoun."""
    marks = [(m.start(), "male") for m in _MALE.finditer(text)] + [
        (m.start(), "female") for m in _FEMALE.finditer(text)
    ]
    if (age is None or age >= 9) and not re.search(r"新生儿|早产儿|生后|[男女]婴", text):
        marks += [(m.start(), "female") for m in _FEMALE_STATE.finditer(text)]
    for position, sex in sorted(marks):
        if not subject.is_other(position):
            return sex
    if subject.sex:
        return subject.sex
    he, she = _HE.search(text), _SHE.search(text)
    if (he is None) == (she is None) or subject.speaks_of_others:
        return None
    return "male" if he else "female"


def _pregnancy(
    text: str, subject: Subject, age: float | None, sex: str | None
) -> tuple[bool | None, float | None]:
    if sex == "male" or (age is not None and not 9 <= age <= 60):
        return None, None
    if _NOT_PREGNANT.search(text):
        return False, None
    if _DELIVERED.search(text):
        return None, None
    pregnant = False
    for match in _PREGNANT.finditer(text):
        around = text[max(0, match.start() - 4) : match.end() + 5]
        if subject.is_other(match.start()) or _BORN.match(text[match.end() :]):
            continue
        weeks = number(match.group("w") or match.group("ew") or "")
        if weeks is None and _NO_PREGNANCY_FACT.search(around):
            continue
        if re.search(r"异位|宫外|史", around):
            continue
        if weeks is None:
            # 孕妇,28岁,孕34周: the weeks may follow.
            pregnant = True
            continue
        if not 1 <= weeks <= 45:
            continue
        days = match.group("d") or match.group("d2")
        return True, weeks + int(days) / 7 if days else weeks
    return (True if pregnant else None), None


def _allergies(text: str, subject: Subject, vocabulary: Vocabulary) -> tuple[str, ...] | None:
    """Stated allergens by their vocabulary name, else in the text's own words; ``()`` for a stated none."""
    found: dict[str, None] = {}
    if "过敏" not in text and "皮试" not in text and "allerg" not in text and "nk" not in text:
        return None
    drugs = vocabulary.drug_names.longest(text)
    stretches = [
        (m.start(name), m.end(name)) for m in _ALLERGIC.finditer(text) for name in "abc" if m.group(name)
    ]
    denied = {i for m in _NO_ALLERGY.finditer(text) for i in range(*m.span())}
    stretched = {i for start, end in stretches for i in range(start, end)}
    named = {i for drug in drugs for i in range(drug.start, drug.end)}
    for drug in drugs:
        if drug.start in denied or subject.is_other(drug.start):
            continue
        if drug.start in stretched or _ALLERGY_AFTER.match(text, drug.end):
            found[drug.payload.name] = None
    for start, end in stretches:
        words = text[start:end].strip()
        if not named.isdisjoint(range(start, end)) or start in denied or subject.is_other(start):
            continue
        for word in re.split(r"[、和及]|\band\b|\bor\b", words):
            if word.strip() and not re.search(r"无|否认|未|没|不详|药物|none|nil|unknown|什么|是否|史", word):
                found[word.strip()] = None
    if found:
        return tuple(found)
    return () if denied else None


def _drugs(text: str, subject: Subject, vocabulary: Vocabulary) -> tuple[str, ...] | None:
    """Drugs stated to be in use; ``()`` for a stated *none*."""
    found: dict[str, None] = {}
    for drug in vocabulary.drug_names.longest(text):
        left = max(text.rfind(mark, 0, drug.start) for mark in "。;!?\n") + 1
        left = max(left, drug.start - 30)
        lead = text[left : drug.start]
        verb = max(_TAKES.finditer(lead), key=lambda m: m.start(), default=None)
        if verb is None or _ALLERGY_AFTER.match(text, drug.end) or subject.is_other(drug.start):
            continue
        negated = _TAKES_NOT.search(lead, max(0, verb.start() - 6)) or re.match(
            r"\s?(?:已停|停用|过量|过敏|中毒)", text[drug.end :]
        )
        if not negated:
            found[drug.payload.name] = None
    if found:
        return tuple(found)
    return () if _NO_DRUGS.search(text) else None


def speaks_of_child(text: str) -> bool:
    """Whether a normalised text speaks of a child as its patient, with or without an age."""
    return (
        _BABY.search(text) is not None
        or re.search(r"小儿|儿童|男孩|女孩|\b(?:infant|baby|toddler|child|boy|girl|newborn)\b", text)
        is not None
    )
