"""Stored values of DICOM images, decoded file by file: any transfer syntax for which a decoder is installed.

pydicom chooses the decoder: Pillow, pylibjpeg with OpenJPEG, pyjpegls, python-gdcm where it is installed, its own RLE and
deflate; what it has none for goes to ITK (``jpeg``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records.readers.protocol import foreign
from xinglin.records.volumes.headers import MAX_BYTES, silent
from xinglin.records.volumes.jpeg import SYNTAXES, decode_jpeg

_J2K = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream and its size marker (ISO/IEC 15444-1 A.5.1)."""
_SIZES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Frame headers of JPEG (ISO/IEC 10918-1 B.1.1.3) and JPEG-LS (ISO/IEC 14495-1)."""


def decode(path: Path, frames: Sequence[int | None]) -> Iterator[NDArray[Any]]:
    """Yield the stored values of frames of a file, in the order asked for.

    Args:
        path: the file.
        frames: indices of frames; ``(None,)`` for a file of one image.

    Yields:
        (rows, columns), or (rows, columns, 3) in RGB for colour of any kind.

    Raises:
        InvalidInputError: no decoder for the compression, truncated, or the pixels do not match the header.
        InputTooLargeError: the compressed image is larger than its header says.
    """
    import pydicom
    from pydicom.encaps import generate_frames
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import iter_pixels

    name, syntax = path.name, None
    with silent():
        try:
            deflated = _is_deflated(path, pydicom)
            header = pydicom.dcmread(path, defer_size=None if deflated else 2**16)
            syntax = header.file_meta.get("TransferSyntaxUID")
            if syntax is not None and not _has_decoder(syntax):
                raise InvalidInputError(
                    f"{name}: (0002,0010) TransferSyntaxUID: {_named(syntax)}: 不能读取此压缩方式。No decoder for this "
                    "compression: have it sent again uncompressed or lossless (JPEG 2000, HTJ2K, JPEG-LS, RLE)"
                )
            if syntax is not None and syntax.is_encapsulated:
                _check_codestreams(header, name)
            wanted = [0 if number is None else number for number in frames]
            each: Iterator[NDArray[Any]]
            if syntax in SYNTAXES and not _decodes(syntax, header):
                compressed = list(generate_frames(header.PixelData, number_of_frames=_count(header)))
                each = (decode_jpeg(header, compressed[number]) for number in wanted)
            else:  # From the path, frame by frame; a deflated file has no place to jump to.
                each = iter_pixels(header if deflated else path, indices=wanted)
            for stored in each:
                if stored.shape[:2] != (header.Rows, header.Columns):
                    raise InvalidInputError(f"{name}: the pixels are not of the size that the header states")
                palette = header.PhotometricInterpretation == "PALETTE COLOR"
                yield np.asarray(apply_color_lut(stored, header) if palette else stored)
        except (XinglinError, GeneratorExit):
            raise
        except Exception as error:
            raise foreign(error, f"{name}: the pixels cannot be decoded{_why(syntax)}") from None


def _count(header: Any) -> int:
    return int(header.get("NumberOfFrames") or 1)


def _has_decoder(syntax: Any) -> bool:
    """Whether anything decodes the syntax once its library is installed: no film (MPEG, HEVC), no JPEG XL, no JPIP."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        get_decoder(syntax)
    except NotImplementedError:
        return syntax in SYNTAXES
    return True


def _decodes(syntax: Any, header: Any) -> bool:
    """Whether pydicom decodes the syntax here; JPEG extended of 8 bits only, by Pillow."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        return bool(get_decoder(syntax).is_available) and (syntax != SYNTAXES[0] or header.BitsStored == 8)
    except NotImplementedError:
        return False


def _named(syntax: Any) -> str:
    """A syntax by its UID and, where the library knows it, its name; a file may state anything as one."""
    uid, name = str(syntax)[:64], str(syntax.name)[:64]
    return uid if name == uid else f"{uid} {name}"


def _why(syntax: Any) -> str:
    return "" if syntax is None else f": (0002,0010) TransferSyntaxUID: {_named(syntax)}"


def _check_codestreams(header: Any, name: str) -> None:
    """Compare the size that each compressed image states with the header's, before memory is taken for it."""
    from pydicom.encaps import generate_frames

    for frame in generate_frames(header.PixelData, number_of_frames=_count(header)):
        size = stated_size(frame)
        if size is not None and size != (header.Rows, header.Columns):
            raise InputTooLargeError(
                f"{name}: (7FE0,0010) PixelData: the compressed image is {size[0]} x {size[1]}, (0028,0010) Rows "
                f"and (0028,0011) Columns say {header.Rows} x {header.Columns}"
            )


def stated_size(frame: bytes) -> tuple[int, int] | None:
    """Return rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream states; ``None`` for another kind."""
    at = frame.find(_J2K, 0, 256)
    if at >= 0:
        right, bottom, left, top = (
            int.from_bytes(frame[at + 8 + 4 * k : at + 12 + 4 * k], "big") for k in range(4)
        )
        return bottom - top, right - left
    at = 2
    while frame[:2] == b"\xff\xd8" and at + 9 < len(frame) and frame[at] == 0xFF:
        if frame[at + 1] in _SIZES:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(
                frame[at + 7 : at + 9], "big"
            )
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _is_deflated(path: Path, pydicom: Any) -> bool:
    """Whether a file is deflated; one that would grow beyond the bound is refused: pydicom inflates it at one go."""
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != pydicom.uid.DeflatedExplicitVRLittleEndian:
        return False
    stream, grown = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as opened:
        opened.seek(132 + 12 + int(meta.FileMetaInformationGroupLength))
        rest = opened.read(2**20)
        while rest and not stream.eof:
            grown += len(stream.decompress(rest, 2**24))
            rest = stream.unconsumed_tail or opened.read(2**20)
            if grown > MAX_BYTES:
                raise InputTooLargeError(f"{path.name}: deflated: it grows beyond {MAX_BYTES // 2**30} GiB")
    return True
