"""The starter graph from its TSV files, every row checked; an error names file and line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from xinglin.graph import knowledge as k
from xinglin.terms.codes import icd10, slug
from xinglin.terms.tsv import Row, rows
from xinglin.terms.vocabulary import read_findings
from xinglin.types import Code

STARTER = Path(__file__).parent / "starter"
TAIL = ("source", "verified", "reviewed_by")
COLUMNS: dict[str, tuple[str, ...]] = {
    "diseases": (
        *("name", "en", "icd10", "department", "severity", "commonness", "sex"),
        *("age_min", "age_max", "age_peak", "course", "aliases", "aliases_en"),
        *TAIL,
    ),
    "exams": ("name", "en", "kind", "setting", "burden", "reveals", "aliases", "aliases_en", *TAIL),
    "relations": ("disease", "relation", "target", "qualifier", "note", *TAIL),
    "options": ("disease", "option", "en", "kind", "precondition", "note", *TAIL),
    "contraindications": ("option", "check", "condition", "level", "note", *TAIL),
    "red_flags": ("id", "display", "en", "level", "expression", "action", "action_en", *TAIL),
    "danger_signs": ("complaint", "danger", "question", "question_en", "condition", *TAIL),
}


@cache
def starter() -> k.Knowledge:
    """Return the starter graph that comes with the package, over the package's own vocabulary."""
    return load(STARTER, {name: term.code for name, term in read_findings().items()})


def load(folder: Path, findings: dict[str, Code]) -> k.Knowledge:
    """Load and check a folder of starter files.

    Args:
        folder: holds ``diseases-*.tsv``, ``relations-*.tsv`` and so on (docs/starter-graph.md).
        findings: codes of the finding names that rows may refer to.

    Raises:
        VocabularyError: a row breaks the schema or refers to an unknown name.
    """
    diseases = _unique(folder, "diseases", _disease)
    exams = _unique(folder, "exams", _exam)
    for row in _rows(folder, "exams"):
        for name in row.many("reveals"):
            _known(row, "reveals", name, findings)
    targets: dict[str, Collection[str]] = {"has_finding": findings, "risk_factor": findings, "exam": exams}
    relations = []
    for row in _rows(folder, "relations"):
        relations.append(_relation(row, diseases, targets))
    options = [_option(row, diseases) for row in _rows(folder, "options")]
    offered = {option.option for option in options}
    contraindications = [_contraindication(row, offered) for row in _rows(folder, "contraindications")]
    return k.Knowledge(
        diseases=diseases,
        exams=exams,
        relations=tuple(relations),
        options=tuple(options),
        contraindications=tuple(contraindications),
        red_flags=tuple(_red_flag(row) for row in _rows(folder, "red_flags")),
        danger_signs=tuple(_danger_sign(row, findings) for row in _rows(folder, "danger_signs")),
        finding_codes=findings,
    )


def _rows(folder: Path, kind: str) -> Iterator[Row]:
    paths = sorted([*folder.glob(f"{kind}-*.tsv"), *folder.glob(f"{kind}.tsv")])
    for path in paths:
        yield from rows(path, COLUMNS[kind])


