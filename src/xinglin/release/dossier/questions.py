"""What the authorities ask, as data: one TSV an authority, one row a question, in our own words.

A row is ``verified`` only if the text it stands for has been opened: then it names where (an address, or
``index:N`` for a file of a public index known by its number) and what was read. Anything else is ``unverified``
and printed so. The evidence that answers a row is written as terms, ``kind[path=value]:field,field``, joined by
``|``; every term is wanted. ``kind:*`` is all of it; ``statement`` is the answer of a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from xinglin.errors import InvalidInputError, VocabularyError
from xinglin.release.dossier.fields import REGISTERED, WHOLE, fields_of
from xinglin.release.registry.version import KINDS
from xinglin.terms.tsv import Row, rows

Authority = Literal["nmpa", "fda", "eu", "pipl"]
AUTHORITIES: tuple[Authority, ...] = get_args(Authority)
CARD = "card"
"""The model card is asked and answered in the same way, for everyone."""
TITLES = {
    "nmpa": ("国家药监局注册资料摘编", "Dossier for the NMPA"),
    "fda": ("FDA 软件资料摘编", "Dossier for the FDA"),
    "eu": ("欧盟技术文档摘编", "Technical documentation for the EU"),
    "pipl": ("个人信息保护影响评估", "Personal information protection impact assessment"),
    CARD: ("模型卡", "Model card"),
}
FOLDER = Path(__file__).with_name("requirements")
COLUMNS = (
    *("id", "authority", "document", "article", "question_zh", "question_en"),
    *("evidence", "status", "source", "read"),
)
STATEMENT = "statement"
_ID = re.compile(r"[a-z]+(-[a-z0-9]+)*-\d{2}")
_TERM = re.compile(
    r"(?P<kind>[a-z]+)(\[(?P<path>[a-z_]+(\.[a-z_]+)*)=(?P<value>[^\]]+)\])?(:(?P<fields>\*|[a-z_0-9]+(,[a-z_0-9]+)*))?"
)
_SOURCE = re.compile(r"https?://[^\s/]+/\S*|index:\d+")
_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Term:
    """One piece of evidence that a requirement wants."""

    kind: str
    fields: tuple[str, ...]
    """Which of its fields; ``("*",)`` for all that there are."""
    path: str = ""
    """Dotted path into the content that must have ``value``; empty for any."""
    value: str | None = None
    """``None``: there must be nothing (or null) at the path."""

    def __str__(self) -> str:
        where = f"[{self.path}={'null' if self.value is None else self.value}]" if self.path else ""
        return self.kind + where + ("" if self.kind == STATEMENT else f":{','.join(self.fields)}")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One question of an authority."""

    id: str
    authority: str
    """Who asks, by name."""
    document: str
    article: str
    zh: str
    en: str
    terms: tuple[Term, ...]
    verified: bool
    """Whether the text was opened when the row was written."""
    source: str
    read: str
    """What was read of it."""


@cache
def requirements(name: str, folder: Path = FOLDER) -> tuple[Requirement, ...]:
    """Return what one authority asks, in order; ``card`` for the model card.

    Raises:
        InvalidInputError: no such authority.
        MissingDataError: the file is absent.
        VocabularyError: a row breaks the schema; names file and line.
    """
    if name not in TITLES:
        raise InvalidInputError(f"authority: expected one of {', '.join(AUTHORITIES)}, got {name[:40]!r}")
    found = tuple(_requirement(row, name) for row in rows(folder / f"{name}.tsv", COLUMNS))
    ids = [item.id for item in found]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise VocabularyError(f"{name}.tsv: {', '.join(twice)} stand twice: an id names one question")
    if not found:
        raise VocabularyError(f"{name}.tsv: expected requirements, found none")
    return found


def check(folder: Path = FOLDER) -> dict[str, tuple[int, int]]:
    """Check every table; return for each its number of requirements and how many of them are verified.

    Raises:
        MissingDataError: a file is absent.
        VocabularyError: a row breaks the schema; names file and line.
    """
    tables = {name: requirements(name, folder) for name in TITLES}
    return {name: (len(found), sum(item.verified for item in found)) for name, found in tables.items()}


def _requirement(row: Row, name: str) -> Requirement:
    status, source, read = row.required("status"), row["source"], row["read"]
    if status not in ("verified", "unverified"):
        raise row.error(f"status: expected verified or unverified, got {status!r}")
    verified = status == "verified"
    if verified and not (_SOURCE.fullmatch(source) and read):
        raise row.error("a verified row names its source (an address or index:N) and what was read: add them")
    if not verified and (source or read):
        raise row.error("an unverified row has no source: either the text was opened, or it was not")
    id = row.required("id")
    if not _ID.fullmatch(id) or not id.startswith(f"{name}-"):
        raise row.error(f"id: expected {name}-...-NN in small letters, got {id!r}")
    zh, en = row.required("question_zh"), row.required("question_en")
    if not _HAN.search(zh) or _HAN.search(en):
        raise row.error("expected the question in Chinese and in English, each in its own column")
    return Requirement(
        id=id,
        authority=row.required("authority"),
        document=row.required("document"),
        article=row.required("article"),
        zh=zh,
        en=en,
        terms=tuple(_term(row, text) for text in row.many("evidence")) or _nothing(row),
        verified=verified,
        source=source,
        read=read,
    )


def _nothing(row: Row) -> tuple[Term, ...]:
    raise row.error("evidence: expected at least one term, e.g. metric:value,n or statement")


def _term(row: Row, text: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise row.error(f"evidence: expected kind[path=value]:field,field, got {text!r}")
    kind, fields = match["kind"], match["fields"]
    if kind not in (*KINDS, *REGISTERED):
        raise row.error(f"evidence: {kind!r} is no kind: one of {', '.join((*KINDS, *REGISTERED))}")
    if (kind == STATEMENT) != (fields is None):
        raise row.error(f"evidence: {text!r}: every kind but statement lists its fields")
    known = fields_of(kind)
    wanted = known if fields is None else tuple(fields.split(","))
    unknown = [field for field in wanted if known and field not in (*known, WHOLE)]
    if unknown:
        raise row.error(f"evidence: {kind} has no {', '.join(unknown)}; it has {', '.join(known)}")
    value = match["value"]
    return Term(kind, wanted, match["path"] or "", None if value == "null" else value)
