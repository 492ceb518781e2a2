"""Chinese punctuation for display: a half-width mark beside a Chinese character is set full-width.

Only sentences of ours pass through here; what a clinician typed is shown as typed.
"""

from __future__ import annotations

import re

HAN = "\u3400-\u9fff\u3001\u3002\u300a-\u300f\uff00-\uffef\u201c\u201d"
FULL = {",": "\uff0c", ";": "\uff1b", ":": "\uff1a", "?": "\uff1f", "!": "\uff01"}
_AFTER = re.compile(rf"(?<=[{HAN})])([,;:?!])[ ]?(?!\d\d\b)")
_BEFORE = re.compile(rf"([,;:?!])[ ]?(?=[{HAN}])")
_PAIR = re.compile(r"(?P<before>.?)\((?P<inside>[^()]*)\)")
_HAN = re.compile(rf"[{HAN}]")


def full_width(text: str) -> str:
    """Return a sentence with its punctuation set for Chinese; text without Chinese is returned as it is."""
    if not _HAN.search(text):
        return text
    text = _AFTER.sub(lambda match: FULL[match.group(1)], text)
    text = _BEFORE.sub(lambda match: FULL[match.group(1)], text)
    return _PAIR.sub(_paired, text)


def _paired(match: re.Match[str]) -> str:
    before, inside = match.group("before"), match.group("inside")
    if _HAN.search(inside) or _HAN.match(before):
        return f"{before}\uff08{inside}\uff09"
    return match.group()
