"""What was found, to look at before anything is shared: coloured in a terminal, or as one HTML page without script.

Both show the original text: they are for the eyes of those who may read it, and the page says so.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources

from xinglin.records.deidentify.entities import ENTITIES
from xinglin.records.deidentify.text import Replaced
from xinglin.types import DISCLAIMER

Shown = tuple[str, str, str, tuple[Replaced, ...]]
"""Place, original text, new text, what was replaced."""
_HUES = {name: (index * 47) % 360 for index, name in enumerate(ENTITIES)}
_STYLES = ("bold red", "bold green", "bold yellow", "bold blue", "bold magenta", "bold cyan")


def label(entity: str) -> str:
    """Return the entity in Chinese and English."""
    known = ENTITIES.get(entity)
    return f"{known.zh} {known.en.lower()}" if known else entity


def terminal(original: str, spans: Sequence[Replaced]) -> object:
    """Return the original as a ``rich.text.Text`` with its identifiers coloured and named."""
    from rich.text import Text

    shown = Text()
    at = 0
    for span in spans:
        shown.append(original[at : span.start])
        style = (
            _STYLES[list(ENTITIES).index(span.entity) % len(_STYLES)] if span.entity in ENTITIES else "bold"
        )
        shown.append(original[span.start : span.end], style=f"{style} underline")
        shown.append(f"⟨{label(span.entity)}⟩", style="dim")
        at = span.end
    shown.append(original[at:])
    return shown


def page(shown: Iterable[Shown]) -> str:
    """Return one self-contained HTML page: each text as it was, marked, beside what became of it."""
    items = list(shown)
    counts = Counter(span.entity for _, _, _, spans in items for span in spans)
    legend = "".join(
        f'<li><mark style="--h:{_HUES.get(entity, 0)}">{html.escape(label(entity))}</mark> {count}</li>'
        for entity, count in counts.most_common()
    )
    rows = "".join(
        f"<section><h2>{html.escape(place)}</h2><div class=two><div><h3>原文 "
        f"Original</h3><p>{_marked(old, spans, new=False)}</p></div>"
        f"<div><h3>去标识后 De-identified</h3><p>{_marked(new, spans, new=True)}</p></div></div></section>"
        for place, old, new, spans in items
    )
    return _PAGE.format(
        css=resources.files("xinglin.records.deidentify").joinpath("preview.css").read_text(encoding="utf-8"),
        legend=legend,
        rows=rows,
        texts=len(items),
        zh=DISCLAIMER["zh"],
        en=DISCLAIMER["en"],
        total=sum(counts.values()),
    )


def _marked(text: str, spans: Sequence[Replaced], *, new: bool) -> str:
    pieces, at = [], 0
    for span in spans:
        start, end = (span.new_start, span.new_end) if new else (span.start, span.end)
        title = f"{label(span.entity)}, {span.score:.2f}"
        pieces += [
            html.escape(text[at:start]),
            f'<mark style="--h:{_HUES.get(span.entity, 0)}" '
            f'title="{html.escape(title)}">{html.escape(text[start:end])}</mark>',
        ]
        at = end
    return "".join([*pieces, html.escape(text[at:])])


_PAGE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>去标识预览 De-identification preview</title>
<style>
{css}</style></head><body>
<h1>去标识预览 De-identification preview</h1>
<div class=warn><b>本页含原文和身份信息,勿外传,看后删除。</b>
This page holds the original text and identifiers: do not share it; delete it after review.</div>
<div>{texts} 段文字,替换 {total} 处。{texts} texts, {total} replacements.
未标出的文字原样保留:请检查有无遗漏。What is not marked stays as it is: look for what was missed.</div>
<ul>{legend}</ul>
{rows}
<footer>去标识不等于匿名(个人信息保护法第七十三条)。De-identified is not anonymous (PIPL Art. 73).<br>{zh}<br>{en}</footer>
</body></html>
"""
