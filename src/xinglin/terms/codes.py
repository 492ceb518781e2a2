"""Coding systems with their editions, and the shape of an ICD-10 code.

Source of the ICD-10 shape: WHO, *ICD-10 Volume 2: Instruction manual*, 5th edition (2016), section
2.4: one letter, two digits, then a point and further characters. ICD-10-CM lets the third character be
a letter (C4A, M1A) and runs to seven characters; the Chinese national editions append a point-less
extension after a lower-case ``x`` (``I21.900x001``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.types import Code

XINGLIN = "xinglin"
"""Findings of the starter vocabulary; the value is the slug of the English name."""
XINGLIN_DISEASE = "xinglin-disease"
XINGLIN_EXAM = "xinglin-exam"
XINGLIN_ANALYTE = "xinglin-analyte"
XINGLIN_DRUG = "xinglin-drug"
ICD10_WHO = "icd10-who"
ICD10_CM = "icd10-cm"
ICD10_CN_GB2 = "icd10-cn-gb2"
ICD10_CN_YB2 = "icd10-cn-yb2"
SNOMEDCT = "snomedct"
LOINC = "loinc"
HPO = "hpo"
DOID = "doid"


@dataclass(frozen=True, slots=True)
class CodingSystem:
    """One coding system in one edition."""

    id: str
    zh: str
    en: str
    edition: str
    uri: str
    """Canonical URI as FHIR R4 names it (or ours)."""
    licence: str
    """What a user needs to know before shipping content of it."""


_OWN = "Apache-2.0"
SYSTEMS: dict[str, CodingSystem] = {
    system.id: system
    for system in (
        CodingSystem(ICD10_WHO, "世界卫生组织 ICD-10", "WHO ICD-10", "2019",
                     "http://hl7.org/fhir/sid/icd-10", "WHO: codes may be cited, tables not bundled"),
        CodingSystem(ICD10_CM, "美国临床修订版 ICD-10-CM", "ICD-10-CM", "as cited by Disease Ontology",
                     "http://hl7.org/fhir/sid/icd-10-cm", "public domain (US)"),
        CodingSystem(ICD10_CN_GB2, "国家临床版 2.0", "Chinese national clinical edition 2.0", "2.0",
                     "urn:xinglin:icd10-cn-gb2", "content resolved at run time, not bundled"),
        CodingSystem(ICD10_CN_YB2, "国家医保版 2.0", "Chinese medical insurance edition 2.0", "2.0",
                     "urn:xinglin:icd10-cn-yb2", "content resolved at run time, not bundled"),
        CodingSystem(SNOMEDCT, "SNOMED CT", "SNOMED CT", "of the loaded release",
                     "http://snomed.info/sct", "SNOMED International licence; never bundled"),
        CodingSystem(LOINC, "LOINC", "LOINC", "2.7x", "http://loinc.org", "LOINC licence, free with notice"),
        CodingSystem(HPO, "人类表型本体", "Human Phenotype Ontology", "as loaded",
                     "http://human-phenotype-ontology.org", "HPO licence"),
        CodingSystem(DOID, "疾病本体", "Disease Ontology", "as loaded",
                     "http://purl.obolibrary.org/obo/doid.owl", "CC0-1.0"),
        CodingSystem(XINGLIN, "杏林征象", "Xinglin findings", "starter", "urn:xinglin:finding", _OWN),
        CodingSystem(XINGLIN_DISEASE, "杏林疾病", "Xinglin diseases", "starter", "urn:xinglin:disease", _OWN),
        CodingSystem(XINGLIN_EXAM, "杏林检查", "Xinglin examinations", "starter", "urn:xinglin:exam", _OWN),
        CodingSystem(XINGLIN_ANALYTE, "杏林检验项目", "Xinglin analytes", "starter",
        "urn:xinglin:analyte", _OWN),
        CodingSystem(XINGLIN_DRUG, "杏林药物", "Xinglin drugs", "starter", "urn:xinglin:drug", _OWN),
    )
}  # fmt: skip

_ICD10 = re.compile(r"([A-Z])([0-9])([0-9A-B])(?:\.?([0-9A-Z]{1,4})(?:X[0-9]{3})?)?[+*]?")
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda",
    "μ": "mu", "µ": "mu", "ω": "omega",
}  # fmt: skip


def coding_system(system: str) -> CodingSystem:
    """The coding system of that id.

    Raises:
        UnknownNameError: no such system; the message lists those known.
    """
    try:
        return SYSTEMS[system]
    except KeyError:
        raise UnknownNameError(
            f"expected a coding system of {', '.join(SYSTEMS)}; got {system!r}: use one of these ids"
        ) from None


def slug(english: str) -> str:
    """The id of an English name: ``ST elevation`` -> ``st-elevation``; Greek letters are spelled out."""
    spelled = "".join(f"-{_GREEK[c]}-" if c in _GREEK else c for c in english.lower())
    return re.sub(r"[^a-z0-9]+", "-", spelled).strip("-")


def icd10(text: str) -> str:
    """An ICD-10 code in its normal form: upper case, a point after the third character.

    Daggers and asterisks are dropped; the Chinese extension (``I21.900x001``) is kept in lower-case x.

    Raises:
        InvalidInputError: not the shape of an ICD-10 code.
    """
    raw = text.strip().upper()
    match = _ICD10.fullmatch(raw)
    if match is None:
        raise InvalidInputError(
            f"expected an ICD-10 code such as I21, I21.9 or I21.900x001; got {text!r}: "
            "give one letter, two digits and, if any, a point and up to four characters"
        )
    body = raw.rstrip("+*").replace(".", "")
    head, tail = body[:3], body[3:]
    if re.search(r"X[0-9]{3}$", tail):
        tail = tail[:-4] + "x" + tail[-3:]
    return f"{head}.{tail}" if tail else head


def is_icd10(text: str) -> bool:
    """Whether the text has the shape of one ICD-10 code."""
    return _ICD10.fullmatch(text.strip().upper()) is not None


def icd10_category(text: str) -> str:
    """The three-character category of an ICD-10 code: ``i21.4`` -> ``I21``."""
    return icd10(text)[:3]


def is_descendant(code: str, ancestor: str) -> bool:
    """Whether ICD-10 ``code`` lies at or under ``ancestor`` (compared from three characters upward).

    ``I21.4`` lies under ``I21``; ``I21`` does not lie under ``I21.4``. Placeholder zeros of the Chinese
    editions (``I21.900``) count as part of the code.
    """
    return icd10(code).replace(".", "").startswith(icd10(ancestor).replace(".", ""))


def code_of(system: str, value: str, display: str = "") -> Code:
    """A :class:`~xinglin.types.Code` whose system is known and, for ICD-10, whose value has its shape."""
    coding_system(system)
    return Code(system, icd10(value) if system.startswith("icd10-") else value, display)
