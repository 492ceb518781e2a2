"""Characters folded one for one, so that every offset stays that of the source: full-width to half-width,
dashes, dots and blanks to one each. Case is kept (names need it); nothing is inserted or removed.
"""

from __future__ import annotations

from functools import cache

_ALIKE = {
    " ": "\u3000\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u202f\u205f\u2060\ufeff\t",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d",
    "\xb7": "\u2022\u2027\u2219\u22c5\u30fb\uff65\u16eb",
    "'": "\u2018\u2019\u02bc\u02b9",
    '"': "\u201c\u201d",
    "(": "\u3014\u3010",
    ")": "\u3015\u3011",
}


@cache
def _table() -> dict[int, str]:
    table = {point: chr(point - 0xFEE0) for point in range(0xFF01, 0xFF5F)}
    table |= {ord(char): plain for plain, chars in _ALIKE.items() for char in chars}
    # Digits of other scripts and styles (mathematical, circled ones stay: they are ordinals of a list).
    table |= {0x1D7CE + i: str(i % 10) for i in range(50)}
    table |= {base + i: str(i) for base in (0x0660, 0x06F0, 0x0966) for i in range(10)}
    return table


def fold(text: str) -> str:
    """Return ``text`` with characters made alike; ``len(fold(text)) == len(text)``."""
    return text.translate(_table())