def _unique(folder: Path, kind: str, build: Callable[[Row], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    slugs: dict[str, str] = {}
    for row in _rows(folder, kind):
        item = build(row)
        if item.name in found:
            raise row.error(f"{item.name} is already defined")
        other = slugs.setdefault(slug(item.en), item.name)
        if other != item.name:
            raise row.error(f"the English name {item.en!r} is already that of {other}")
        found[item.name] = item
    return found


def _choice(row: Row, column: str, allowed: tuple[str, ...]) -> str:
    if row[column] not in allowed:
        raise row.error(f"{column} must be one of {', '.join(allowed)}, got {row[column]!r}: correct it")
    return row[column]


def _known(row: Row, column: str, name: str, names: Collection[str]) -> str:
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, list(names), n=3, cutoff=0.4)
        raise row.error(f"{column} {name!r} is not defined; nearest: {', '.join(near) or 'none'}")
    return name


def _provenance(row: Row) -> k.Provenance:
    if not row["source"]:
        raise row.error("source is empty: name an open set by file and row, or 'authored, unreviewed'")
    if row["verified"] not in ("", "yes"):
        raise row.error(f"verified must be 'yes' or empty, got {row['verified']!r}")
    return k.Provenance(row["source"], row["verified"] == "yes", row["reviewed_by"] or None)


def _disease(row: Row) -> k.Disease:
    peak = row["age_peak"]
    band = None
    if peak:
        parts = peak.split("-")
        try:
            band = (float(parts[0]), float(parts[1]))
        except (IndexError, ValueError):
            raise row.error(f"age_peak must read like 40-75, got {peak!r}") from None
    try:
        code = icd10(row["icd10"])
    except ValueError as error:
        raise row.error(str(error)) from None
    return k.Disease(
        name=row["name"],
        en=row["en"],
        icd10=code,
        department=row["department"],
        severity=_choice(row, "severity", k.SEVERITIES),
        commonness=_choice(row, "commonness", k.COMMONNESS),
        sex=cast(Any, _choice(row, "sex", ("any", "male", "female"))),
        age_min=row.number("age_min"),
        age_max=row.number("age_max"),
        age_peak=band,
        course=_choice(row, "course", ("acute", "subacute", "chronic", "recurrent")),
        aliases=row.many("aliases"),
        aliases_en=row.many("aliases_en"),
        provenance=_provenance(row),
    )


def _exam(row: Row) -> k.Exam:
    return k.Exam(
        name=row["name"],
        en=row["en"],
        kind=row["kind"],
        setting=cast(Any, _choice(row, "setting", ("clinic", "county", "tertiary"))),
        burden=cast(Any, _choice(row, "burden", ("low", "medium", "high"))),
        reveals=row.many("reveals"),
        aliases=row.many("aliases"),
        aliases_en=row.many("aliases_en"),
        provenance=_provenance(row),
    )


def _relation(row: Row, diseases: dict[str, k.Disease], targets: dict[str, Collection[str]]) -> k.Relation:
    relation = _choice(row, "relation", tuple(k.QUALIFIERS))
    allowed = k.QUALIFIERS[relation]
    qualifier = _choice(row, "qualifier", allowed) if allowed else None
    return k.Relation(
        disease=_known(row, "disease", row["disease"], diseases),
        relation=relation,
        target=_known(row, "target", row["target"], targets.get(relation, diseases)),
        qualifier=qualifier,
        note=row["note"],
        provenance=_provenance(row),
    )


def _option(row: Row, diseases: dict[str, k.Disease]) -> k.Option:
    kinds = ("medication_class", "procedure", "supportive", "lifestyle", "referral")
    return k.Option(
        disease=_known(row, "disease", row["disease"], diseases),
        option=row["option"],
        en=row["en"],
        kind=_choice(row, "kind", kinds),
        precondition=row["precondition"],
        note=row["note"],
        provenance=_provenance(row),
    )


def _contraindication(row: Row, offered: set[str]) -> k.Contraindication:
    return k.Contraindication(
        option=_known(row, "option", row["option"], offered),
        check=cast(Any, _choice(row, "check", ("age", "pregnancy", "allergy", "renal", "drug"))),
        condition=row["condition"],
        level=cast(Any, _choice(row, "level", ("avoid", "caution"))),
        note=row["note"],
        provenance=_provenance(row),
    )


def _red_flag(row: Row) -> k.RedFlag:
    return k.RedFlag(
        id=row["id"],
        display=row["display"],
        en=row["en"],
        level=_choice(row, "level", k.TRIAGE),
        expression=row["expression"],
        action=row["action"],
        action_en=row["action_en"],
        provenance=_provenance(row),
    )


def _danger_sign(row: Row, findings: Collection[str]) -> k.DangerSign:
    return k.DangerSign(
        complaint=_known(row, "complaint", row["complaint"], findings),
        danger=_known(row, "danger", row["danger"], findings),
        question=row["question"],
        question_en=row["question_en"],
        condition=row["condition"],
        provenance=_provenance(row),
    )
