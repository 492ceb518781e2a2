"""Lossless JPEG and JPEG of 12 bits, for which pydicom has no decoder of a free licence: by the GDCM inside ITK.

ITK reads files and applies the scale of what it takes for a CT. So each frame goes to it as a Secondary Capture of its own,
in a file that holds the pixel elements (PS3.3 C.7.6.3) and nothing of the patient, and comes back as stored values.
"""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import MissingExtraError

SYNTAXES = ("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
"""Transfer syntaxes (PS3.5 A.4.1): JPEG extended, lossless process 14, lossless of first-order prediction."""
_PIXEL = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


def decode_jpeg(header: Any, frame: bytes) -> NDArray[Any]:
    """Return the stored values of one compressed frame.

    Args:
        header: the dataset that it comes from, with ``file_meta``.
        frame: the compressed stream.

    Raises:
        MissingExtraError: ``SimpleITK`` is not installed.
        RuntimeError: GDCM cannot decode it.
    """
    try:
        itk: Any = import_module("SimpleITK")
    except ModuleNotFoundError as error:
        raise MissingExtraError("Decoding lossless JPEG", "imaging") from error
    import pydicom

    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    for keyword in _PIXEL:
        if keyword in header:
            setattr(made, keyword, header[keyword].value)
    made.PixelData = pydicom.encaps.encapsulate([frame])
    made["PixelData"].is_undefined_length = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        made.save_as(path, enforce_file_format=True)
        reader = itk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        return np.asarray(itk.GetArrayFromImage(reader.Execute())[0])
