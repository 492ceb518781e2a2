"""A record without its identifiers: the door that an intake run takes as ``transform``.

What becomes of each field:

- ``id``, ``subject``: keyed pseudonyms (HMAC-SHA-256 under the subject's key), ``R-`` and ``S-`` with 26 letters.
- ``text`` and every free text of events, allergies and drugs: through :func:`deidentify_text`.
- times: moved by the subject's shift; a duration (``P3D``) and a year alone stay.
- age over 89: 90 (45 CFR 164.514(b)(2)(i)(C)).
- spans of findings: moved along, or dropped where an identifier was replaced within.
- volumes: left out, unless ``volumes`` says where the de-identified file lies: a path may name a patient, and a picture
  is de-identified by its own door (``deidentify_dataset``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from xinglin.errors import ConfigurationError
from xinglin.records.deidentify.options import Options
from xinglin.records.deidentify.shift import shift_days, shifted_iso
from xinglin.records.deidentify.text import MIN_KEY, deidentify_text
from xinglin.records.deidentify.vault import Vault
from xinglin.types import Code, Event, Finding, Record

OLDEST = 89
"""Highest age in years that stays as it is."""


def pseudonym(prefix: str, key: bytes, value: str) -> str:
    """Return ``prefix`` and 26 letters and digits (130 bits) of HMAC-SHA-256 of ``value`` under ``key``."""
    digest = hmac.new(key, f"{prefix}\0{value}".encode(), hashlib.sha256).digest()
    return prefix + base64.b32encode(digest).decode()[:26].lower()


def derived_key(key: bytes, subject: str) -> bytes:
    """Return a subject's key from the key of a data set, for use without a vault."""
    return hmac.new(key, f"subject\0{subject}".encode(), hashlib.sha256).digest()


def deidentifier(
    key: bytes | Vault, *, options: Options | None = None, volumes: Mapping[str, str] | None = None
) -> Callable[[Record], Record]:
    """Return a function that takes a record and gives it back without its identifiers.

    Args:
        key: a vault, which keeps the way back; or at least 16 secret bytes of the data set, without a way back.
        options: how identifiers are replaced.
        volumes: path of a volume -> path of its de-identified file.

    Raises:
        ConfigurationError: the key is too short.
    """
    if isinstance(key, bytes) and len(key) < MIN_KEY:
        raise ConfigurationError(f"key: expected at least {MIN_KEY} bytes, got {len(key)}")

    def transform(record: Record) -> Record:
        return deidentify(record, key=key, options=options, volumes=volumes)

    return transform


def deidentify(
    record: Record,
    *,
    key: bytes | Vault,
    options: Options | None = None,
    volumes: Mapping[str, str] | None = None,
) -> Record:
    """Return the record without its identifiers; see :func:`deidentifier`."""
    subject = record.subject if record.subject is not None else record.id
    if isinstance(key, Vault):
        subject_key = key.subject_key(subject)
    else:
        subject_key = derived_key(key, subject)
    new_subject = pseudonym("S-", subject_key, subject) if record.subject is not None else None
    new_id = pseudonym("R-", subject_key, record.id)
    if isinstance(key, Vault):
        pairs = {new_id: record.id} | ({new_subject: subject} if new_subject is not None else {})
        key.remember(subject, pairs)
    days = shift_days(subject_key)

    @lru_cache(maxsize=4096)
    def clean(text: str) -> str:
        if not any(char.isdigit() or char.isupper() or char > "\u2e7f" for char in text):
            return text  # small Latin letters alone hold no identifier that is looked for
        return deidentify_text(text, subject_key=subject_key, options=options).text

    def moved(time: str | None) -> str | None:
        if time is None or time.startswith("P"):
            return time
        new = shifted_iso(time, days)
        return clean(time) if new is None else new

    def code(item: Code) -> Code:
        if item.system != "text":
            return item
        return Code("text", clean(item.value), clean(item.display))

    def event(item: Event) -> Event:
        value = clean(item.value) if isinstance(item.value, str) else item.value
        status = clean(item.status) if item.status is not None else None
        return replace(item, code=code(item.code), value=value, time=moved(item.time), status=status)

    text = deidentify_text(record.text, subject_key=subject_key, options=options)

    def finding(item: Finding) -> Finding:
        span = text.moved(item.span) if item.span is not None else None
        return replace(item, code=code(item.code), time=moved(item.time), span=span)

    patient = record.patient
    old = patient.age is not None and patient.age >= OLDEST + 1
    return Record(
        id=new_id,
        subject=new_subject,
        text=text.text,
        patient=replace(
            patient,
            age=float(OLDEST + 1) if old else patient.age,
            allergies=None if patient.allergies is None else tuple(map(clean, patient.allergies)),
            drugs=None if patient.drugs is None else tuple(map(clean, patient.drugs)),
        ),
        events=tuple(map(event, record.events)),
        findings=tuple(map(finding, record.findings)),
        volumes=tuple(
            replace(
                item,
                path=volumes[item.path],
                frame=None if item.frame is None else pseudonym("F-", subject_key, item.frame),
            )
            for item in record.volumes
            if volumes is not None and item.path in volumes
        ),
        pictures=tuple(
            replace(item, path=volumes[item.path])
            for item in record.pictures
            if volumes is not None and item.path in volumes
        ),
    )
