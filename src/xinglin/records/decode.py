"""Bytes -> JSON, strictly: UTF-8, finite numbers, whole characters, bounded depth (RFC 8259, RFC 7493); TOML files."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

_UNUSUAL = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
"""Escapes that may stand for half a character or for NUL: only then is the whole content searched."""
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def decode_json(data: bytes, name: str) -> Any:
    """Decode one JSON document.

    Python's own decoder lets pass what no other program reads back: NaN and infinities, numbers beyond
    double precision, halves of characters (lone surrogates) and NUL.

    Args:
        data: the document as it came.
        name: what to call it in a message.

    Raises:
        InvalidInputError: says what is wrong and where, without echoing the content.
    """
    try:
        decoded = json.loads(
            data.decode("utf-8-sig"), parse_constant=_constant, parse_float=_finite, parse_int=_whole
        )
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}: expected UTF-8, byte {error.start} is not") from None
    except RecursionError:
        raise InvalidInputError(f"{name}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{name}: expected JSON: {error}") from None
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}") from None
    if _UNUSUAL.search(data) and _holds_no_text(decoded):
        raise InvalidInputError(f"{name}: NUL and halves of surrogate pairs are not characters")
    return decoded


def _constant(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is beyond double precision")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 300:
        raise ValueError("a number is beyond double precision")
    return int(digits)


def _holds_no_text(decoded: Any) -> bool:
    """Whether any string, key or value, holds NUL or a lone surrogate."""
    rest = [decoded]
    while rest:
        item = rest.pop()
        if isinstance(item, str) and _NOT_TEXT.search(item):
            return True
        if isinstance(item, dict):
            rest += [*item, *item.values()]
        elif isinstance(item, list):
            rest += item
    return False


def read_toml(path: Path, what: str, most: int) -> dict[str, Any]:
    """Read a TOML file, with or without a byte order mark.

    Args:
        path: the file.
        what: what it is, for a message, e.g. ``job``.
        most: bytes at most.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: it is larger.
        InvalidInputError: neither UTF-8 nor TOML.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no {what} file {path}")
    if path.stat().st_size > most:
        raise InputTooLargeError(f"{path.name}: at most {most} bytes")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected UTF-8: save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path.name}: expected TOML: {error}") from None


def check_keys(given: Iterable[Any], known: Collection[str], at: str) -> None:
    """Check that a section of settings names nothing unknown.

    Raises:
        InvalidInputError: an unknown key; the nearest known one is named.
    """
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), known, n=1, cutoff=0.4)
            raise InvalidInputError(
                f"{at}: unknown key {key!r}; "
                + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")
            )
