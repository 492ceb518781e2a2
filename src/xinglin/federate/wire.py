"""What crosses the wire: a model's state as Flower's ``ArrayRecord``, an answer as a ``ConfigRecord``.

Nothing that arrives is trusted. An array is compared with what is expected by name, type and shape before its bytes
are turned into numbers, from the header of its ``.npy`` form alone, so that a header that lies cannot make us allocate;
nothing is unpickled; a number that is not finite is refused.
"""

from __future__ import annotations

import ast
import hashlib
import math
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from flwr.app import ArrayRecord

State = dict[str, NDArray[Any]]
"""A model's state: name -> float32 or int64 array, in the order of the names."""
Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Name -> type and shape."""

PROTOCOL = 1
"""Version of what this module and ``site`` send; a hospital takes no other."""
TYPES = ("float32", "int64")
MAX_ARRAYS = 20_000
MAX_BYTES = 16 * 1024**3
"""Bound on one state."""
MAX_METRICS = 100
MAX_TEXT = 500
"""Characters kept of a reason or a name that a hospital tells."""
_HEADER = 1024
_MAGIC = b"\x93NUMPY\x01\x00"


def layout(state: Mapping[str, NDArray[Any]]) -> Layout:
    """Return the types and shapes of a state.

    Raises:
        InvalidInputError: an array is neither float32 nor int64.
        InputTooLargeError: too many arrays, or too many bytes.
    """
    if len(state) > MAX_ARRAYS or sum(array.nbytes for array in state.values()) > MAX_BYTES:
        raise InputTooLargeError(f"a model's state: at most {MAX_ARRAYS} arrays and {MAX_BYTES} bytes")
    for name, array in state.items():
        if array.dtype.name not in TYPES:
            raise InvalidInputError(f"{name}: expected {' or '.join(TYPES)}, got {array.dtype.name}")
    return {name: (state[name].dtype.name, state[name].shape) for name in sorted(state)}


def digest(state: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 (hex) over names, types, shapes and little-endian bytes, in the order of the names."""
    running = hashlib.sha256()
    for name in sorted(state):
        array = np.asarray(state[name], order="C")
        running.update(f"{name}\0{array.dtype.name}\0{array.shape}\0".encode())
        running.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return running.hexdigest()


def to_record(state: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Return a state as Flower carries it.

    Raises:
        InvalidInputError, InputTooLargeError: see ``layout``.
        MissingExtraError: Flower is not installed.
    """
    try:
        from flwr.app import Array, ArrayRecord
    except ImportError as error:
        raise MissingExtraError("federated training", "federate") from error
    return ArrayRecord({name: Array(np.asarray(state[name], order="C")) for name in layout(state)})


def from_record(record: ArrayRecord, expected: Layout, *, sender: str) -> State:
    """Return the state that a record holds.

    Args:
        record: as it arrived.
        expected: names, types and shapes that it must have, exactly.
        sender: who sent it, for the message.

    Raises:
        InvalidInputError: a name is missing or foreign, a type or shape differs, an array is damaged or holds a number
            that is not finite; the sender and the array are named.
    """
    for name in record:
        if name not in expected:
            raise InvalidInputError(f"{sender}: array {name[:100]!r} is not part of the model")
    state: State = {}
    for name, (kind, shape) in expected.items():
        if name not in record:
            raise InvalidInputError(f"{sender}: array {name!r} is missing")
        state[name] = _array(record[name], kind, shape, f"{sender}: {name}")
    return state


def metrics(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are finite numbers under a short name, at most ``MAX_METRICS`` of them."""
    kept = {
        str(name)[:100]: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    return dict(sorted(kept.items())[:MAX_METRICS])


def text(value: Any) -> str:
    """Return a text that a stranger sent: printable, on one line, of bounded length."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)[:MAX_TEXT])


def _array(array: Any, kind: str, shape: tuple[int, ...], at: str) -> NDArray[Any]:
    data = array.data
    if array.stype != "numpy.ndarray" or not data.startswith(_MAGIC):
        raise InvalidInputError(f"{at}: expected an array in NumPy's format, version 1.0")
    (length,) = struct.unpack("<H", data[8:10]) if len(data) >= 10 else (0,)
    start = 10 + length
    if length > _HEADER:
        raise InvalidInputError(f"{at}: the array's header is too long")
    try:
        # Literals only, at most 1 KiB. NumPy reads the same, but falls back on a tokenizer with errors of its own.
        header = ast.literal_eval(data[10:start].decode("latin-1"))
        found = (np.dtype(header["descr"]), bool(header["fortran_order"]), tuple(header["shape"]))
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise InvalidInputError(f"{at}: the array's header cannot be read") from None
    if found != (np.dtype(kind).newbyteorder("<"), False, shape):
        raise InvalidInputError(
            f"{at}: expected {kind} of shape {shape} in C order, got {found[0].name} of shape {found[2]}"
        )
    if len(data) - start != math.prod(shape) * np.dtype(kind).itemsize:
        raise InvalidInputError(f"{at}: expected {shape}, the array's bytes are of another number")
    values = np.frombuffer(data, np.dtype(kind), offset=start).reshape(shape).copy()
    if kind == "float32" and not np.isfinite(values).all():
        raise InvalidInputError(f"{at}: holds numbers that are not finite")
    return values
