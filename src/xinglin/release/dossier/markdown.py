"""A dossier as Markdown: every string from outside is escaped, so that it can only be text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.release.dossier.answers import Answer, Claim
from xinglin.release.dossier.dossier import NO_ADVICE, Dossier
from xinglin.release.dossier.values import MISSING
from xinglin.release.dossier.wording import (
    INDEX,
    INDEX_HEAD,
    NOT_USED,
    absent,
    claimed,
    documents,
    heading,
    question,
    reference,
    status,
    summary,
)
from xinglin.types import DISCLAIMER

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_ADDRESS = re.compile(r"https?://\S+")


def as_markdown(dossier: Dossier) -> str:
    """Return the dossier as CommonMark with tables, ending in one line break."""
    return "\n".join(_lines(dossier)) + "\n"


def escaped(text: str) -> str:
    """Return text in which no character means anything to Markdown or HTML."""
    return _MARKS.sub(r"\\\1", text)


def _lines(dossier: Dossier) -> Iterator[str]:
    yield f"# {escaped(heading(dossier))}"
    for told in (DISCLAIMER, NO_ADVICE):
        yield from ("", f"> {told['zh']}", ">", f"> {told['en']}")
    yield from ("", "| | |", "|---|---|")
    for label, text in summary(dossier):
        yield f"| {label} | {escaped(text)} |"
    for title, answers in documents(dossier):
        yield from ("", f"## {escaped(title)}")
        for item in answers:
            yield from _answer(item)
    yield from ("", f"## {INDEX}", "", f"| {' | '.join(INDEX_HEAD)} |", "|---" * len(INDEX_HEAD) + "|")
    for source, used in dossier.index:
        cells = (f'<a id="{source.anchor}"></a>#{source.seq}', f"`{source.digest}`", source.kind)
        rest = (escaped(source.time), escaped(source.actor), ", ".join(used) or NOT_USED)
        yield f"| {' | '.join((*cells, *rest))} |"


def _answer(item: Answer) -> Iterator[str]:
    asked = item.requirement
    zh, en = question(asked)
    yield from ("", f"### {asked.id} · {escaped(asked.article)}", "", f"{escaped(zh)} {escaped(en)}", "")
    yield f"*{_linked(status(item))}*"
    yield ""
    for claim in item.claims:
        yield from _claim(claim)
    for term in item.missing:
        yield f"- **{escaped(absent(term))}**"


def _claim(claim: Claim) -> Iterator[str]:
    source = claim.source
    yield f"- {escaped(claimed(claim))} · [{reference(source)}](#{source.anchor}){_warned(claim.warnings)}"
    for part in claim.items:
        text = f"**{MISSING}**" if part.missing else escaped(part.text)
        yield f"  - {escaped(part.label)}: {text}{_warned(part.warnings)}"


def _warned(warnings: tuple[str, ...]) -> str:
    return f" **(注意 note: {'; '.join(warnings)})**" if warnings else ""


def _linked(text: str) -> str:
    """Escape all but an address, which is put in angle brackets: there it is taken as it is."""
    match = _ADDRESS.search(text)
    if match is None:
        return escaped(text)
    return f"{escaped(text[: match.start()])}<{match.group()}>{escaped(text[match.end() :])}"
