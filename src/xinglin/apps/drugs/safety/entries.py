"""The lists that the screen works from: TSV files, every row checked; an error names file and line.

A *member* is one scheduled chemical, known by the first block of its InChIKey (the skeleton: without stereo, isotopes
and protonation) and its formula; the structure itself is not in the files. A *family* is a class that a schedule
defines by a general formula, as a SMARTS pattern. Both name their source (docs/drugs-safety.md says how to add one).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from xinglin.records.molecules.parsing import rdkit
from xinglin.terms.tsv import Row, rows

SCHEDULES = Path(__file__).parent / "schedules"
CATEGORIES = {
    "cwc-1": ("化学武器公约附表1", "chemical weapons, Schedule 1"),
    "cwc-2": ("化学武器公约附表2", "chemical weapons, Schedule 2"),
    "cwc-3": ("化学武器公约附表3", "chemical weapons, Schedule 3"),
    "narcotic": ("麻醉药品", "narcotic drugs"),
    "psychotropic": ("精神药品", "psychotropic substances"),
    "precursor": ("易制毒化学品", "drug precursors"),
}
ACTIONS = ("refuse", "refuse-product", "declare")
"""Refuse anywhere; refuse as what is to be made and declare as a reagent; declare only."""
VERIFIED = ("opened", "authored, unreviewed")
SHARED = ("category", "action", "name", "en", "schedule", "schedule_en", "source", "verified", "reviewed_by")
MAX_SMARTS = 2000


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry comes from."""

    id: str
    name: str
    en: str
    where: str
    read: str
    """What of it was read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One scheduled chemical, or one family."""

    id: str
    """The skeleton of a member, the name of a family."""
    category: str
    action: str
    name: str
    en: str
    schedule: str
    schedule_en: str
    source: Source
    verified: str
    """``opened``: stated by the source as read; else ``authored, unreviewed``."""
    reviewed_by: str


@dataclass(frozen=True, slots=True)
class Family:
    """A class of structures."""

    entry: Entry
    pattern: Any
    """Compiled SMARTS."""
    unless: tuple[Any, ...]
    """A structure that matches one of these is not of the family."""
    needs: dict[str, int]
    """Atoms other than carbon that the pattern cannot do without: most structures lack them and need no matching."""


@dataclass(frozen=True, slots=True)
class Lists:
    """All that is screened against."""

    members: dict[str, Entry]
    """By skeleton."""
    formulas: frozenset[str]
    """Of all members: a structure with another formula needs no InChIKey."""
    families: tuple[Family, ...]
    sources: dict[str, Source]


@cache
def load(folder: Path = SCHEDULES) -> Lists:
    """Load and check the lists.

    Raises:
        VocabularyError: a row breaks the schema.
        MissingDataError: a file is absent.
        MissingExtraError: RDKit is not installed.
    """
    sources = {
        row.required("id"): Source(
            *(row.required(column) for column in ("id", "name", "en", "where", "read"))
        )
        for row in rows(folder / "sources.tsv", ("id", "name", "en", "where", "read"))
    }
    members: dict[str, Entry] = {}
    formulas = set()
    for row in rows(folder / "members.tsv", ("skeleton", "formula", *SHARED)):
        skeleton = row.required("skeleton")
        if not re.fullmatch(r"[A-Z]{14}", skeleton):
            raise row.error(
                f"skeleton: expected the 14 letters of an InChIKey's first block, got {skeleton!r}"
            )
        if not re.fullmatch(r"([A-Z][a-z]?\d*)+", row.required("formula")):
            raise row.error(f"formula: expected a formula in Hill order, got {row['formula']!r}")
        if skeleton in members:
            raise row.error(f"{skeleton} is already listed as {members[skeleton].en}: remove one of the two")
        members[skeleton] = _entry(row, skeleton, sources)
        formulas.add(row["formula"])
    families: dict[str, Family] = {}
    for row in rows(folder / "families.tsv", ("id", "smarts", "unless", *SHARED)):
        name = row.required("id")
        if name in families:
            raise row.error(f"the family {name} is already listed: give this one another id")
        unless = tuple(_compiled(row, "unless", text) for text in row.many("unless"))
        pattern = _compiled(row, "smarts", row.required("smarts"))
        families[name] = Family(_entry(row, name, sources), pattern, unless, _needs(pattern))
    return Lists(members, frozenset(formulas), tuple(families.values()), sources)


def _entry(row: Row, name: str, sources: dict[str, Source]) -> Entry:
    for column, allowed in (
        ("category", tuple(CATEGORIES)),
        ("action", ACTIONS),
        ("source", tuple(sources)),
        ("verified", VERIFIED),
    ):
        if row[column] not in allowed:
            raise row.error(f"{column} must be one of {', '.join(allowed)}, got {row[column]!r}: correct it")
    return Entry(
        id=name,
        category=row["category"],
        action=row["action"],
        name=row.required("name"),
        en=row.required("en"),
        schedule=row.required("schedule"),
        schedule_en=row.required("schedule_en"),
        source=sources[row["source"]],
        verified=row["verified"],
        reviewed_by=row["reviewed_by"],
    )


def _needs(pattern: Any) -> dict[str, int]:
    """How many atoms of each element a pattern names outright; an atom with alternatives counts for none."""
    counts: Counter[str] = Counter()
    for atom in pattern.GetAtoms():
        head = atom.GetSmarts().split(";")[0]
        if atom.GetAtomicNum() > 1 and not any(mark in head for mark in ",$!*"):
            counts[atom.GetSymbol()] += 1
    del counts["C"]
    return dict(counts)


def _compiled(row: Row, column: str, text: str) -> Any:
    if len(text) > MAX_SMARTS:
        raise row.error(f"{column}: expected at most {MAX_SMARTS} characters, got {len(text)}")
    chem, base, _ = rdkit()
    with base.BlockLogs():
        pattern = chem.MolFromSmarts(text)
    if pattern is None:
        raise row.error(f"{column}: expected SMARTS that RDKit reads, got {text[:60]!r}: correct it")
    return pattern
