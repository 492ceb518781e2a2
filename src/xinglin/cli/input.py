"""What every verb needs of its arguments: text from an argument or standard input, a language."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import EngineName

MAX_BYTES = 1_000_000


def read_text(argument: str) -> str:
    """Return the text of an argument; ``-`` reads standard input as UTF-8, at most 1 MB.

    Raises:
        InvalidInputError: standard input is not UTF-8.
        InputTooLargeError: more than 1 MB.
    """
    if argument != "-":
        return argument
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputTooLargeError(f"standard input: at most {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"standard input: expected UTF-8, byte {error.start} is not") from None


def language(name: str) -> Literal["zh", "en"]:
    """Return a known language.

    Raises:
        InvalidInputError: neither ``zh`` nor ``en``.
    """
    if name == "zh":
        return "zh"
    if name == "en":
        return "en"
    raise InvalidInputError(f"lang: expected zh or en, got {name!r}")


def engine(name: str | None) -> EngineName | None:
    """Return a known engine; ``None`` leaves the choice to what is loaded.

    Raises:
        InvalidInputError: no such engine.
    """
    if name is None:
        return None
    known: tuple[EngineName, ...] = ("graph", "model", "both")
    for item in known:
        if item == name:
            return item
    raise InvalidInputError(f"engine: expected graph, model or both, got {name!r}")
