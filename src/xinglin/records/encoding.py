"""UTF-8 or GB18030, strictly: by the mark at the beginning, else by what most lines can only be.

GB 18030-2005 gives nearly every pair of high bytes a meaning, so that UTF-8 often *decodes* as GB18030, while
Chinese text in GB18030 is hardly ever valid UTF-8. Therefore UTF-8 is tried first, line by line; a single broken line
does not turn a file into the other encoding. Nothing is guessed beyond these two.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from xinglin.errors import InvalidInputError

GB18030_MARK = b"\x84\x31\x95\x33"
_REFUSED = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
LOOKED_AT = 1000
"""Lines with bytes beyond ASCII that decide."""


def detect(lines: Iterable[bytes]) -> tuple[str, int]:
    """Return the encoding of a text, ``utf-8`` or ``gb18030``, and the length of the mark at its beginning.

    Args:
        lines: from the beginning, as split at newlines; only as many are taken as are needed.

    Raises:
        InvalidInputError: UTF-16, or most lines are neither.
    """
    ascii_, utf8, gb18030, neither = 0, 0, 0, 0
    for number, line in enumerate(lines):
        if number == 0:
            name, mark = _marked(line)
            if name:
                return name, mark
        if line.isascii():
            ascii_ += 1
            continue
        if _decodes(line, "utf-8"):
            utf8 += 1
        elif _decodes(line, "gb18030"):
            gb18030 += 1
        else:
            neither += 1
        if utf8 + gb18030 + neither == LOOKED_AT:
            break
    if neither > ascii_ + utf8 + gb18030:
        raise InvalidInputError("expected UTF-8 or GB18030, most lines are neither: save it as UTF-8")
    return ("gb18030" if gb18030 > utf8 else "utf-8"), 0


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of a whole file and its encoding.

    Raises:
        InvalidInputError: UTF-16, or neither UTF-8 nor GB18030; names the first byte that is not.
    """
    name, mark = _marked(data)
    for encoding in (name,) if name else ("utf-8", "gb18030"):
        try:
            text = data[mark:].decode(encoding)
        except UnicodeDecodeError as error:
            at = error.start + mark
            continue
        if "\0" in text:
            raise InvalidInputError("expected text, it holds NUL bytes")
        return text, encoding
    raise InvalidInputError(f"expected {name or 'UTF-8 or GB18030'}, byte {at} is not: save it as UTF-8")


def _marked(data: bytes) -> tuple[str, int]:
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (GB18030_MARK, "gb18030")):
        if data.startswith(mark):
            return name, len(mark)
    for mark, name in _REFUSED.items():
        if data.startswith(mark):
            raise InvalidInputError(f"expected UTF-8 or GB18030, it is {name}: save it as UTF-8")
    return "", 0


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
