"""DICOM data sets by the Basic Application Level Confidentiality Profile, PS3.15 Annex E (table of edition 2024b).

Options taken: Clean Descriptors (113105), Clean Structured Content (113104), Retain Longitudinal Temporal Information
with Modified Dates (113107). Not taken: Clean Pixel Data (``pixels`` warns, it cleans nothing), Retain UIDs, Safe
Private, Patient Characteristics, Device or Institution Identity.

Where the table gives a choice by the attribute's type (X/Z/D), the last is taken: it keeps every IOD valid. Beyond the
table, every other person name is emptied, date moved, and free text cleaned, so that a new attribute is no leak. Free
text is cleaned by the recognisers of :mod:`analyzer`, whose recall is measured and is not 1.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError
from xinglin.records.deidentify.options import Options
from xinglin.records.deidentify.shift import shift_days, shifted_iso
from xinglin.records.deidentify.text import MIN_KEY, deidentify_text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_DEPTH = 20
"""Levels of nested sequences."""
METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113104", "Clean Structured Content Option"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
"""Codes of DICOM PS3.16 CID 7050."""
_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_CODES = frozenset(
    {
        "CodeValue",
        "LongCodeValue",
        "URNCodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "CodeMeaning",
        "CodingSchemeName",
        "MappingResource",
        "ContextIdentifier",
        "SpecificCharacterSet",
        "SoftwareVersions",
        "ManufacturerModelName",
        "Manufacturer",
        "ConvolutionKernel",
        "RelationshipType",
        "ValueType",
    }
)
"""Text that names a concept or a make, not a person."""
_DUMMY: dict[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), "ANON"),
    **{"AS": "000Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "DS": "0", "IS": "0"},
    **{"UR": "about:blank", "OB": b"\0\0", "UN": b""},
}
_WITHOUT_SHIFT = frozenset({"PatientBirthDate", "PatientBirthTime"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    basic: str
    option: str


@cache
def profile() -> dict[int, Rule]:
    """Return the table: tag -> rule."""
    text = resources.files("xinglin.records.deidentify").joinpath("ps315.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]
    return {int(tag, 16): Rule(basic, option) for tag, _, basic, option in rows}


def new_uid(uid: str, key: bytes) -> str:
    """Return the UID that stands for ``uid`` in a data set with this key: 2.25 and 128 bits of HMAC-SHA-256."""
    number = int.from_bytes(hmac.new(key, f"uid\0{uid}".encode(), hashlib.sha256).digest()[:16], "big")
    return f"2.25.{number}"


def deidentify_dataset(
    dataset: Dataset, *, subject_key: bytes, pseudonym: str, options: Options | None = None
) -> Dataset:
    """Return a copy of a data set without its identifiers.

    Args:
        dataset: as read by pydicom, with its file meta information if there is any.
        subject_key: secret bytes of the patient: shift of dates, surrogates in text, and UIDs, so that the same UID
            becomes the same in all files of the patient.
        pseudonym: the new patient ID and name.
        options: how identifiers in free text are replaced; dates are always moved.

    Raises:
        ConfigurationError: the key is too short.
        InvalidInputError: a DICOMDIR, an encapsulated document, or sequences nested too deeply: no rule makes them safe.
        MissingExtraError: pydicom is not installed.
    """
    if find_spec("pydicom") is None:
        raise MissingExtraError("DICOM", "records")
    if len(subject_key) < MIN_KEY:
        raise ConfigurationError(f"subject_key: expected at least {MIN_KEY} bytes, got {len(subject_key)}")
    if "DirectoryRecordSequence" in dataset:
        raise InvalidInputError("a DICOMDIR lists other files: leave it out and make a new one")
    if "EncapsulatedDocument" in dataset:
        raise InvalidInputError(
            "an encapsulated document (PDF, CDA) cannot be cleaned: extract and check it by hand"
        )
    clean = _Cleaner(subject_key, options or Options()).dataset(dataset, 0)
    clean.PatientID = clean.PatientName = pseudonym
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "Xinglin: DICOM PS3.15 Annex E, edition 2024b"
    clean.DeidentificationMethodCodeSequence = [_method(value, meaning) for value, meaning in METHODS]
    clean.LongitudinalTemporalInformationModified = "MODIFIED"
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        clean.file_meta = _meta(meta, subject_key)
        clean.preamble = b"\0" * 128
    return clean


def _method(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset as New

    item = New()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _meta(meta: Any, subject_key: bytes) -> Any:
    """File meta information with what names no one: the application entities and private data stay out."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    clean = FileMetaDataset()
    for name in ("MediaStorageSOPClassUID", "TransferSyntaxUID"):
        if name in meta:
            setattr(clean, name, getattr(meta, name))
    if "MediaStorageSOPInstanceUID" in meta:
        clean.MediaStorageSOPInstanceUID = UID(new_uid(str(meta.MediaStorageSOPInstanceUID), subject_key))
    return clean


