"""English names by label, title, credential, kinship and what follows. Folded text, case kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from xinglin.records.deidentify.lexicon import words
from xinglin.records.deidentify.spans import Span

_PART = r"(?:[A-Z]['’][A-Z][a-z]+|(?:Mc|Mac|De|Di|La|Le|Van|Von|O)[A-Z][a-z]+|[A-Z][a-zà-ÿ]+(?:[-'][A-Z]?[a-z]+)?)"
_JOIN = r"(?:[ ](?:van|von|de|der|den|la|le|del|da|dos|bin|al|el|ter)){0,2}"
_INITIAL = r"[A-Z]\.?"
NAME = (
    rf"(?:{_PART}|{_INITIAL}(?=[ ]{_PART}))(?:{_JOIN}[ ](?:{_PART}|"
    rf"{_INITIAL}(?![A-Za-z]))){{0,3}}(?:,? (?:Jr|Sr|II|III|IV)\b\.?)?"
)
_KIN_FIRST = re.compile(
    rf"(?:^|(?<=[.;\n])[ ]*|(?<=[.;] ))(?:Neighbor|Wife|Husband|Son|Daughter|Mother|Father|Brother|"
    rf"Sister|Friend|Spouse|Partner) (?P<v>{NAME})(?= [a-z])"
)
_FULL = rf"{_PART}(?: {_INITIAL})?{_JOIN} {_PART}(?:[ ]{_PART})?"
_LAST_FIRST = rf"{_PART}, ?{_PART}(?: {_INITIAL}(?![A-Za-z]))?"
_UPPER = r"[A-Z][A-Z'\-]+(?:,? [A-Z][A-Z'\-]+| [A-Z]\.?(?![A-Za-z]))*"
_LABELS = (
    r"(?:caller|signature|attention|attn|patient(?:'s)?(?: name)?|pt(?:\.| name)?|full name|"
    r"first name|last name|surname|given name|"
    r"family name|name|attending(?: physician)?|referring(?: physician| provider| md)?|"
    r"primary care (?:physician|provider)|PCP|provider|physician|surgeon|assistant(?: surgeon)?|"
    r"anesthesiologist|consultant|resident|nurse|RN|radiologist|pathologist|"
    r"ordering (?:physician|provider)|requested by|dictated by|transcribed by|signed(?: by)?|/s/|"
    r"electronically signed by|e-signed by|verified by|reviewed by|reported by|"
    r"prepared by|seen by|cc|contact(?: person)?|emergency contact|next of kin|guardian|spouse|mother|"
    r"father|informant|author|interpreter|witness|subscriber|"
    r"responsible party|guarantor|caregiver|health care proxy|technologist|operator|performed by|"
    r"doctor|therapist|case manager|social worker|interviewer|accompanied by)"
)
_LABEL = re.compile(
    rf"(?<![A-Za-z])(?i:{_LABELS})(?:[ ]?\([^()\n]{{0,20}}\))?[ ]*(?:[:=][ \n]*|[ ]by[ ]|(?<=ttention)[ ])(?:(?:Dr|Mr|"
    rf"Mrs|Ms|Miss|Prof)\.? )?(?P<v>{_LAST_FIRST}|{NAME}|{_UPPER})"
)
_BY = re.compile(
    rf"(?<![A-Za-z])(?i:signed|dictated|transcribed|verified|reviewed|reported|prepared|performed|"
    rf"requested|seen|evaluated|accompanied|read|interpreted|authorized|ordered|"
    rf"referred) by:? ?(?:(?:Dr|Mr|Mrs|Ms|Miss|Prof)\.? )?(?P<v>{NAME})"
)
_TITLE = re.compile(
    rf"(?<![A-Za-z])(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Drs|Prof|Professor|Doctor|Nurse|MR|MRS|MS|DR)\.?|(?:Rev|"
    rf"Fr|Sgt)\.)[ ](?P<v>{NAME}|[A-Z][A-Z'\-]+(?: [A-Z][A-Z'\-]+)?)"
)
_CREDENTIAL = re.compile(
    rf"(?<![A-Za-z.])(?P<v>{_PART}(?=,)|{_FULL}),? (?:M\.?D|D\.?O|R\.?N|Ph\.?D|N\.?P|P\.?A(?:-C)?|"
    rf"D\.?D\.?S|MBBS|FRCP|FACS|LPN|CRNA|DPM|PharmD|MSW|LCSW|RRT|APRN|DNP|CNP)\b"
)
_KIN = re.compile(
    rf"\b(?i:(?:his|her|their|the patient's|patient's) )(?:wife|husband|son|daughter|mother|father|"
    rf"brother|sister|partner|friend|aunt|uncle|cousin|niece|nephew|grandson|granddaughter|"
    rf"neighbor|fianc[eé]e?|caregiver|spouse|girlfriend|boyfriend|roommate|employer),? (?:named )?\(?(?P<v>{NAME})"
)
_SUBJECT = re.compile(
    rf"(?:^|(?<=[\n.;!?])[ ]*|(?<=[\n.;!?] )|(?<=\bthat )|(?<=\bfor )|(?<=: )|(?<=\bRE: )|(?<=\bRe: )|"
    rf"(?<=\bnamed )|(?<=\bis )|(?<=\bof )|(?<=\bby )|(?<=\bwith )|(?<=\bto )|(?<=\bfrom )|"
    rf"(?<=\band )|(?<=\b[Pp]atient ))(?P<v>{_FULL})"
    r"(?=,? (?:(?:is|was) (?:an? )?[0-9]{1,3}[ -]|(?:is|was) (?:seen|admitted|discharged|evaluated|"
    r"examined|referred|transferred|brought|found|taken|here|an? (?:pleasant|very|elderly|young|"
    r"[a-z]+ (?:man|woman|male|female|gentleman|lady)))|"
    r"(?:presents|presented|tolerated|worked|brought|reports|reported|denies|denied|states|stated|"
    r"complains|complained|returns|"
    r"returned|underwent|arrived|called|consented|signed|agreed|tolerated|came|lives|resides|"
    r"has been seen|recalls|recalled|phoned|requests|requested)\b"
    r"|(?:[0-9]{1,3}[- ]?(?:year|yr|y/?o|yo\b))|an? [0-9]{1,3}[- ]|\(?(?:MRN|DOB|SSN)|\((?:DOB|MRN|"
    r"[0-9]{1,3}[MF/]))|,? ?[0-9]{1,3} ?(?:yo|y/o|year)|,? \(?(?:aged?|born)\b)"
)
_WITH = re.compile(
    r"\b(?:call|calls|spoke|speaking|met|meeting|visit|interview|conversation|conference|discussed|contact|discussion|"
    rf"concerns|concerning|named|called)(?: (?:with|to|by|from))? (?P<v>{_FULL})"
)
_DEAR = re.compile(rf"(?:^|(?<=\n))[ ]*Dear (?:(?:Dr|Mr|Mrs|Ms|Miss|Prof)\.? )?(?P<v>{NAME})(?=[ ]?[,:\n])")
_CASE = re.compile(
    rf"\b(?:Re|RE|[Rr]egarding|[Cc]oncerning|In re|Subject)[: ]+ ?(?P<v>{_FULL}|{_LAST_FIRST})"
)
_NO_NAME = frozenset(words("english_no_name"))


def find_english_names(text: str) -> Iterator[Span]:
    """Yield names of persons in Latin letters."""
    for pattern, score in (
        (_LABEL, 0.95), (_BY, 0.9), (_TITLE, 0.9), (_CREDENTIAL, 0.9), (_KIN, 0.85),
        (_KIN_FIRST, 0.85), (_SUBJECT, 0.85), (_DEAR, 0.9),
        (_WITH, 0.85), (_CASE, 0.85),
    ):  # fmt: skip
        for match in pattern.finditer(text):
            start, end = _trimmed(text, *match.span("v"))
            if start < end:
                yield Span(start, end, "PERSON", score)


def again_english(text: str, names: Iterable[Span]) -> Iterator[Span]:
    """Yield the places where an established name, or a part of it of four letters or more, stands once more."""
    words: set[str] = set()
    for span in names:
        name = text[span.start : span.end]
        if re.search("[A-Za-z]", name):
            parts = [part for part in re.findall(r"[A-Za-zà-ÿ'\-]{3,}", name) if part.title() not in _NO_NAME]
            words |= {part for part in parts if part[0].isupper()}
    if not words:
        return
    ordered = sorted(words, key=lambda word: (-len(word), word))
    either = "|".join(
        sorted(
            {
                form
                for word in ordered
                for form in (re.escape(word), re.escape(word.upper()), re.escape(word.title()))
            },
            key=lambda w: (-len(w), w),
        )
    )
    for match in re.finditer(rf"(?<![A-Za-z])(?:{either})(?:[ ](?:{either}))*(?![A-Za-z@])", text):
        yield Span(*match.span(), "PERSON", 0.75)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Cut words off both ends that are no names; (start, start) when nothing is left."""
    words = [match.span() for match in re.finditer(r"[^ ,\n]+", text[start:end])]
    while words and text[start + words[0][0] : start + words[0][1]].strip(".").title() in _NO_NAME:
        words.pop(0)
    for place, (first, last) in enumerate(words):
        word = text[start + first : start + last].strip(".")
        if word.title() in _NO_NAME and len(word) > 1:
            words = words[:place]
            break
    if not words or all(
        last - first <= 2
        and text[start + first].isupper()
        and text[start + first : start + last].rstrip(".").isupper()
        and last - first < 2
        for first, last in words
    ):
        return start, start
    return start + words[0][0], start + words[-1][1]
