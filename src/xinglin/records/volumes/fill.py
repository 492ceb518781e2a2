"""The pixels of a stack as one array of physical values: in memory, or slice by slice into a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.records.volumes.geometry import Plane, Stack
from xinglin.records.volumes.pixels import decode

NOT_MEASURED = -32768
"""In an array of int16; an array of float32 has NaN."""


def fill(stack: Stack, make: Callable[[type[np.generic]], NDArray[Any]]) -> NDArray[Any]:
    """Write the rescaled values (PS3.3 C.11.1.1.2: slope x stored + intercept) of every slice into an array.

    Args:
        stack: the slices.
        make: given int16 or float32, an empty array (z, y, x) of it; it may be a memory map.

    Returns:
        The array, int16 if all values are whole numbers from -32767 to 32767. What was not measured is -32768 or NaN.

    Raises:
        InvalidInputError: a file cannot be decoded, or its pixels are not as its header says.
    """
    if all(plane.slope.is_integer() and plane.intercept.is_integer() for plane in stack.planes):
        array = make(np.int16)
        if _all_fit(stack, array):
            return array
        del array
    array = make(np.float32)
    for at, values, padded in _slices(stack):
        array[at] = values
        if padded is not None:
            array[at][padded] = np.nan
    return array


def _all_fit(stack: Stack, array: NDArray[Any]) -> bool:
    for at, values, padded in _slices(stack):
        inside = values if padded is None else values[~padded]
        if inside.size and (inside.min() <= NOT_MEASURED or inside.max() > 32767):
            return False
        # A padding value may itself lie beyond 16 bits once it is rescaled.
        array[at] = values if padded is None else np.where(padded, NOT_MEASURED, values)
    return True


def _slices(stack: Stack) -> Iterator[tuple[int, NDArray[Any], NDArray[np.bool_] | None]]:
    """Index in z, physical values, and where they are none: file by file, so that each file is read once."""
    files: dict[Path, list[tuple[int, Plane]]] = defaultdict(list)
    for at, plane in enumerate(stack.planes):
        files[plane.path].append((at, plane))
    for path, held in files.items():
        stored = decode(path, [plane.number for _, plane in held])
        for (at, plane), values in zip(held, stored, strict=True):
            if values.ndim != 2 or values.dtype.kind not in "iuf":
                raise InvalidInputError(
                    f"{path.name}: (7FE0,0010) PixelData: expected one grey value a pixel"
                )
            yield at, *_physical(plane, values)


def _physical(plane: Plane, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    padded = None
    if plane.padding is not None:
        found = (stored >= plane.padding[0]) & (stored <= plane.padding[1])
        padded = found if found.any() else None
    if (plane.slope, plane.intercept) == (1, 0):
        return stored, padded
    if plane.slope.is_integer() and plane.intercept.is_integer() and stored.dtype.kind in "iu":
        return stored.astype(np.int64) * int(plane.slope) + int(plane.intercept), padded
    return stored * plane.slope + plane.intercept, padded
