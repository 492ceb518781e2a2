"""Compressions of DICOM that no library at hand can write: High-Throughput JPEG 2000, and those that are refused."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import HEVCMP51

from tests.records.test_volumes_dicom import image, save
from xinglin.errors import InvalidInputError
from xinglin.records.volumes import read_scan

STREAM = base64.b85decode(
    "|4;u>04YEK0000G0000C00000000000000G0000C000000000000EBy0sl|{2mk^A000XAQUDA90ssL31q1{@0smY86Cj9?kdTm&kdTm&kdTmwh=~7W"
    "02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000?f?P*lfVEb-TVTFbN~Rr024p}62Jfx0A~FHhjakc0*7<}3jG3ybO68r6)*q<&;SJB2wEBw`vC&9"
    "04M7JA~XOJp!)!VGyuQ=7K{J^UjP7C0RL4$ieAG39yj>~AIxIgR{%<E99uVSUjBfjK73<W04_nkhzRM0mVqD4!&U&m04}Bg0c^kkEl~dfB=7sa@B0os"
    "h1vG!=jZ3agsHd%8b4o6Xi}hKl1LIjV~BRAr(Xa=Ij7}O`80=CmZ<0EmHhZ9P>4W#EP%QI6Xl6M046Gmc0K@b;P?d8E~MbN0RPz"
)
"""``held()`` as OpenJPH 0.26.3 compresses it without loss, 12 x 16 of 16 bits with a sign, packets in RPCL order."""
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")


def held() -> np.ndarray:
    y, x = np.mgrid[:12, :16]
    return (37 * x + 91 * y + x * x * y) % 2600 - 1300


def compressed(folder: Path, syntax: str, stream: bytes = STREAM) -> Path:
    made = image(0, Rows=12, Columns=16, PixelRepresentation=1, BitsStored=16, HighBit=15)
    made.PixelData = encapsulate([stream])
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = syntax
    return save(folder, [made])


@pytest.mark.parametrize("syntax", HTJ2K)
def test_high_throughput_jpeg_2000_gives_the_stored_values(tmp_path: Path, syntax: str) -> None:
    folder = compressed(tmp_path / "in", syntax)
    assert pydicom.dcmread(folder / "0.dcm").file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(read_scan(folder, expected="CT").array[0], held() - 1024)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_stream_of_it_is_refused(tmp_path: Path, part: float) -> None:
    folder = compressed(tmp_path / "in", HTJ2K[0], STREAM[: int(len(STREAM) * part)])
    with pytest.raises(InvalidInputError, match=r"0\.dcm: .*High-Throughput JPEG 2000"):
        read_scan(folder)


@pytest.mark.parametrize(
    ("syntax", "told"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        (str(HEVCMP51), "HEVC"),
        ("1.2.840.10008.1.2.4.205", "JPIP"),
        ("1.2.840.10008.1.2.4.110", ""),  # JPEG XL, younger than the library's dictionary
        ("1.2.3.4", ""),
    ],
)
def test_what_nothing_decodes_is_refused_by_file_and_tag(tmp_path: Path, syntax: str, told: str) -> None:
    path = compressed(tmp_path / "in", HEVCMP51) / "0.dcm"
    meta = pydicom.filereader.read_file_meta_info(path)
    assert meta.TransferSyntaxUID == HEVCMP51
    padded = syntax.encode().ljust(len(HEVCMP51), b"\0")  # written into the file: the library would refuse to
    path.write_bytes(path.read_bytes().replace(HEVCMP51.encode(), padded, 1))
    with pytest.raises(InvalidInputError) as caught:
        read_scan(path.parent)
    assert str(caught.value).startswith(f"0.dcm: (0002,0010) TransferSyntaxUID: {syntax}")
    assert told in str(caught.value)
    assert "No decoder" in str(caught.value)
