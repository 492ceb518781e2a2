"""Facts that the red-flag rules may take from the wording alone; they can only raise a level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xinglin.terms.mention import Mention
from xinglin.terms.patient import speaks_of_child
from xinglin.types import Patient

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import Differential

NAMED_DANGER = "文中点名急危病"
AGE_UNSTATED = "年龄未述"
_NEWBORN = re.compile(
    r"新生儿|早产儿|刚出生|刚生下来|生下来[0-9一二两三四五六七八九十]+天|生后[0-9一二两三四五六七八九十]+(?:天|小时)|"
    r"(?:昨天|今天|昨晚|昨夜|今早|今晨|前天|夜里|凌晨|上午|下午)[^,。;]{0,4}(?:出生|生下|生的)|"
    r"\b(?:newborn|neonate|new-born|born (?:yesterday|today|last night|this morning|[0-9]+ (?:hours?|days?) ago)|"
    r"[0-9]+[- ](?:day|hour)s?[- ]old)\b"
)
_INFANT = re.compile(
    r"婴儿|婴幼儿|未满月|没满月|不满月|月子里的|个月大|不到[一俩两三四五六]个?月|[俩两三]月不到|"
    r"\b(?:infant|newborn|neonate)s?\b"
)
_NOT_NOW = re.compile(
    r"(?:陈旧性?|腔隙性?|腔梗|既往|以前|曾|担心|怕|害怕|恐|预防|吓|看到说|听说|会不会|是不是|防|筛查|接种|"
    r"[0-9一二两三四五六七八九十几多半]+(?:年|个月)(?:多|余)?前|去年|前年|[12][09][0-9]{2}年|"
    r"\b(?:worried|scared|afraid|anxious|could it be|is it|googled|prevent|against|risk of|previous|prior|"
    r"history of|years? ago|months? ago|last year|an old)\b)[^,。;.]{0,12}$"
)
_SUDDEN_FORMS = {
    "头痛": "突发剧烈头痛", "胸痛": "突发胸痛", "腹痛": "突发腹痛", "呼吸困难": "突发呼吸困难",
    "视力下降": "突发视力丧失", "言语不清": "突发言语障碍", "失语": "突发言语障碍", "共济失调": "突发行走不稳",
    "听力下降": "突发听力下降", "阴囊疼痛": "突发睾丸剧痛", "意识障碍": "新发意识行为异常",
}  # fmt: skip
"""What a complaint is when it came on suddenly; the text may say so in any words."""
_COMPLAINTS = ("symptom", "sign", "vital")
_EVENTS = (*_COMPLAINTS, "history", "risk")
VACCINE = re.compile(r"\s?-?(?:疫苗|预防针|针|抗毒素|免疫球蛋白|vaccin|shot|jab|booster|immuni[sz])")
"""What follows a disease's name when the text means its vaccine."""
_NOT_ILL = re.compile(
    r"\s?-?(?:筛查|预防|风险|后遗|恢复期|术后|史|病史|后|出院|去世|过世|走的|死的|没的|多年|[0-9]+年|康复|"
    r"(?:screening|prevention|risk|survivor|history|(?:[a-z0-9]+ )?(?:years?|months?) ago|in (?:19|20)[0-9]{2}))"
)


def inferred_facts(
    differential: Differential, text: str, patient: Patient, mentions: Sequence[Mention]
) -> set[str]:
    """Return what the rules may take from the wording alone; it can only raise a level.

    An unstated age: a newborn, an infant or a child if the text speaks of one, else taken for an adult by
    the rules that say so. What befalls somebody else, if nothing befalls the writer. A disease that kills
    within days, named by the text as present or suspected (CT: 蛛网膜下腔出血; 考虑主动脉夹层) and not as
    past, feared, vaccinated against or a relative's.
    """
    facts: set[str] = set()
    if patient.age is None:
        if _NEWBORN.search(text):
            facts |= {"新生儿", "婴儿", "儿童"}
        elif _INFANT.search(text):
            facts |= {"婴儿", "儿童"}
        elif speaks_of_child(text):
            facts.add("儿童")
        else:
            facts.add(AGE_UNSTATED)
    told = {mention.span for mention in mentions if mention.term.kind not in ("disease", "exam")}
    for mention in mentions:
        form = _SUDDEN_FORMS.get(mention.term.name)
        stated = mention.state == "present" and mention.when == "now" and not mention.hypothetical
        if form and stated and mention.onset == "sudden" and mention.who == "patient":
            facts.add(form)
    own = [m for m in mentions if m.who == "patient" and m.state == "present" and m.term.kind in _COMPLAINTS]
    if not own:  # nobody else is ill: the relative or stranger is whom the text is about
        for mention in mentions:
            stated = mention.state == "present" and mention.when == "now" and not mention.hypothetical
            if stated and mention.term.kind in _EVENTS:
                facts.add(mention.term.name)
                facts.update(differential.vocabulary.ancestors(mention.term.name))
    for mention in mentions:
        start, end = mention.span
        if (
            mention.term.code.value in differential.deadly
            and mention.span not in told
            and mention.state != "absent"
            and mention.who == "patient"
            and mention.when == "now"
            and not mention.hypothetical
            and not _NOT_NOW.search(text[max(0, start - 24) : start])
            and not _NOT_ILL.match(text, end)
            and not VACCINE.match(text, end)
        ):
            facts.add(NAMED_DANGER)
    return facts
