"""What is said of one CT: its nodules, their change, and what the reader must know of how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xinglin.apps.imaging.growth import Comparison, compare
from xinglin.apps.imaging.lung_rads import NAME, category, highest
from xinglin.apps.imaging.measured import Algorithm, Detect, Nodule, measure
from xinglin.apps.imaging.source import Source, source_of
from xinglin.errors import InvalidInputError
from xinglin.records.volumes.scan import Scan
from xinglin.types import DISCLAIMER

NOTHING_FOUND = (
    "未检出候选结节;这不等于阴性检查,可能漏检。",
    "No candidate was found; this is not a negative study: nodules may have been missed.",
)
SCORES = (
    "分数仅供排序,不是概率。",
    "Scores are an order, no probabilities.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A scan and what was found in it."""

    scan: Scan
    source: Source
    nodules: tuple[Nodule, ...]
    algorithm: Algorithm
    comparison: Comparison | None = None
    screening: bool = False
    """Whether somebody stated that it is a low-dose CT for screening."""

    def category(self, nodule: Nodule) -> str | None:
        """Return a nodule's Lung-RADS category; ``None`` unless a first screening CT."""
        return category(nodule) if self.screening and self.comparison is None else None

    @property
    def highest(self) -> str | None:
        """The study's Lung-RADS category by size, if every nodule has one."""
        return highest(self.nodules) if self.screening and self.comparison is None else None

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What a reader must know, Chinese and English."""
        said = [] if self.nodules else [NOTHING_FOUND]
        if self.nodules and not self.algorithm.calibrated:
            said.append(SCORES)
        if self.screening and self.comparison is not None:
            said.append(
                (
                    "有既往检查时需由医师判断新发与增长,不给出 Lung-RADS 分类。",
                    "With a prior, growth and new nodules need a reader: no Lung-RADS category is given.",
                )
            )
        elif self.screening and self.nodules and self.highest is None:
            said.append(
                (
                    "有结节类型或体积不明或含钙化,不给出全检查 Lung-RADS 分类。",
                    "A nodule's type or volume is unknown, or it is calcified: no Lung-RADS category of the study.",
                )
            )
        if self.screening and self.comparison is None and any(self.category(one) for one in self.nodules):
            said.append(
                (
                    f"{NAME} 仅按基线大小与密度类型给出;2022 版对胸膜旁、气道、囊性结节及增长另有规定,此处未用。",
                    f"{NAME} by size and type at baseline alone; version 2022 has further rules (juxtapleural, airway, "
                    "cysts, growth), which are not applied.",
                )
            )
        if self.comparison is not None and any(self.comparison.moved):
            said.append(
                (
                    "与既往对比假定患者为刚体且仅有平移(已按图像配准平移);呼吸与体位可致数毫米误差。",
                    "The comparison takes the patient to be rigid and only moved, not turned (moved by matching the "
                    "images); breath and posture add millimetres.",
                )
            )
        return (*said, *((note, "") for note in self.scan.notes))


def make_report(
    scan: Scan,
    detect: Detect,
    algorithm: Algorithm,
    *,
    prior: Scan | None = None,
    screening: bool = False,
) -> Report:
    """Find and measure the nodules of a CT, and of a prior if there is one.

    Args:
        scan: the CT.
        detect: what finds nodules.
        algorithm: what it is called.
        prior: an earlier CT of the same patient.
        screening: whether this is stated to be a low-dose CT for screening; never guessed from the images.

    Raises:
        InvalidInputError: not a CT; a prior of another patient or of a later day; probabilities outside 0 to 1.
    """
    found, source = measure(scan, detect(scan)), source_of(scan)
    if algorithm.calibrated and not all(0 <= one.score <= 1 for one in found):
        raise InvalidInputError("the detector's scores are said to be probabilities, but leave 0 to 1")
    comparison = None
    if prior is not None:
        before = (prior, source_of(prior), measure(prior, detect(prior)))
        comparison = compare(before, (scan, source, found))
    return Report(scan, source, found, algorithm, comparison, screening)


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON values; what is not known is ``null``. No patient's name or number is in it."""
    source = report.source
    return {
        "algorithm": {
            "name": report.algorithm.name,
            "version": report.algorithm.version,
            "scores_are_probabilities": report.algorithm.calibrated,
        },
        "study_uid": source.text("StudyInstanceUID"),
        "series_uid": report.scan.series,
        "series_number": source.text("SeriesNumber"),
        "date": None if source.day is None else source.day.isoformat(),
        "frame_of_reference": report.scan.frame,
        "spacing_mm": list(report.scan.spacing),
        "screening": report.screening,
        "lung_rads": report.highest,
        "lung_rads_version": NAME if report.screening else None,
        "negative": None,
        "nodules": [nodule_json(report, one) for one in report.nodules],
        "comparison": _comparison_json(report),
        "notes": [{"zh": zh, "en": en} for zh, en in report.notes],
        "disclaimer": DISCLAIMER,
    }


def nodule_json(report: Report, one: Nodule) -> dict[str, Any]:
    """Return one nodule as JSON values."""
    return {
        "number": one.number,
        "lps_mm": [one.point.x, one.point.y, one.point.z],
        "voxel_zyx": list(one.voxel),
        "slice": one.slice,
        "instance_number": report.source.instance(one.slice),
        "diameter_mm": one.diameter,
        "volume_mm3": one.volume,
        "measured_by": "segmentation" if one.segment is not None else "detector",
        "score": one.score,
        "probability": one.score if report.algorithm.calibrated else None,
        "type": one.kind,
        "lung_rads": report.category(one),
    }


def _comparison_json(report: Report) -> dict[str, Any] | None:
    found = report.comparison
    if found is None:
        return None
    return {
        "prior_date": None if found.earlier_day is None else found.earlier_day.isoformat(),
        "days": found.days,
        "moved_mm": list(found.moved),
        "matches": [
            {
                "number": one.nodule.number,
                "prior_diameter_mm": None if one.earlier is None else one.earlier.diameter,
                "prior_volume_mm3": None if one.earlier is None else one.earlier.volume,
                "distance_mm": one.away,
                "doubling_days": one.doubling,
            }
            for one in found.changes
        ],
        "not_found_again": [
            {"prior_lps_mm": [one.point.x, one.point.y, one.point.z], "prior_diameter_mm": one.diameter}
            for one in found.gone
        ],
    }


def ordered(nodules: Sequence[Nodule]) -> list[Nodule]:
    """Nodules as a radiologist reads a chest: from head to foot."""
    return sorted(nodules, key=lambda one: -one.point.z)
