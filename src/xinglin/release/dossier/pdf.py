"""A dossier as PDF, the same bytes from the same evidence: ReportLab, no compression, no clock, no font files.

Chinese is set in STSong-Light, a font of Adobe's Simplified Chinese collection that a PDF names and the reader's
program brings (or replaces by its own Chinese font); Latin text is set in Helvetica. So nothing is embedded, and
nothing depends on the fonts of the machine that writes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from xinglin.errors import MissingExtraError
from xinglin.release.dossier.answers import Answer
from xinglin.release.dossier.dossier import NO_ADVICE, Dossier
from xinglin.release.dossier.wording import (
    INDEX,
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

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

CHINESE, LATIN = "STSong-Light", "Helvetica"
INK, GREY, RED, BLUE = "#1a1a1a", "#5f6368", "#a50e0e", "#174ea6"
MARGIN, PADDING = 51, 6
"""Points: 18 mm, and what ReportLab adds inside."""


def as_pdf(dossier: Dossier) -> bytes:
    """Return the dossier on A4.

    Raises:
        MissingExtraError: ReportLab is not installed.
    """
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.platypus import SimpleDocTemplate
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin dossier", "release") from error
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    out = io.BytesIO()
    title = heading(dossier)
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=title,
        author="Xinglin",
        subject=DISCLAIMER["en"],
        invariant=1,
        # zlib and its replacements compress to different bytes
        pageCompression=0,
    )

    def first(canvas: Any, _: Any) -> None:
        # ReportLab takes date and file id from the clock or from SOURCE_DATE_EPOCH, even when told to be invariant
        moment = datetime.fromisoformat(dossier.time).astimezone(UTC)
        canvas.setDateFormatter(lambda *_: moment.strftime("D:%Y%m%d%H%M%S+00'00'"))
        canvas._doc.signature = hashlib.md5(title.encode(), usedforsecurity=False)
        footer(canvas, _)

    def footer(canvas: Any, _: Any) -> None:
        canvas.setFont(CHINESE, 7.5)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN + PADDING, 28, DISCLAIMER["zh"])
        canvas.drawRightString(A4[0] - MARGIN - PADDING, 28, str(canvas.getPageNumber()))

    document.build(list(_story(dossier)), onFirstPage=first, onLaterPages=footer)
    return out.getvalue()


def _story(dossier: Dossier) -> Iterator[Flowable]:
    yield _text(heading(dossier), size=17, after=8, keep=True)
    for told in (DISCLAIMER, NO_ADVICE):
        yield _text(told["zh"], size=9, colour=RED)
        yield _text(told["en"], size=8, colour=RED, after=5)
    yield _table(
        [(_text(label, size=8.5, colour=GREY), _text(text, size=8.5)) for label, text in summary(dossier)]
    )
    for title, answers in documents(dossier):
        yield _text(title, size=13, before=14, after=4, keep=True)
        for item in answers:
            yield from _answer(item)
    yield _text(INDEX, size=13, before=14, after=4, keep=True)
    for source, used in dossier.index:
        entry = (
            f"#{source.seq} · {source.kind} · {source.time} · {source.actor} · {', '.join(used) or NOT_USED}"
        )
        yield _text(entry, size=8, before=4, anchor=source.anchor)
        yield _text(source.digest, size=7.5, colour=GREY, indent=10)


def _answer(item: Answer) -> Iterator[Flowable]:
    asked = item.requirement
    zh, en = question(asked)
    yield _text(f"{asked.id} · {asked.article}", size=10.5, before=9, keep=True)
    yield _text(zh, size=9.5, keep=True)
    yield _text(en, size=8.5, keep=True)
    yield _text(status(item), size=7.5, colour=GREY, after=2)
    for claim in item.claims:
        link = f'<a href="#{claim.source.anchor}" color="{BLUE}">{_set(reference(claim.source))}</a>'
        yield _text(claimed(claim), size=9, indent=8, then=f" · {link}{_warned(claim.warnings)}", before=2)
        for part in claim.items:
            colour = RED if part.missing else INK
            told = f'<font color="{colour}">{_set(part.text)}</font>{_warned(part.warnings)}'
            yield _text(f"{part.label}: ", size=8.5, indent=20, colour=GREY, then=told)
    for term in item.missing:
        yield _text(absent(term), size=9, indent=8, colour=RED)


def _text(
    text: str,
    *,
    size: float,
    colour: str = INK,
    indent: float = 0,
    before: float = 0,
    after: float = 0,
    then: str = "",
    anchor: str = "",
    keep: bool = False,
) -> Flowable:
    """Return a paragraph: ``text`` is escaped, ``then`` is markup; ``keep``: on one page with what follows."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        "text",
        fontName=LATIN,
        fontSize=size,
        leading=size * 1.45,
        textColor=colour,
        leftIndent=indent,
        spaceBefore=before,
        spaceAfter=after,
        wordWrap="CJK",
        keepWithNext=keep,
    )
    mark = f'<a name="{anchor}"/>' if anchor else ""
    return Paragraph(mark + _set(text) + then, style)


def _table(rows: list[tuple[Flowable, Flowable]]) -> Flowable:
    from reportlab.platypus import Table

    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.3, "#dadce0")]
    return Table(rows, colWidths=[190, None], style=[*style, ("LEFTPADDING", (0, 0), (-1, -1), 0)])


def _warned(warnings: tuple[str, ...]) -> str:
    return (
        f'<font color="{RED}"> {_set("(注意 note: " + "; ".join(warnings) + ")")}</font>' if warnings else ""
    )


def _set(text: str) -> str:
    """Return text as ReportLab's markup, each run in the font that has its characters."""
    runs = (
        (font, "".join(char for _, char in pairs))
        for font, pairs in groupby(map(_font, text), lambda p: p[0])
    )
    return "".join(
        escape(run) if font == LATIN else f'<font name="{font}">{escape(run)}</font>' for font, run in runs
    )


def _font(char: str) -> tuple[str, str]:
    """Return the font of a character, and the character; one that neither font has is written as its number."""
    for font, codec in ((LATIN, "cp1252"), (CHINESE, "gbk")):
        try:
            char.encode(codec)
        except UnicodeEncodeError:
            continue
        return font, char
    return LATIN, f"<U+{ord(char):04X}>"
