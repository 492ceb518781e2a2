"""A record as JSON and back, without loss; and as the bytes that the store keeps.

Left out is what says nothing: ``None`` and, where they are the field's own default, empty texts and lists.
Everything else is written, defaults too, so that a later default cannot change what was stored. Canonical
bytes are JSON with sorted keys and no spaces in UTF-8, as in the ledger.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.types import Record

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one record's canonical JSON; volumes are files and count only by their paths."""
WORTH = 400
"""Shorter bodies are kept as they are: deflating them costs more than the disk it saves."""


def record_to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON values.

    Raises:
        InvalidInputError: a number in it is not finite.
    """
    return _plain(record)  # type: ignore[no-any-return]


def record_from_stored(stored: Any) -> Record:
    """Return the record of ``record_to_json``.

    Raises:
        InvalidInputError: an unknown field, one missing, or one of a wrong type; names it.
    """
    return _noun(Record, stored, "record")  # type: ignore[no-any-return]


def encode(record: Record) -> bytes:
    """Return the canonical JSON of a record.

    Raises:
        InvalidInputError: a number that is not finite, or a text that is not Unicode.
        InputTooLargeError: more than 64 MiB.
    """
    try:
        body = json.dumps(
            record_to_json(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
    except UnicodeEncodeError:
        raise InvalidInputError("record: half of a surrogate pair is not a character") from None
    if len(body) > MAX_BODY:
        raise InputTooLargeError(f"record: at most {MAX_BODY // 2**20} MiB, got {len(body)} bytes")
    return body


def pack(body: bytes) -> bytes:
    """Return the bytes that the store keeps: deflated where that saves a tenth at least.

    JSON begins with ``{``, a zlib stream (RFC 1950) with ``x``: the first byte tells them apart.
    """
    if len(body) < WORTH:
        return body
    packed = zlib.compress(body, 6)
    return packed if len(packed) < 0.9 * len(body) else body


def unpack(kept: bytes) -> Record:
    """Return the record of ``pack(encode(record))``.

    Raises:
        InvalidInputError: the bytes are damaged.
    """
    try:
        if not kept.startswith(b"{"):
            stream = zlib.decompressobj()
            kept = stream.decompress(kept, MAX_BODY + 1)
            if len(kept) > MAX_BODY or not stream.eof:
                raise InvalidInputError("stored record: expected a whole record of at most 64 MiB")
        return record_from_stored(json.loads(kept))
    except (zlib.error, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError("stored record: its bytes are damaged; restore the store's backup") from None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kept = {}
        for name, empty in _blank(type(value)):
            item = getattr(value, name)
            if item is not None and item != empty:
                kept[name] = _plain(item)
        return kept
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError("record: expected finite numbers")
    return value


_MISSING = object()
_BLANKS: dict[type, tuple[tuple[str, Any], ...]] = {}
_HINTS: dict[type, dict[str, Any]] = {}


def _blank(noun: type) -> tuple[tuple[str, Any], ...]:
    """Each field and the value under which it may be left out besides ``None``."""
    if noun not in _BLANKS:
        _BLANKS[noun] = tuple(
            (item.name, item.default if item.default in ("", ()) or is_dataclass(item.default) else _MISSING)
            for item in fields(noun)
        )
    return _BLANKS[noun]


def _noun(noun: type, stored: Any, at: str) -> Any:
    if not isinstance(stored, dict):
        raise InvalidInputError(f"{at}: expected an object, got {type(stored).__name__}")
    if noun not in _HINTS:
        _HINTS[noun] = get_type_hints(noun)
    hints = _HINTS[noun]
    unknown = sorted(str(name) for name in stored if name not in hints)
    if unknown:
        raise InvalidInputError(
            f"{at}: unknown field {unknown[0][:40]!r}; known: {', '.join(hints)}. A newer xinglin may have written it"
        )
    values = {name: _value(hints[name], item, f"{at}.{name}") for name, item in stored.items()}
    absent = [item.name for item in fields(noun) if item.default is MISSING and item.name not in values]
    if absent:
        raise InvalidInputError(f"{at}: field {absent[0]} is missing")
    try:
        return noun(**values)
    except ValueError:
        raise InvalidInputError(f"{at}: values outside their range") from None


def _value(hint: Any, item: Any, at: str) -> Any:
    """The item as the type that the noun's field declares; a JSON list becomes a tuple."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if item is None and NoneType in arguments:
            return None
        choices = [argument for argument in arguments if argument is not NoneType]
        for choice in choices[:-1]:
            if _fits(choice, item):
                return _value(choice, item, at)
        return _value(choices[-1], item, at)
    if origin is Literal:
        if item in arguments:
            return item
        raise InvalidInputError(f"{at}: expected one of {', '.join(map(str, arguments))}")
    if origin is tuple:
        if not isinstance(item, list):
            raise InvalidInputError(f"{at}: expected a list, got {type(item).__name__}")
        kinds = arguments[:1] * len(item) if len(arguments) == 2 and arguments[1] is ... else arguments
        if len(kinds) != len(item):
            raise InvalidInputError(f"{at}: expected {len(kinds)} items, got {len(item)}")
        return tuple(
            _value(kind, one, f"{at}[{n}]") for n, (kind, one) in enumerate(zip(kinds, item, strict=True))
        )
    if is_dataclass(hint) and isinstance(hint, type):
        return _noun(hint, item, at)
    if not _fits(hint, item):
        raise InvalidInputError(
            f"{at}: expected {getattr(hint, '__name__', hint)}, got {type(item).__name__}"
        )
    return item


def _fits(hint: Any, item: Any) -> bool:
    if hint is float:
        return _fits(int, item) or (isinstance(item, float) and math.isfinite(item))
    if hint is int:
        return isinstance(item, int) and not isinstance(item, bool)
    if get_origin(hint) is Literal:
        return item in get_args(hint)
    return isinstance(hint, type) and isinstance(item, hint)
