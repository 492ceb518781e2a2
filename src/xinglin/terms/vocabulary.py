"""What can be said of a patient: findings, quantities with their ranges and cut-offs, drugs.

Reads the TSV files of ``terms/vocabulary/`` (schema: ``docs/starter-graph.md``). Names of diseases and
examinations belong to the graph room above; it hands them in as ``extra`` terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypeVar, cast

from xinglin.errors import UnknownNameError, VocabularyError
from xinglin.terms.characters import normalise
from xinglin.terms.codes import XINGLIN, XINGLIN_ANALYTE, XINGLIN_DRUG, slug
from xinglin.terms.entries import (
    CHRONIC_KINDS,
    FINDING_KINDS,
    OPERATORS,
    Analyte,
    Cutoff,
    Drug,
    Range,
    Sex,
    Term,
    in_band,
)
from xinglin.terms.matcher import Matcher
from xinglin.terms.tsv import Row, rows
from xinglin.types import Code

__all__ = [
    "CHRONIC_KINDS",
    "FINDING_KINDS",
    "OPERATORS",
    "Analyte",
    "Cutoff",
    "Drug",
    "Range",
    "Term",
    "Vocabulary",
    "checked",
    "in_band",
    "load_vocabulary",
    "starter_vocabulary",
]
_SOURCE = ("source", "verified", "reviewed_by")
_FINDING = ("name", "en", "kind", "parents", "aliases", "aliases_en", *_SOURCE)
_PHRASES = ("finding", "phrases", "phrases_en", *_SOURCE)
_ANALYTE = ("name", "en", "kind", "unit", "units", "aliases", "aliases_en", "high", "low", "plausible_min",
            "plausible_max", "loinc", *_SOURCE)  # fmt: skip
_RANGE = ("analyte", "sex", "age_min", "age_max", "low", "high", *_SOURCE)
_CUTOFF = ("analyte", "sex", "age_min", "age_max", "op", "value", "finding", *_SOURCE)
_DRUG = ("name", "en", "classes", "aliases", "aliases_en", *_SOURCE)


T = TypeVar("T", bound=Analyte | Drug)


@dataclass(frozen=True)
class Vocabulary:
    """Everything :func:`xinglin.terms.read` knows; built by :func:`load_vocabulary`, then only read."""

    findings: dict[str, Term]
    """By Chinese name."""
    extra: tuple[Term, ...]
    analytes: dict[str, Analyte]
    ranges: dict[str, tuple[Range, ...]]
    cutoffs: dict[str, tuple[Cutoff, ...]]
    drugs: dict[str, Drug]
    terms: Matcher[tuple[Term, ...]] = field(repr=False)
    """Matcher over findings and extra terms; several terms may share a spelling (a disease, a history)."""
    analyte_names: Matcher[Analyte] = field(repr=False)
    drug_names: Matcher[Drug] = field(repr=False)
    conflicts: tuple[str, ...] = ()
    """Inconsistencies between rows, each with what to do; empty in a vocabulary fit for release."""
    _ancestors: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _descendants: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def finding(self, name: str) -> Term:
        """The finding of that Chinese name.

        Raises:
            UnknownNameError: there is none; the message lists near ones.
        """
        term = self.findings.get(name)
        if term is None:
            near = [known for known in self.findings if name in known or known in name][:5]
            raise UnknownNameError(
                f"expected the name of a finding; got {name!r}: "
                + (
                    f"did you mean {', '.join(near)}?"
                    if near
                    else "add it to terms/vocabulary/findings-*.tsv"
                )
            )
        return term

    def spelled(self, text: str) -> tuple[Term, ...]:
        """The terms that are spelled exactly so (name or alias, either language)."""
        return self.terms.get(normalise(text)) or ()

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Names of all findings that ``name`` implies when present."""
        return self._ancestors.get(name, ())

    def descendants(self, name: str) -> tuple[str, ...]:
        """Names of all findings that imply ``name``."""
        return self._descendants.get(name, ())


def _sex(row: Row) -> Sex | None:
    cell = row["sex"]
    if cell in ("", "any"):
        return None
    if cell not in ("male", "female"):
        raise row.error(f"expected sex any, male or female; got {cell!r}: correct it")
    return cast(Sex, cell)


def _finding(row: Row) -> Term:
    name, en, kind = row.required("name"), row.required("en"), row["kind"]
    if kind not in FINDING_KINDS:
        raise row.error(f"expected a kind of {', '.join(FINDING_KINDS)}; got {kind!r}: correct it")
    return Term(
        Code(XINGLIN, slug(en), name), name, en, kind, row.many("aliases"), row.many("aliases_en"),
        row.many("parents"), row["source"], row["verified"] == "yes",
    )  # fmt: skip


