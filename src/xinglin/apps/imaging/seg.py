"""The voxels of the nodules as a DICOM Segmentation (PS3.3 A.51), binary, one segment a nodule."""

from __future__ import annotations

from typing import Any

import numpy as np

from xinglin.apps.imaging.products import MANUFACTURER, SERIES, Names, disclaimer, highdicom_of, in_utf8
from xinglin.apps.imaging.report import Report
from xinglin.apps.imaging.source import required
from xinglin.records.volumes.headers import silent


def segmentation(report: Report) -> Any | None:
    """Return the segmentation as a pydicom dataset; ``None`` if no nodule has voxels of its own.

    Raises:
        InvalidInputError: the scan is not of single-frame DICOM images with a frame of reference.
        MissingExtraError: highdicom is not installed.
    """
    with silent():  # highdicom warns in the words of the patient's name
        return _built(report)


def _built(report: Report) -> Any | None:
    highdicom = highdicom_of("A segmentation")
    from highdicom import seg
    from pydicom.sr.codedict import codes

    source = required(report.source, "A segmentation", ("FrameOfReferenceUID",))
    cut = [(one, one.segment) for one in report.nodules if one.segment is not None]
    if not cut:
        return None
    names = Names(report)
    touched = sorted({z for _, part in cut for z in range(part.corner[0], part.corner[0] + len(part.mask))})
    rows, columns = report.scan.array.shape[1:]
    pixels = np.zeros((len(touched), rows, columns, len(cut)), np.uint8)
    first = {z: at for at, z in enumerate(touched)}
    for layer, (_, part) in enumerate(cut):
        z, y, x = part.corner
        depth, height, width = part.mask.shape
        at = first[z]
        pixels[at : at + depth, y : y + height, x : x + width, layer] = part.mask
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=report.algorithm.name,
        family=codes.DCM.ArtificialIntelligence,
        version=report.algorithm.version,
        source=MANUFACTURER,
    )
    descriptions = []
    for number, (one, _) in enumerate(cut, 1):
        uid, identifier = names.tracking(one)
        descriptions.append(
            seg.SegmentDescription(
                segment_number=number,
                segment_label=f"nodule {one.number}",
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Nodule,
                algorithm_type=seg.SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=algorithm,
                tracking_uid=uid,
                tracking_id=identifier,
                anatomic_regions=[codes.SCT.Lung],
            )
        )
    made = seg.Segmentation(
        source_images=[source.headers[z] for z in touched],
        pixel_array=pixels,
        segmentation_type=seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=names.uid("seg series"),
        series_number=SERIES["seg"],
        sop_instance_uid=names.uid("seg"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=report.algorithm.name,
        software_versions=report.algorithm.version,
        device_serial_number="0",
        content_label="NODULES",
        content_description="Candidate nodules, not verified",
        series_description=f"{report.algorithm.name} SEG"[:64],
    )
    made.ImageComments = disclaimer()
    return in_utf8(made)
