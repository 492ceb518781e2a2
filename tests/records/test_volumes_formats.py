"""NIfTI, NRRD, MetaImage: every voxel lies where SimpleITK and nibabel say; what states no place is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.volumes import Scan, keep, open_volume, read_scan
from xinglin.records.volumes.scan import check_affine
from xinglin.types import Point, Volume

sitk = pytest.importorskip("SimpleITK")
nibabel = pytest.importorskip("nibabel")
SHAPE = (5, 4, 3)
"""x, y, z of the images made here: all different, so that no exchange of axes goes unseen."""


@st.composite
def rotations(draw: st.DrawFn) -> NDArray[np.float64]:
    """Any orthonormal matrix, of either handedness: permutations, flips, obliques."""
    if draw(st.booleans()):
        made = np.eye(3)[list(draw(st.permutations(range(3))))]
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        made = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return made * draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))


places = st.fixed_dictionaries(
    {
        "direction": rotations(),
        "spacing": st.tuples(*[st.floats(0.2, 9.0)] * 3),
        "origin": st.tuples(*[st.floats(-900, 900)] * 3),
    }
)


def values() -> NDArray[np.int16]:
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE[::-1]) * 7 - 1000).astype(np.int16)


def written(path: Path, place: dict[str, Any]) -> Any:
    image = sitk.GetImageFromArray(values())
    image.SetDirection(np.ravel(place["direction"]).tolist())
    image.SetSpacing(place["spacing"])
    image.SetOrigin(place["origin"])
    sitk.WriteImage(image, str(path))
    return sitk.ReadImage(str(path))


def agrees(scan: Scan, image: Any) -> None:
    """Every voxel: its point within 1e-3 mm of ITK's, its value equal."""
    count = 0
    for x, y, z in np.ndindex(*image.GetSize()):
        said = image.TransformIndexToPhysicalPoint((x, y, z))
        assert np.abs(scan.to_lps([[x, y, z]])[0] - said).max() < 1e-3
        assert scan.array[z, y, x] == image[x, y, z]
        count += 1
    assert count == scan.array.size


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(place=places)
def test_what_itk_writes_lies_where_itk_reads_it(tmp_path: Path, suffix: str, place: dict[str, Any]) -> None:
    image = written(tmp_path / f"a{suffix}", place)
    scan = read_scan(tmp_path / f"a{suffix}", stated="MR")
    agrees(scan, image)
    assert scan.spacing == pytest.approx(place["spacing"], rel=1e-4)
    assert scan.orthogonal
    assert np.abs(scan.to_voxels(scan.to_lps([[1.5, -2, 7]])) - [1.5, -2, 7]).max() < 1e-6


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(place=places, code=st.sampled_from(["sform", "qform", "both"]), shear=st.floats(-0.3, 0.3))
def test_what_nibabel_writes_lies_where_nibabel_reads_it(
    tmp_path: Path, place: dict[str, Any], code: str, shear: float
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = place["direction"] * place["spacing"]
    affine[:3, 3] = place["origin"]
    if code == "sform":  # a qform holds no shear
        affine[:3, 2] += shear * affine[:3, 1]
    image = nibabel.Nifti1Image(np.ascontiguousarray(values().transpose(2, 1, 0)), None)
    if code != "qform":
        image.header.set_sform(affine, code=1)
    if code != "sform":
        image.header.set_qform(affine, code=1)
    nibabel.save(image, tmp_path / "a.nii")
    back = nibabel.load(tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii", stated="CT")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    cosine = abs(affine[:3, 1] @ affine[:3, 2]) / (lengths[1] * lengths[2])
    if abs(cosine - 1e-3) > 1e-5:
        assert scan.orthogonal == (cosine < 1e-3)
    index = np.indices(SHAPE).reshape(3, -1).T
    ras = nibabel.affines.apply_affine(back.affine, index)
    assert np.abs(scan.to_lps(index) - ras * [-1, -1, 1]).max() < 1e-3
    assert np.array_equal(scan.array, np.asarray(back.dataobj).transpose(2, 1, 0))


def test_the_samples_lie_where_itk_has_them(data: Path) -> None:
    folder = data / "imaging" / "ct-sample-volumes"
    paths = sorted([*folder.glob("*.nii.gz"), *folder.glob("*.nrrd")])
    assert len(paths) == 6
    rng = np.random.default_rng(0)
    for path in paths:
        scan, image = read_scan(path, stated="CT", expected="CT"), sitk.ReadImage(str(path))
        assert scan.array.shape == image.GetSize()[::-1]
        for index in rng.integers(0, image.GetSize(), (200, 3)).tolist():
            said = image.TransformIndexToPhysicalPoint(index)
            assert np.abs(scan.to_lps([index])[0] - said).max() < 1e-3, path.name
            assert scan.array[tuple(index[::-1])] == image[tuple(index)]
        assert scan.frame.startswith("sha256:")


def nifti(path: Path, **header: Any) -> Path:
    image = nibabel.Nifti1Image(header.pop("array", values()), None)
    image.header.set_sform(header.pop("affine", np.eye(4)), code=header.pop("code", 1))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def test_nifti_without_a_stated_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="sform_code and qform_code are 0"):
        read_scan(nifti(tmp_path / "a.nii", code=0), stated="CT")
    for broken in (np.diag([0.0, 1, 1, 1]), np.diag([np.nan, 1, 1, 1]), np.ones((4, 4))):
        with pytest.raises(InvalidInputError):
            read_scan(nifti(tmp_path / "a.nii", affine=broken), stated="CT")
    with pytest.raises(InvalidInputError, match="three axes"):
        read_scan(nifti(tmp_path / "a.nii", array=np.zeros((3, 3, 3, 2), np.int16)), stated="CT")
    with pytest.raises(InvalidInputError, match="real numbers"):
        read_scan(nifti(tmp_path / "a.nii", array=np.zeros((3, 3, 3), np.complex64)), stated="CT")
    with pytest.raises(InvalidInputError, match="names no modality"):
        read_scan(nifti(tmp_path / "a.nii"), expected="CT")
    assert read_scan(nifti(tmp_path / "a.nii")).modality is None


def test_nifti_says_what_was_decided(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(values(), None)
    image.header.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
    image.header.set_sform(np.diag([3.0, 3, 3, 1]), code=2)
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii", stated="MR")
    assert scan.spacing == (3, 3, 3)
    assert any("sform and qform disagree" in note for note in scan.notes)
    metre = read_scan(nifti(tmp_path / "b.nii", xyzt_units=1, affine=np.diag([0.002, 0.002, 0.003, 1])))
    assert metre.spacing == pytest.approx((2, 2, 3))


def test_fractions_and_what_was_not_measured(tmp_path: Path) -> None:
    array = values().astype(np.float32) + 0.25
    array[0, 0, 0] = np.nan
    scan = read_scan(nifti(tmp_path / "a.nii", array=array), stated="CT")
    assert scan.array.dtype == np.float32
    assert scan.measured is not None
    assert (~scan.measured).sum() == 1
    assert scan.array[0, 0, 0] == -1000
    volume = keep(scan, tmp_path / "kept")
    again = open_volume(volume)
    assert np.array_equal(again.array, scan.array)
    assert np.array_equal(again.affine, scan.affine)
    assert again.measured is not None
    assert np.array_equal(again.measured, scan.measured)
    assert np.isnan(np.load(volume.path)).sum() == 1
    array[:] = np.nan
    with pytest.raises(InvalidInputError):
        read_scan(nifti(tmp_path / "b.nii", array=array), stated="CT")


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    place = {"direction": np.eye(3), "spacing": (1.0, 1.0, 1.0), "origin": (0.0, 0.0, 0.0)}
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
        path = tmp_path / f"a{suffix}"
        written(path, place)
        whole = path.read_bytes()
        for part in (0, 10, 60, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:part])
            with pytest.raises(InvalidInputError):
                read_scan(path, stated="CT")


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    path.write_bytes(raw)
    with pytest.raises(InputTooLargeError):
        read_scan(path, stated="CT")
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(InputTooLargeError):
        read_scan(tmp_path / "b.nii.gz", stated="CT")


NRRD = """NRRD0004
type: short
dimension: 3
space: {space}
sizes: 5 4 3
space directions: (2,0,0) (0,3,0) (0,0,4)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (10,20,30)

"""


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_a_nrrd_says_which_space(tmp_path: Path, space: str, signs: tuple[int, int, int]) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(NRRD.format(space=space).encode() + values().tobytes())
    scan = read_scan(path, stated="CT")
    assert np.allclose(scan.to_lps([[1, 1, 1]])[0], np.multiply(signs, [12, 23, 34]))
    assert np.array_equal(scan.array, values())


@pytest.mark.parametrize("space", ["", "scanner-xyz", "3D-right-handed"])
def test_a_nrrd_in_no_patients_space_is_refused(tmp_path: Path, space: str) -> None:
    path = tmp_path / "a.nrrd"
    text = NRRD.format(space=space) if space else NRRD.replace("space: {space}\n", "space dimension: 3\n")
    path.write_bytes(text.encode() + values().tobytes())
    with pytest.raises(InvalidInputError, match="not guessed"):
        read_scan(path, stated="CT")


def test_headers_that_point_elsewhere_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_text(NRRD.format(space="LPS").replace("endian", "data file: /etc/passwd\nendian"))
    with pytest.raises(InvalidInputError, match="data file"):
        read_scan(path, stated="CT")
    text = "ObjectType = Image\nNDims = 3\nDimSize = 5 4 3\n{}ElementType = MET_SHORT\nElementDataFile = {}\n"
    path = tmp_path / "a.mha"
    path.write_text(text.format("TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n", "/etc/passwd"))
    with pytest.raises(InvalidInputError, match="LOCAL"):
        read_scan(path, stated="CT")
    path.write_bytes(text.format("", "LOCAL").encode() + values().tobytes())
    with pytest.raises(InvalidInputError, match="not guessed"):
        read_scan(path, stated="CT")
    (tmp_path / "a.mhd").write_text("x")
    with pytest.raises(InvalidInputError, match="same file"):
        read_scan(tmp_path / "a.mhd")


def test_a_point_of_another_frame_has_no_voxel() -> None:
    scan = Scan(values(), np.diag([2.0, 2, 2, 1]), "CT", "1.2.3")
    point = scan.point((1, 2, 1))
    assert (point.x, point.y, point.z, point.frame) == (2, 4, 2, "1.2.3")
    assert scan.locate(point) == (1, 2, 1)
    with pytest.raises(InvalidInputError, match="another frame of reference"):
        scan.locate(Point(2, 4, 2, "1.2.4"))
    with pytest.raises(InvalidInputError, match="no frame"):
        open_volume(Volume(__file__, ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))))


def test_no_scan_with_a_broken_affine() -> None:
    sheared = np.eye(4)
    sheared[1, 2] = 0.4
    check_affine(sheared)
    assert not Scan(values(), sheared, "CT", "1").orthogonal
    for broken in (np.zeros((4, 4)), np.diag([1.0, 1, 1, 2]), np.diag([np.inf, 1, 1, 1])):
        with pytest.raises(InvalidInputError):
            Scan(values(), broken, "CT", "1")
    with pytest.raises(InvalidInputError):
        Scan(values().astype(np.float64), np.eye(4), "CT", "1")
    with pytest.raises(InvalidInputError):
        Scan(values(), np.eye(4), "CT", "")