def _analyte(row: Row) -> Analyte:
    name, en = row.required("name"), row.required("en")
    if row["kind"] not in ("vital", "lab"):
        raise row.error(f"expected kind vital or lab; got {row['kind']!r}: correct it")
    units: list[tuple[str, float]] = []
    for item in row.many("units"):
        unit, equals, factor = item.rpartition("=")
        try:
            units.append((unit, float(factor)))
        except ValueError:
            equals = ""
        if not equals or not unit:
            raise row.error(f"expected units as UNIT=FACTOR; got {item!r}: write e.g. ng/L=0.001")
    return Analyte(
        Code(XINGLIN_ANALYTE, slug(en), name), name, en, row["kind"], row["unit"], tuple(units),
        row.many("aliases"), row.many("aliases_en"), row["high"], row["low"],
        row.number("plausible_min"), row.number("plausible_max"), row["loinc"],
    )  # fmt: skip


def _cutoff(row: Row) -> Cutoff:
    value = row.number("value")
    if value is None or row["op"] not in OPERATORS:
        raise row.error(
            f"expected an operator of {' '.join(OPERATORS)} and a value; got {row['op']!r} "
            f"{row['value']!r}: fill both in"
        )
    return Cutoff(
        _sex(row), row.number("age_min"), row.number("age_max"), row["op"], value, row.required("finding")
    )


def read_findings(folder: Path | None = None, conflicts: list[str] | None = None) -> dict[str, Term]:
    """Read the findings of a vocabulary folder, by Chinese name, without building matchers.

    Args:
        folder: default: the folder of this package.
        conflicts: takes a line for every finding that is defined twice.

    Raises:
        VocabularyError: a file breaks its schema.
        MissingDataError: no finding file at all.
    """
    folder = folder or Path(__file__).parent / "vocabulary"
    findings: dict[str, Term] = {}
    for path in sorted(folder.glob("findings-*.tsv")) or [folder / "findings-core.tsv"]:
        for row in rows(path, _FINDING):
            term = _finding(row)
            if term.name in findings:
                if conflicts is not None:
                    conflicts.append(
                        str(row.error(f"the finding {term.name} is defined twice: drop one row"))
                    )
                continue
            findings[term.name] = term
    return findings


def load_vocabulary(folder: Path | None = None, extra: Iterable[Term] = ()) -> Vocabulary:
    """Read a vocabulary folder.

    Args:
        folder: holds ``findings-*.tsv`` and, if known, ``families*.tsv``, ``analytes.tsv``, ``ranges.tsv``, ``cutoffs.tsv``,
            ``drugs.tsv``; default: the folder of this package.
        extra: terms from above (diseases, examinations).

    Raises:
        VocabularyError: a file breaks its schema; the message names file and line.
        MissingDataError: no finding file at all.
    """
    folder = folder or Path(__file__).parent / "vocabulary"
    conflicts: list[str] = []
    findings = read_findings(folder, conflicts)
    analytes = {row["name"]: _analyte(row) for row in _optional(folder / "analytes.tsv", _ANALYTE)}
    ranges: dict[str, list[Range]] = {}
    for row in _optional(folder / "ranges.tsv", _RANGE):
        ranges.setdefault(_known(row, analytes), []).append(
            Range(
                _sex(row), row.number("age_min"), row.number("age_max"), row.number("low"), row.number("high")
            )
        )
    cutoffs: dict[str, list[Cutoff]] = {}
    for row in _optional(folder / "cutoffs.tsv", _CUTOFF):
        cutoffs.setdefault(_known(row, analytes), []).append(_cutoff(row))
    drugs = {
        row["name"]: Drug(
            Code(XINGLIN_DRUG, slug(row.required("en")), row["name"]), row.required("name"), row["en"],
            row.many("classes"), row.many("aliases"), row.many("aliases_en"),
        )
        for row in _optional(folder / "drugs.tsv", _DRUG)
    }  # fmt: skip
    phrases: list[tuple[str, Term]] = []
    for row in chain.from_iterable(rows(path, _PHRASES) for path in sorted(folder.glob("families*.tsv"))):
        owner = findings.get(row["finding"])
        if owner is None:
            conflicts.append(str(row.error(f"{row['finding']} is no finding: add it or correct the name")))
            continue
        phrases += [(text, owner) for text in (*row.many("phrases"), *row.many("phrases_en"))]
    extra = tuple(extra)
    ancestors, descendants = _closure(findings, conflicts)
    _check_names(findings, analytes, cutoffs, conflicts)
    return Vocabulary(
        findings=findings,
        extra=extra,
        analytes=analytes,
        ranges={name: tuple(items) for name, items in ranges.items()},
        cutoffs={name: tuple(items) for name, items in cutoffs.items()},
        drugs=drugs,
        terms=_term_matcher(list(findings.values()), extra, phrases, conflicts),
        analyte_names=Matcher(_patterns(list(analytes.values())), digits_after=True),
        drug_names=Matcher(_patterns(list(drugs.values()))),
        conflicts=tuple(conflicts),
        _ancestors=ancestors,
        _descendants=descendants,
    )


