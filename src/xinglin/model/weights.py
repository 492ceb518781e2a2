"""The header of a safetensors file, read without its tensors and without trust.

Format: 8 bytes little-endian length, JSON header, one buffer. Every name, shape and offset is checked against the
size of the file, so that a truncated or lying file is named as such before any library maps it
(https://github.com/huggingface/safetensors, section Format).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from xinglin.errors import CheckpointError

MAX_HEADER = 16 * 2**20
"""Longest header in bytes; a model of 10,000 tensors has about one million."""
MAX_TENSORS = 100_000
BYTES = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1},
    **{"I16": 2, "U16": 2, "F16": 2, "BF16": 2},
    **{"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8},
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the header."""

    dtype: str
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        CheckpointError: the file is truncated, or its header is absurd or lies about sizes or offsets.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > size - 8:
            raise CheckpointError(
                f"{path.name}: truncated: {size} bytes cannot hold the header that it announces; copy it again"
            )
        if length > MAX_HEADER:
            raise CheckpointError(
                f"{path.name}: expected a header of at most {MAX_HEADER} bytes, got {length}"
            )
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name}: the header is no JSON: this is no safetensors file") from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise CheckpointError(f"{path.name}: expected a header of at most {MAX_TENSORS} named tensors")
    header.pop("__metadata__", None)
    spans = []
    tensors = {}
    for name, entry in header.items():
        tensors[name], span = _tensor(path, name, entry)
        spans.append((*span, name))
    _covers(path, sorted(spans), size - 8 - length)
    return tensors


def _tensor(path: Path, name: str, entry: Any) -> tuple[Tensor, tuple[int, int]]:
    fault = f"{path.name}: tensor {name[:80]!r}"
    if not isinstance(entry, dict):
        raise CheckpointError(f"{fault}: expected an object in the header")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise CheckpointError(f"{fault}: expected a type of {', '.join(BYTES)}, got {str(dtype)[:40]!r}")
    if not _naturals(shape) or len(shape) > 8:
        raise CheckpointError(f"{fault}: expected a shape of at most 8 whole numbers")
    if not _naturals(offsets) or len(offsets) != 2:
        raise CheckpointError(f"{fault}: expected two offsets")
    start, end = offsets
    needed = math.prod(shape) * BYTES[dtype]
    if end - start != needed:
        raise CheckpointError(
            f"{fault}: the header lies: {needed} bytes are needed for {dtype} {shape}, its offsets give {end - start}"
        )
    return Tensor(dtype, tuple(shape)), (start, end)


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**48 for item in value)


def _covers(path: Path, spans: list[tuple[int, int, str]], buffer: int) -> None:
    """Offsets must follow each other without hole or overlap and end where the file ends."""
    reached = 0
    for start, end, name in spans:
        if start != reached:
            raise CheckpointError(
                f"{path.name}: tensor {name[:80]!r}: the header lies about offsets: it starts at byte {start}, "
                f"the tensors before it end at {reached}"
            )
        reached = end
    if reached > buffer:
        raise CheckpointError(
            f"{path.name}: truncated: the header promises {reached} bytes of tensors, {buffer} are there; "
            "copy it again"
        )
    if reached < buffer:
        raise CheckpointError(
            f"{path.name}: {buffer - reached} bytes behind the last tensor that the header does not name"
        )