class _Cleaner:
    """Applies the table to a data set and what is nested in it."""

    def __init__(self, subject_key: bytes, options: Options) -> None:
        self.subject_key, self.options = subject_key, options
        self.days = shift_days(subject_key)
        self.rules = profile()
        self.cleaned_texts: dict[str, str] = {}

    def dataset(self, source: Dataset, depth: int) -> Dataset:
        from pydicom.dataset import Dataset as New

        if depth > MAX_DEPTH:
            raise InvalidInputError(f"sequences nested more than {MAX_DEPTH} deep")
        clean = New()
        for element in source:
            kept = self.element(element, depth)
            if kept is not None:
                clean.add(kept)
        return clean

    def element(self, element: Any, depth: int) -> Any:
        """Return the element as it may stay, or ``None``."""
        group = element.tag.group
        if element.tag.is_private or group & 0xFF00 == 0x5000 or (group & 0xFF00 == 0x6000):
            # Curves and overlays go whole: an overlay without its data (X) is no overlay.
            return None
        rule = self.rules.get(int(element.tag))
        if rule is None:
            return self.unlisted(element, depth)
        if rule.option == "temporal" and element.VR in ("DA", "DT", "TM"):
            return self.temporal(element)
        if rule.option in ("descriptors", "structured"):
            return self.cleaned(element, depth)
        action = rule.basic.split("/")[-1]
        if action == "X":
            return None
        if action == "Z":
            return _with(element, [] if element.VR == "SQ" else _empty(element))
        if action.startswith("U"):
            return self.cleaned(element, depth)
        if element.VR == "SQ":
            return self.cleaned(element, depth)
        return _with(element, _DUMMY.get(element.VR, _empty(element)))

    def unlisted(self, element: Any, depth: int) -> Any:
        if element.VR == "PN":
            return _with(element, "")
        if element.VR in ("DA", "DT"):
            return self.temporal(element)
        if element.VR == "SQ" or (element.VR in _TEXT and element.keyword not in _CODES):
            return self.cleaned(element, depth)
        return element

    def temporal(self, element: Any) -> Any:
        if element.VR == "TM" or element.keyword in _WITHOUT_SHIFT:
            return element
        return _with(element, _each(element.value, self.moved))

    def moved(self, value: Any) -> str:
        text = str(value)
        # DICOM allows ACR-NEMA dates with dots; what is no date is emptied.
        moved = (
            shifted_iso(text.replace(".", "-", 2) if text[4:5] == "." else text, self.days) if text else ""
        )
        return moved or ""

    def cleaned(self, element: Any, depth: int) -> Any:
        if element.VR == "SQ":
            from pydicom.sequence import Sequence

            return _with(element, Sequence([self.dataset(item, depth + 1) for item in element.value]))
        if element.VR == "UI":
            return _with(
                element, _each(element.value, lambda uid: new_uid(str(uid), self.subject_key) if uid else "")
            )
        if element.VR == "PN":
            return _with(element, "")
        if element.VR in _TEXT:
            return _with(element, _each(element.value, self.text))
        return _with(element, _DUMMY.get(element.VR, _empty(element)))

    def text(self, value: Any) -> str:
        words = str(value)
        if not words.strip():
            return words
        if words not in self.cleaned_texts:
            found = deidentify_text(words, subject_key=self.subject_key, options=self.options)
            self.cleaned_texts[words] = found.text
        new = self.cleaned_texts[words]
        return new[:64] if len(words) <= 64 else new


def _each(value: Any, change: Any) -> Any:
    from pydicom.multival import MultiValue

    return [change(item) for item in value] if isinstance(value, list | MultiValue) else change(value)


def _empty(element: Any) -> Any:
    return (
        None
        if element.VR in ("DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "AT")
        else b""
        if element.VR in ("OB", "OW", "UN")
        else ""
    )


def _with(element: Any, value: Any) -> Any:
    from pydicom.dataelem import DataElement

    return DataElement(element.tag, element.VR, value)
