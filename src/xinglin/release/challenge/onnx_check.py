"""An ONNX file looked through before any runtime opens it: no data outside the file, no foreign operators.

Only the tags of the protocol buffer are walked (onnx.proto3, the fields named below), so that nothing of the content is
trusted and no optional library is needed. Refused are tensors whose data lie elsewhere (a path, which could lead out of
the folder), operators of other domains (which a runtime would look for in a shared library), functions and training
graphs (more places to hide either).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from xinglin.errors import InvalidInputError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operator sets that onnxruntime brings itself."""
MAX_DEPTH = 32
MAX_FIELDS = 5_000_000
Kind = Literal["model", "graph", "node", "attribute", "tensor", "sparse", "opset"]
INSIDE: dict[Kind, dict[int, Kind]] = {
    "model": {7: "graph", 8: "opset"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "opset": {},
}
"""Message -> field number -> message within it."""
REFUSED = {
    ("model", 20): "training graphs",
    ("model", 25): "functions",
    ("tensor", 13): "data outside the file",
}
DOMAIN = {"node": 7, "opset": 1}
DATA_LOCATION = 14


def check_onnx(data: bytes) -> None:
    """Refuse a file that is no plain, self-contained ONNX model.

    Raises:
        InvalidInputError: says what it holds that is not taken.
    """
    view = memoryview(data)
    left = [MAX_FIELDS]
    graphs = 0
    for number, wire, body in _fields(view, left):
        graphs += number == 7 and wire == 2
        _look("model", number, wire, body, 0, left)
    if graphs != 1:
        raise InvalidInputError("model.onnx: expected an ONNX model with one graph")


def _walk(kind: Kind, view: memoryview, depth: int, left: list[int]) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"model.onnx: graphs nested more than {MAX_DEPTH} deep")
    for number, wire, body in _fields(view, left):
        _look(kind, number, wire, body, depth, left)


def _look(kind: Kind, number: int, wire: int, body: memoryview | int, depth: int, left: list[int]) -> None:
    if (kind, number) in REFUSED:
        raise InvalidInputError(f"model.onnx: it holds {REFUSED[kind, number]}, which is not taken")
    if kind == "tensor" and number == DATA_LOCATION and body != 0:
        raise InvalidInputError("model.onnx: it holds data outside the file, which is not taken")
    if isinstance(body, int):
        return
    if DOMAIN.get(kind) == number and bytes(body).decode("utf-8", "replace") not in DOMAINS:
        raise InvalidInputError("model.onnx: it asks for operators of its own, which are not taken")
    inner = INSIDE[kind].get(number)
    if inner is not None:
        _walk(inner, body, depth + 1, left)


def _fields(view: memoryview, left: list[int]) -> Iterator[tuple[int, int, memoryview | int]]:
    """Yield (field number, wire type, bytes or number) of a message."""
    at = 0
    while at < len(view):
        left[0] -= 1
        if left[0] < 0:
            raise InvalidInputError(f"model.onnx: more than {MAX_FIELDS} fields")
        tag, at = _varint(view, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _varint(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise InvalidInputError("model.onnx: it is no ONNX file")
        if at + size > len(view):
            raise InvalidInputError("model.onnx: it ends too early")
        yield number, wire, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(view) and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise InvalidInputError("model.onnx: it is no ONNX file")
