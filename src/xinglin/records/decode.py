"""Bytes -> JSON, strictly: UTF-8, finite numbers, whole characters, bounded depth (RFC 8259, RFC 7493)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from xinglin.errors import InvalidInputError

_UNUSUAL = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


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
        decoded = json.loads(data.decode("utf-8-sig"), parse_constant=_constant, parse_float=_finite)
        if _UNUSUAL.search(data) and "\0" in json.dumps(decoded, ensure_ascii=False).encode().decode().replace(
            "\\u0000", "\0"
        ):
            raise InvalidInputError(f"{name}: NUL characters are not text")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}: expected UTF-8, byte {error.start} is not") from None
    except UnicodeEncodeError:
        raise InvalidInputError(f"{name}: a half of a surrogate pair is not a character") from None
    except RecursionError:
        raise InvalidInputError(f"{name}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{name}: expected JSON: {error}") from None
    except InvalidInputError:
        raise
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}") from None
    return decoded


def _constant(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is beyond double precision")
    return number
