"""A planted sphere (synthetic) is reported where it lies, in every orientation, with its size and type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.apps.imaging.synthetic import GEOMETRIES, Geometry, Sphere, brightest, write_series
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.report import as_json, make_report
from xinglin.apps.imaging.wording import findings_text, rows
from xinglin.errors import InvalidInputError
from xinglin.records.volumes import read_scan
from xinglin.types import DISCLAIMER

ALGORITHM = Algorithm("blob", "1.0")
BIG, SMALL = Sphere((25.0, -128.0, 314.0), 10.0), Sphere((10.0, -140.0, 300.0), 6.0)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_a_sphere_is_where_it_was_planted(geometry: Geometry, tmp_path: Path) -> None:
    scan = read_scan(write_series(tmp_path, [BIG, SMALL], geometry), expected="CT")
    report = make_report(scan, brightest, ALGORITHM)
    assert len(report.nodules) == 2
    for one, planted in zip(report.nodules, (BIG, SMALL), strict=True):
        found = (one.point.x, one.point.y, one.point.z)
        assert np.linalg.norm(np.subtract(found, planted.lps)) < 0.4
        assert one.diameter == pytest.approx(planted.diameter, abs=0.5)
        assert one.volume == pytest.approx(np.pi / 6 * planted.diameter**3, rel=0.2)
        assert one.kind == "solid"
        # The image named is the one whose plane is nearest, by the header alone.
        header = report.source.headers[one.slice]
        normal = np.cross(geometry.right, geometry.down)
        distances = [
            abs((np.array(planted.lps) - np.array(h.ImagePositionPatient, float)) @ normal)
            for h in report.source.headers
        ]
        assert distances[one.slice] <= min(distances) + 0.3
        assert as_json(report)["nodules"][one.number - 1]["instance_number"] == str(header.InstanceNumber)


@pytest.mark.parametrize(
    ("hu", "kind"), [(40.0, "solid"), (-600.0, "non-solid"), (600.0, "calcified"), (-200.0, "solid")]
)
def test_type_by_density(hu: float, kind: str, tmp_path: Path) -> None:
    planted = Sphere(BIG.lps, 12.0, hu)
    report = make_report(read_scan(write_series(tmp_path, [planted])), brightest, ALGORITHM)
    assert [one.kind for one in report.nodules] == [kind]


def test_a_solid_core_in_ground_glass_is_part_solid(tmp_path: Path) -> None:
    spheres = [Sphere(BIG.lps, 16.0, -600.0), Sphere(BIG.lps, 7.0, -220.0)]
    report = make_report(read_scan(write_series(tmp_path, spheres)), brightest, ALGORITHM)
    (one,) = report.nodules
    assert one.kind == "part-solid"
    assert one.segment is not None
    assert one.segment.solid is not None
    assert 0 < one.segment.solid < one.segment.volume / 2


def test_thick_slices_tell_no_type(tmp_path: Path) -> None:
    geometry = Geometry(step=5.0, shape=(20, 64, 72))
    report = make_report(
        read_scan(write_series(tmp_path, [BIG], geometry)), brightest, ALGORITHM, screening=True
    )
    assert [one.kind for one in report.nodules] == [None]
    assert report.highest is None


def test_words_name_series_and_slice_and_say_what_they_are(tmp_path: Path) -> None:
    report = make_report(read_scan(write_series(tmp_path, [BIG])), brightest, ALGORITHM, screening=True)
    text = findings_text(report)
    image = report.source.instance(report.nodules[0].slice)
    assert f"序列 3 图像 {image}" in text
    assert "实性结节候选,直径约 10." in text
    assert "Lung-RADS 1.1:4A 类" in text
    assert "Lung-RADS 1.1 category 4A" in text
    assert "version 2022 has further rules" in text
    assert as_json(report)["lung_rads_version"] == "Lung-RADS 1.1"
    assert DISCLAIMER["zh"] in text
    assert DISCLAIMER["en"] in text
    assert "blob 1.0" in text
    assert "不是概率" in text
    assert "Synthetic" not in text
    assert "SYNTHETIC-1" not in text
    heads, lines = rows(report)
    assert len(lines) == 1
    assert len(lines[0]) == len(heads)
    assert lines[0][1] == f"3/{image}"


def test_no_category_unless_somebody_says_screening(tmp_path: Path) -> None:
    report = make_report(read_scan(write_series(tmp_path, [BIG])), brightest, ALGORITHM)
    told = as_json(report)
    assert told["lung_rads"] is None
    assert told["nodules"][0]["lung_rads"] is None
    assert "Lung-RADS" not in findings_text(report)
    assert told["nodules"][0]["probability"] is None


def test_nothing_found_is_not_negative(tmp_path: Path) -> None:
    report = make_report(read_scan(write_series(tmp_path, [])), brightest, ALGORITHM, screening=True)
    told = as_json(report)
    assert told["nodules"] == []
    assert told["negative"] is None
    assert told["lung_rads"] is None
    assert "不等于阴性检查" in findings_text(report)
    assert "not a negative study" in findings_text(report)


def test_doubling_time_against_a_prior_that_lay_elsewhere(tmp_path: Path) -> None:
    shape = (48, 64, 72)
    before = Geometry(centre=(20.0, -130.0, 310.0), shape=shape)
    after = Geometry(centre=(38.0, -142.0, 340.0), shape=shape)
    shift = np.subtract(after.centre, before.centre)
    small = Sphere(BIG.lps, 8.0)
    grown = Sphere(tuple(np.add(BIG.lps, shift)), 8.0 * 2 ** (1 / 3))
    rib = [Sphere((45.0, -110.0, 325.0), 14.0, 500.0)]
    moved_rib = [Sphere(tuple(np.add(rib[0].lps, shift)), 14.0, 500.0)]
    prior = read_scan(write_series(tmp_path / "a", [small, *rib], before, day="20250101"))
    scan = read_scan(write_series(tmp_path / "b", [grown, *moved_rib], after, day="20250411", seed=5))
    report = make_report(scan, brightest, ALGORITHM, prior=prior)
    assert report.comparison is not None
    assert report.comparison.days == 100
    assert np.linalg.norm(report.comparison.moved - shift) < 6
    change = next(one for one in report.comparison.changes if one.nodule.kind == "solid")
    assert change.doubling == pytest.approx(100, rel=0.15)
    assert "体积倍增时间约" in findings_text(report)
    assert "刚体" in findings_text(report)
    assert report.highest is None


def test_a_prior_of_another_patient_or_of_tomorrow_is_refused(tmp_path: Path) -> None:
    scan = read_scan(write_series(tmp_path / "a", [BIG]))
    other = read_scan(write_series(tmp_path / "b", [BIG], patient="SYNTHETIC-2"))
    with pytest.raises(InvalidInputError, match="another patient"):
        make_report(scan, brightest, ALGORITHM, prior=other)
    later = read_scan(write_series(tmp_path / "c", [BIG], day="20260102"))
    with pytest.raises(InvalidInputError, match="earlier one"):
        make_report(scan, brightest, ALGORITHM, prior=later)


def test_a_detector_that_leaves_the_scan_is_refused(tmp_path: Path) -> None:
    from xinglin.apps.imaging.slide import Candidate

    scan = read_scan(write_series(tmp_path, [BIG]))
    for wrong in (
        Candidate((99.0, 5.0, 5.0), 5.0, 1.0),
        Candidate((float("nan"), 5.0, 5.0), 5.0, 1.0),
        Candidate((5.0, 5.0, 5.0), 0.0, 1.0),
    ):
        with pytest.raises(InvalidInputError, match="outside the scan"):
            make_report(scan, lambda _, one=wrong: [one], ALGORITHM)
    with pytest.raises(InvalidInputError, match="leave 0 to 1"):
        make_report(scan, brightest, Algorithm("blob", "1.0", calibrated=True))
