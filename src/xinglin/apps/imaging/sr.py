"""A report as a DICOM Structured Report: Comprehensive 3D SR, TID 1500 (PS3.16), one measurement group a nodule.

Each group (TID 1501) carries the nodule's tracking identifier and UID and its measurements. Each measurement is inferred
from the centre, a 3-D point in the series' frame of reference; the diameter also from a circle on the nearest slice, for
viewers that show no 3-D points. Values are those of the report, unrounded but for what a Decimal String holds (16
characters).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.products import MANUFACTURER, SERIES, Names, disclaimer, highdicom_of, in_utf8
from xinglin.apps.imaging.report import Report
from xinglin.apps.imaging.source import required
from xinglin.records.volumes.headers import silent

KINDS = {
    "solid": ("S", "Solid nodule"),
    "part-solid": ("PS", "Part-solid nodule"),
    "non-solid": ("GG", "Ground-glass nodule"),
    "calcified": ("C", "Calcified nodule"),
}
SCHEME = "99XINGLIN"
"""Our private coding scheme (PS3.16 8.2: private schemes begin with 99)."""


def structured_report(report: Report) -> Any:
    """Return the report as a pydicom dataset.

    Raises:
        InvalidInputError: the scan is not of single-frame DICOM images with a frame of reference.
        MissingExtraError: highdicom is not installed.
    """
    with silent():  # highdicom warns in the words of the patient's name
        return _built(report)


def _built(report: Report) -> Any:
    highdicom_of("A structured report")
    from highdicom import sr
    from pydicom.sr.codedict import codes

    source = required(report.source, "A structured report", ("FrameOfReferenceUID",))
    names = Names(report)
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=names.uid("device"),
            name=report.algorithm.name,
            manufacturer_name=MANUFACTURER,
            model_name=f"{report.algorithm.name} {report.algorithm.version}"[:64],
        ),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device),
        procedure_reported=sr.CodedConcept("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=[_group(report, one, names, sr, codes) for one in report.nodules]
        or [_nothing(names, sr)],
        title=sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            sr.CodedConcept("en", "RFC5646", "English")
        ),
    )
    texts = [f"{zh} {en}".strip() for zh, en in report.notes] + [disclaimer()]
    for text in texts:
        content[0].ContentSequence.append(
            sr.TextContentItem(
                name=codes.DCM.Comment, value=text, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    slices = sorted({one.slice for one in report.nodules}) or [0]
    made = sr.Comprehensive3DSR(
        evidence=[source.headers[z] for z in slices],
        content=content[0],
        series_instance_uid=names.uid("sr series"),
        series_number=SERIES["sr"],
        sop_instance_uid=names.uid("sr"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=report.algorithm.name,
        software_versions=report.algorithm.version,
        is_complete=True,
        is_verified=False,
        series_description=f"{report.algorithm.name} SR"[:64],
    )
    return in_utf8(made)


def _group(report: Report, one: Nodule, names: Names, sr: Any, codes: Any) -> Any:
    uid, identifier = names.tracking(one)
    algorithm = sr.AlgorithmIdentification(report.algorithm.name, report.algorithm.version)
    header = report.source.headers[one.slice]
    centre = sr.CoordinatesForMeasurement3D(
        graphic_type=sr.GraphicTypeValues3D.POINT,
        graphic_data=np.array([[one.point.x, one.point.y, one.point.z]]),
        frame_of_reference_uid=report.source.text("FrameOfReferenceUID"),
    )

    ring = sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.CIRCLE,
        graphic_data=circle(one, header),
        source_image=sr.SourceImageForRegion.from_source_image(header),
    )

    def measured(name: Any, value: float, unit: Any, *more: Any) -> Any:
        return sr.Measurement(
            name=name, value=value, unit=unit, algorithm_id=algorithm, referenced_coordinates=[centre, *more]
        )

    measurements = [measured(codes.SCT.Diameter, one.diameter, codes.UCUM.Millimeter, ring)]
    if one.volume is not None:
        measurements.append(measured(codes.SCT.Volume, one.volume, codes.UCUM.CubicMillimeter))
    score = sr.CodedConcept("score", SCHEME, "Detection score, no probability")
    if report.algorithm.calibrated:
        score = sr.CodedConcept("111047", "DCM", "Probability")
    measurements.append(measured(score, one.score, codes.UCUM.NoUnits))
    evaluations = []
    if one.kind is not None:
        value, meaning = KINDS[one.kind]
        evaluations.append(
            sr.QualitativeEvaluation(
                name=sr.CodedConcept("type", SCHEME, "Nodule attenuation type"),
                value=sr.CodedConcept(value, SCHEME, meaning),
            )
        )
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=identifier),
        finding_type=codes.SCT.Nodule,
        finding_sites=[sr.FindingSite(anatomic_location=codes.SCT.Lung)],
        algorithm_id=algorithm,
        measurements=measurements,
        qualitative_evaluations=evaluations or None,
    )


def _nothing(names: Names, sr: Any) -> Any:
    """The one group of a report without nodules; the template wants one, and silence would read as a negative study."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=names.uid("search"), identifier="search"),
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                name=sr.CodedConcept("result", SCHEME, "Result of the search"),
                value=sr.CodedConcept("none", SCHEME, "No candidate found; not a negative study"),
            )
        ],
    )


def circle(one: Nodule, header: Any) -> Any:
    """Return the circle as SCOORD has it (PS3.3 C.18.6.1.2): its centre, then a point on it; (column, row).

    The corner of the first pixel is (0, 0), its middle (0.5, 0.5).
    """
    _, y, x = one.voxel
    radius = max(one.diameter / 2 / float(header.PixelSpacing[1]), 1.0)
    return np.array([[x + 0.5, y + 0.5], [x + 0.5 + radius, y + 0.5]])
