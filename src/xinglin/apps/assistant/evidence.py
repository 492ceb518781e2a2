"""What an answer stands on: numbered sources, and sentences that name theirs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Support = Literal["cited", "unsupported", "said"]
"""``cited``: the named sources state it. ``unsupported``: a language model wrote it and no source states it.
``said``: the assistant's own words about itself (a refusal, a label, a note), which claim nothing clinical."""
Kind = Literal["emergency", "refusal", "body", "note"]


@dataclass(frozen=True, slots=True)
class Source:
    """One row of the graph, one passage of a document, or one result of a tool."""

    kind: Literal["graph", "document", "tool"]
    title: str
    """The triple in words, the document's title, or the tool's name."""
    text: str
    """What it states."""
    where: str
    """Provenance of the row, name of the document, or the tool that said it."""
    triple: tuple[str, str, str] | None = None
    span: tuple[int, int] | None = None
    """Half-open character offsets in the document."""
    digest: str | None = None
    """SHA-256 of the document."""

    def as_json(self, number: int) -> dict[str, Any]:
        """Return it as plain data under its number."""
        return {"number": number} | asdict(self)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer and what it stands on."""

    text: str
    """Without its citation marks."""
    cites: tuple[int, ...] = ()
    support: Support = "said"
    kind: Kind = "body"

    def shown(self) -> str:
        """Return the sentence with its citations, or with the mark that nothing supports it."""
        marks = "".join(f"[{number}]" for number in self.cites)
        return self.text + marks + ("〔未获支持 unsupported〕" if self.support == "unsupported" else "")


@dataclass
class Bibliography:
    """The sources of one answer, numbered from 1 in the order in which they are first cited."""

    sources: list[Source] = field(default_factory=list)

    def cite(self, source: Source) -> int:
        """Return the number of a source; the same source keeps its number."""
        if source not in self.sources:
            self.sources.append(source)
        return self.sources.index(source) + 1

    def sentence(self, text: str, *sources: Source, kind: Kind = "body") -> Sentence:
        """Return a sentence that cites these sources, in the order of their numbers."""
        return Sentence(text, tuple(sorted({self.cite(source) for source in sources})), "cited", kind)

    def as_json(self) -> list[dict[str, Any]]:
        """Return all sources as plain data."""
        return [source.as_json(number) for number, source in enumerate(self.sources, 1)]
