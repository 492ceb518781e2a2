"""A row of JSON without its identifiers: every string is read, and a field's name says what its value is.

A field that is called a name, an identifier or an age is treated as one whatever it holds; every other string goes
through the recognisers, and so does a whole number of seven digits or more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.records.deidentify.options import Options
from xinglin.records.deidentify.record import OLDEST, derived_key, pseudonym
from xinglin.records.deidentify.text import Deidentified, deidentify_text
from xinglin.records.deidentify.vault import Vault

MAX_DEPTH = 60
_NAMES = re.compile(
    r"(?:patient|full|first|last|given|family|doctor|physician|nurse|contact)name|surname|患者姓名|"
    r"姓名|联系人|家属|医师|医生|护士|监护人|签名"
)
_PEOPLE = re.compile(
    r"(?:patient|person|subject|doctor|physician|nurse|contact|practitioner|患者|病人|联系人)s?"
)
"""Objects whose plain ``name`` is a person's; elsewhere it may be that of a test or a drug."""
_IDS = re.compile(
    r"(?:record|patient|subject|case|visit|encounter|admission|person|study|document|note|hadm|"
    r"mrn)?id|subject|mrn|accession(?:number)?|住院号|门诊号|病案号|病历号|患者id|就诊号|登记号|检查号"
)
_AGES = re.compile(r"age|ageyears|年龄|患者年龄")
_SUBJECTS = (
    "subject",
    "subject_id",
    "patient_id",
    "patientid",
    "person_id",
    "患者ID",
    "病案号",
    "住院号",
    "mrn",
    "id",
)
Seen = Callable[[str, Deidentified], None]


def subject_of(row: dict[str, Any]) -> str | None:
    """Return the subject a row names: the first of ``subject``, ``patient_id``, ``病案号`` and the like that it has."""
    for name in _SUBJECTS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def subject_secret(key: bytes | Vault, subject: str) -> bytes:
    """Return the subject's secret bytes, from a vault or from the key of a data set."""
    return key.subject_key(subject) if isinstance(key, Vault) else derived_key(key, subject)


def deidentify_row(
    row: dict[str, Any],
    *,
    key: bytes | Vault,
    subject: str,
    options: Options | None = None,
    seen: Seen | None = None,
) -> dict[str, Any]:
    """Return a row without its identifiers.

    Args:
        row: decoded JSON object.
        key: a vault, or secret bytes of the data set.
        subject: whose row it is.
        options: how identifiers are replaced.
        seen: called with each text that held an identifier and what became of it, for a preview.

    Raises:
        InvalidInputError: nested more than 60 deep.
    """
    secret = subject_secret(key, subject)
    names = tuple(_names(row, 0))
    originals: dict[str, str] = {}

    def text(value: str) -> str:
        found = deidentify_text(value, subject_key=secret, options=options, names=names)
        if seen is not None and found.spans:
            seen(value, found)
        return found.text

    def identifier(value: str) -> str:
        new = pseudonym("S-" if value == subject else "R-", secret, value)
        originals[new] = value
        return new

    def walk(value: Any, name: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise InvalidInputError(f"nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            return {text(k): walk(v, k, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(item, name, depth + 1) for item in value]
        plain = re.sub(r"[\s_\-.]", "", name).casefold()
        if isinstance(value, bool) or value is None or value == "":
            return value
        if _IDS.fullmatch(plain) and isinstance(value, str | int):
            return identifier(str(value))
        if isinstance(value, str):
            return text(value)
        if _AGES.fullmatch(plain) and value > OLDEST:
            return OLDEST + 1
        if isinstance(value, int) and abs(value) >= 10**6:
            new = text(str(value))
            return value if new == str(value) else new
        return value

    clean = {text(k): walk(v, k, 1) for k, v in row.items()}
    if isinstance(key, Vault):
        key.remember(subject, originals)
    return clean


def _names(value: Any, depth: int, parent: str = "patient") -> list[str]:
    """The values of fields that are called a name, to be found in the row's texts as well."""
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [name for item in value for name in _names(item, depth + 1, parent)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        plain = re.sub(r"[\s_\-.]", "", key).casefold()
        named = _NAMES.fullmatch(plain) or (plain == "name" and _PEOPLE.fullmatch(parent))
        if isinstance(item, str) and named and 1 < len(item.strip()) <= 60:
            found.append(item.strip())
        else:
            found += _names(item, depth + 1, plain)
    return found