def checked(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary itself if its rows agree with each other.

    Raises:
        VocabularyError: they do not; the message lists every conflict.
    """
    if vocabulary.conflicts:
        raise VocabularyError(f"{len(vocabulary.conflicts)} conflicts:\n" + "\n".join(vocabulary.conflicts))
    return vocabulary


@cache
def starter_vocabulary() -> Vocabulary:
    """The vocabulary that comes with the package, without terms from above; loaded on first use."""
    return load_vocabulary()


def _optional(path: Path, columns: tuple[str, ...]) -> Iterable[Row]:
    return rows(path, columns) if path.exists() else ()


def _known(row: Row, analytes: dict[str, Analyte]) -> str:
    name = row["analyte"]
    if name not in analytes:
        raise row.error(
            f"expected an analyte of analytes.tsv; got {name!r}: add it there or correct the name"
        )
    return name


def _patterns(items: Sequence[T]) -> Iterable[tuple[str, T]]:
    """Names before aliases, so that a name always means its own row."""
    spelled = [(item.name, item) for item in items]
    for item in items:
        spelled += [(alias, item) for alias in (item.en, *item.aliases, *item.aliases_en)]
    if not spelled:
        return ()
    normal = normalise("\n".join(spelling for spelling, _ in spelled)).split("\n")
    return zip(normal, (owner for _, owner in spelled), strict=True)


def _term_matcher(
    findings: list[Term], extra: tuple[Term, ...], phrases: list[tuple[str, Term]], conflicts: list[str]
) -> Matcher[tuple[Term, ...]]:
    spellings: list[str] = []
    owners: list[Term] = []
    for term in (*findings, *extra):
        names = (term.name, *term.aliases, term.en, *term.aliases_en)
        spellings += names
        owners += [term] * len(names)
    table: dict[str, tuple[Term, ...]] = {}
    for spelling, owner in zip(normalise("\n".join(spellings)).split("\n"), owners, strict=True):
        if not spelling:
            continue
        known = table.get(spelling)
        if known is None:
            table[spelling] = (owner,)
        elif owner not in known:
            rivals = [term for term in known if term.code.system == owner.code.system]
            if rivals:
                conflicts.append(
                    f"{spelling!r} names both {rivals[0].name} and {owner.name}: keep it in one of them"
                )
            else:
                table[spelling] = (*known, owner)
    said = normalise("\n".join(phrase for phrase, _ in phrases)).split("\n")
    families = ((phrase, (owner,)) for phrase, (_, owner) in zip(said, phrases, strict=False))
    return Matcher(table.items(), families=families)


def _closure(
    findings: dict[str, Term], conflicts: list[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Ancestors and descendants of every finding; unknown parents and cycles are conflicts."""
    ancestors: dict[str, tuple[str, ...]] = {}
    below: dict[str, list[str]] = {}
    for name, term in findings.items():
        if not term.parents:
            continue
        seen: dict[str, None] = {}
        queue = list(term.parents)
        while queue:
            parent = queue.pop(0)
            if parent in seen:
                continue
            if parent not in findings:
                conflicts.append(
                    f"{name} has the parent {parent}, which is no finding: add it or correct the name"
                )
                continue
            if parent == name:
                conflicts.append(f"{name} is its own ancestor: cut the cycle of parents")
                continue
            seen[parent] = None
            queue += findings[parent].parents
        ancestors[name] = tuple(seen)
        for parent in seen:
            below.setdefault(parent, []).append(name)
    return ancestors, {name: tuple(children) for name, children in below.items()}


def _check_names(
    findings: dict[str, Term],
    analytes: dict[str, Analyte],
    cutoffs: dict[str, list[Cutoff]],
    conflicts: list[str],
) -> None:
    values: dict[str, str] = {}
    for term in findings.values():
        other = values.setdefault(term.code.value, term.name)
        if other != term.name:
            conflicts.append(
                f"{term.name} and {other} have the same English id {term.code.value}: rename one"
            )
    for analyte in analytes.values():
        for name in (analyte.high, analyte.low):
            if name and name not in findings:
                conflicts.append(
                    f"analyte {analyte.name} points to the finding {name}, which is not defined: add it"
                )
    for owner, items in cutoffs.items():
        for cutoff in items:
            if cutoff.finding not in findings:
                conflicts.append(
                    f"a cut-off of {owner} points to {cutoff.finding}, which is not defined: add it"
                )
