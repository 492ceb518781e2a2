"""A report as FHIR R4: a Bundle of Observations, one a nodule, that point at the imaging study.

Coordinates have no R4 element: they are components, in millimetres, with the frame of reference beside them. Where nothing
was found, one Observation says that this is not a negative study. Statuses are *preliminary*: no clinician has verified.
"""

from __future__ import annotations

import hashlib
from typing import Any

from xinglin.apps.imaging.lung_rads import NAME
from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.report import NOTHING_FOUND, Report, nodule_json
from xinglin.types import DISCLAIMER

SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def bundle(report: Report) -> dict[str, Any]:
    """Return the Bundle (type collection) as JSON values."""
    found = [_nodule(report, one) for one in report.nodules] or [_nothing(report)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": _urn(report, at), "resource": one} for at, one in enumerate(found, 1)],
    }


def _base(report: Report) -> dict[str, Any]:
    source = report.source
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "contained": [
            {
                "resourceType": "Device",
                "id": "algorithm",
                "deviceName": [{"name": report.algorithm.name, "type": "model-name"}],
                "version": [{"value": report.algorithm.version}],
            }
        ],
        "status": "preliminary",
        "category": [{"coding": [{"system": CATEGORY, "code": "imaging"}]}],
        "code": _concept("27925004", "Nodule", "肺结节候选 candidate lung nodule"),
        "bodySite": _concept("39607008", "Lung", "肺 lung"),
        "device": {"reference": "#algorithm"},
        "note": [{"text": f"{zh} {en}".strip()} for zh, en in report.notes]
        + [{"text": f"{DISCLAIMER['zh']} {DISCLAIMER['en']}"}],
    }
    study, patient = source.text("StudyInstanceUID"), source.text("PatientID")
    if study is not None:
        uid = {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}
        body["derivedFrom"] = [{"type": "ImagingStudy", "identifier": uid}]
    if patient is not None:
        body["subject"] = {"type": "Patient", "identifier": {"value": patient}}
    if source.day is not None:
        body["effectiveDateTime"] = source.day.isoformat()
    return body


def _nodule(report: Report, one: Nodule) -> dict[str, Any]:
    told = nodule_json(report, one)
    components = [
        _quantity(_concept("81827009", "Diameter", "直径 diameter"), one.diameter, "mm"),
        *(
            _quantity({"text": f"LPS {axis}"}, value, "mm")
            for axis, value in zip("xyz", told["lps_mm"], strict=True)
        ),
        {"code": {"text": "坐标系 frame of reference"}, "valueString": report.scan.frame},
        {
            "code": {
                "text": "概率 probability"
                if report.algorithm.calibrated
                else "分数(非概率) score, no probability"
            },
            "valueQuantity": {"value": one.score, "unit": "1", "system": UCUM, "code": "1"},
        },
    ]
    if one.volume is not None:
        components.insert(1, _quantity(_concept("118565006", "Volume", "体积 volume"), one.volume, "mm3"))
    if one.kind is not None:
        components.append({"code": {"text": "密度类型 attenuation type"}, "valueString": one.kind})
    if told["lung_rads"] is not None:
        components.append({"code": {"text": NAME}, "valueString": told["lung_rads"]})
    if told["instance_number"] is not None:
        image = f"{report.source.text('SeriesNumber') or '?'}/{told['instance_number']}"
        components.append({"code": {"text": "序列/图像 series/image"}, "valueString": image})
    return _base(report) | {"component": components}


def _nothing(report: Report) -> dict[str, Any]:
    return _base(report) | {"valueString": " ".join(NOTHING_FOUND)}


def _concept(code: str, display: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": SNOMED, "code": code, "display": display}], "text": text}


def _quantity(code: dict[str, Any], value: float, unit: str) -> dict[str, Any]:
    return {"code": code, "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}}


def _urn(report: Report, number: int) -> str:
    told = f"{report.scan.series or report.scan.frame}\0{report.algorithm.name}\0{report.algorithm.version}\0{number}"
    digest = hashlib.sha256(told.encode()).hexdigest()
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
