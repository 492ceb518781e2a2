"""DICOM files: a record a series, with its header, its report's text, and its images as a volume.

Files of one series are brought together by SeriesInstanceUID wherever they lie. Elements that stay (PS3.6): those of
``KEPT`` as events of the system ``dicom``. Slices and enhanced multi-frame images become a volume; images without a position
in the patient (radiographs, ultrasound, cine runs) and scouts become pictures, which have no coordinates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError, XinglinError
from xinglin.records.context import context_events
from xinglin.records.grouping import Groups, Row, grouping
from xinglin.records.readers.protocol import AtPath, Item, Unit, foreign, walk, whole
from xinglin.records.rows import age_between, parse_age, parse_sex, parse_time
from xinglin.records.volumes.by_reference import refer
from xinglin.records.volumes.headers import read_header, text_of
from xinglin.types import Code, Event, Patient, Record

MAX_IMAGES = 20_000
MAX_DEPTH = 20
MAX_ITEMS = 20_000
"""Content items of a structured report."""
KEPT = (
    *(
        "Modality",
        "StudyDescription",
        "SeriesDescription",
        "BodyPartExamined",
        "ProtocolName",
        "ViewPosition",
    ),
    *(
        "Manufacturer",
        "ManufacturerModelName",
        "MagneticFieldStrength",
        "KVP",
        "SliceThickness",
        "ConvolutionKernel",
    ),
    *("ContrastBolusAgent", "PatientPosition", "StudyInstanceUID", "SOPClassUID", "BurnedInAnnotation"),
)

_IDENTITY = ["Modality", "SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID"]


@dataclass(frozen=True, slots=True)
class Dicom(AtPath):
    """A folder of DICOM files, or one; the whole is one unit, since a series may lie in many folders."""

    volumes: Path | None = None
    """Folder for the arrays; ``None`` reads the headers only."""
    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """Whether pixels are read."""
        return str(self.volumes is not None)

    def units(self) -> Iterator[Unit]:
        """Yield the folder."""
        return whole(self.path, walk(self.path))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield first the files that are none of DICOM, then a record a series in the order of their UIDs.

        Raises:
            MissingExtraError: ``pydicom`` is not installed.
        """
        taken = 0
        with grouping() as groups:
            for problem in self._gather(groups):
                taken += 1
                if taken > start:
                    yield problem
            groups.seal()
            for series in groups.keys(max(0, start - taken)):
                place = series if series.startswith("folder ") else f"series {series}"
                try:
                    yield Item(place, self._record(groups, series))
                except MissingExtraError:
                    raise
                except XinglinError as error:
                    yield Item(place, problem=str(error))
                except Exception as error:  # pydicom decodes an element when it is asked for.
                    yield Item(
                        place, problem=str(foreign(error, "an element of the header cannot be decoded"))
                    )

    def _gather(self, groups: Groups) -> Iterator[Item]:
        waiting: list[Row] = []
        for file in walk(self.path):
            if file.path.name == "DICOMDIR":
                continue
            try:
                header = read_header(file.path, _IDENTITY)
                modality, kind, series, image = (text_of(header, name) for name in _IDENTITY)
                if not (modality or kind or series):
                    raise InvalidInputError(
                        "no DICOM object: Modality, SOPClassUID and SeriesInstanceUID are absent"
                    )
            except MissingExtraError:
                raise
            except XinglinError as error:
                yield Item(file.name[-180:], problem=f"{file.name}: {error}")
                continue
            # De-identified files may have lost their UIDs: then those of one folder are taken for one series.
            folder = file.name.rpartition("/")[0] or self.path.name
            waiting.append((series or f"folder {folder}", image or file.name, os.fsencode(file.path)))
            if len(waiting) == 1000:
                groups.add(waiting)
                waiting = []
        groups.add(waiting)

    def _record(self, groups: Groups, series: str) -> Record:
        # The same image twice, as copies in two folders, counts once.
        paths = {image: Path(os.fsdecode(content)) for image, content in groups.of(series)}
        if len(paths) > MAX_IMAGES:
            raise InputTooLargeError(f"a series: at most {MAX_IMAGES:,} images, got {len(paths):,}")
        headers = [(path, read_header(path)) for path in paths.values()]
        first = headers[0][1]
        if any(text_of(header, "PatientID") != text_of(first, "PatientID") for _, header in headers[1:]):
            raise InvalidInputError("(0010,0020) PatientID: the images of the series name different patients")
        record = _described(series, first, len(headers))
        if self.volumes is None:
            return record
        volumes, pictures = refer(headers, series, self.volumes)
        return replace(record, volumes=volumes, pictures=pictures)


def _described(series: str, header: Any, images: int) -> Record:
    time = _time(header)
    events = list(context_events(site=text_of(header, "InstitutionName"), time=time))
    events.append(
        Event(Code("xinglin-record", "images", "影像数 images"), float(images), time=time, kind="context")
    )
    for keyword in KEPT:
        if (value := text_of(header, keyword)) is not None:
            tag = header[keyword].tag
            code = Code("dicom", f"{tag.group:04X}{tag.element:04X}", keyword)
            events.append(Event(code, value, time=time, kind="context"))
    sex = text_of(header, "PatientSex")
    return Record(
        id=series,
        subject=text_of(header, "PatientID"),
        text="\n".join(_report(header)),
        patient=Patient(age=_age(header, time), sex=None if sex is None else parse_sex(sex)),
        events=tuple(events),
    )


def _time(header: Any) -> str | None:
    for kind in ("Acquisition", "Series", "Study"):
        if day := text_of(header, f"{kind}Date"):
            clock = (text_of(header, f"{kind}Time") or "").split(".")[0]
            return parse_time(day + (clock if len(clock) in (4, 6) else ""), f"{kind}Date")
    return None


def _age(header: Any, time: str | None) -> float | None:
    if stated := text_of(header, "PatientAge"):
        return parse_age(stated, "PatientAge")
    born = text_of(header, "PatientBirthDate")
    return (
        None
        if born is None or time is None
        else age_between(parse_time(born, "PatientBirthDate"), time, "PatientBirthDate")
    )


def _report(header: Any) -> list[str]:
    """The text of a structured report (PS3.3 C.17.3): names, texts, codes and numbers with units, in order."""
    lines: list[str] = []
    rest = [(item, 0) for item in reversed(header.get("ContentSequence") or [])]
    while rest:
        item, depth = rest.pop()
        if depth > MAX_DEPTH or len(lines) > MAX_ITEMS:
            raise InputTooLargeError(
                f"a structured report: at most {MAX_ITEMS:,} items, {MAX_DEPTH} levels deep"
            )
        if said := _said(item):
            lines.append(said)
        rest += [(inner, depth + 1) for inner in reversed(item.get("ContentSequence") or [])]
    return lines


def _said(item: Any) -> str | None:
    named, coded = (item.get(name) for name in ("ConceptNameCodeSequence", "ConceptCodeSequence"))
    name = text_of(named[0], "CodeMeaning") if named else None
    value = text_of(item, "TextValue") or (text_of(coded[0], "CodeMeaning") if coded else None)
    if measured := item.get("MeasuredValueSequence"):
        unit = measured[0].get("MeasurementUnitsCodeSequence")
        parts = (text_of(measured[0], "NumericValue"), text_of(unit[0], "CodeValue") if unit else None)
        value = " ".join(part for part in parts if part)
    return f"{name}: {value}" if name and value else value
