"""What goes into the network: CT in Hounsfield units, 1 mm voxels, axes z, y, x; and arrays read without trust."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

WINDOW = (20, 32, 32)
"""Voxels of a window, z, y, x; 1 mm each."""
HU_STEP, HU_AIR = 16, -1000
"""HU = HU_STEP * value + HU_AIR of the stored bytes, which end at 408 HU."""
HU_TOP = 408
_CENTRE, _SPREAD = -296.0, 704.0
"""HU that become 0 and 1: the middle and the half width of what the bytes can hold."""


def hounsfield(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return Hounsfield units of stored bytes."""
    return stored.astype(np.float32) * HU_STEP + HU_AIR


def scaled(hu: NDArray[Any]) -> NDArray[np.float32]:
    """Return what the network sees, between -1 (air) and 1 (bone or metal), same shape."""
    clipped = np.clip(hu.astype(np.float32), HU_AIR, HU_TOP)
    return np.asarray((clipped - np.float32(_CENTRE)) / np.float32(_SPREAD), dtype=np.float32)


def read_array(path: Path, *, limit: int, dtype: type[np.generic] = np.uint8) -> NDArray[Any]:
    """Read an ``.npy`` or ``.npy.xz`` file: one type, no pickle, bounded in memory.

    Args:
        path: the file.
        limit: bytes of the array at most; a small xz file can unpack to anything.
        dtype: the type that is expected.

    Raises:
        MissingDataError: no such file.
        InputTooLargeError: more than ``limit`` bytes.
        InvalidInputError: no xz, no npy, another type, objects, or truncated.
    """
    if not path.is_file():
        raise MissingDataError(f"{path}: expected an array (.npy or .npy.xz); there is none")
    room = limit + 4096  # the header of npy
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            content = file.read(room + 1)
        if len(content) > room:
            raise InputTooLargeError(f"{path.name}: expected at most {limit} bytes of voxels: split it")
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (lzma.LZMAError, EOFError, ValueError, OSError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{path.name}: expected a NumPy array of {np.dtype(dtype).name}; {error}: write it with numpy.save "
            "and xz"
        ) from None
    if array.dtype != np.dtype(dtype):
        raise InvalidInputError(f"{path.name}: expected {np.dtype(dtype).name}, got {array.dtype}")
    return np.asarray(array)
