"""Ground authored rows in open sets: where a row's fact is literally in an open set, name file and row.

    python -m xinglin.graph.ground ../shared/data/text

rewrites ``source`` and ``verified`` of ``relations-*.tsv`` in place. A row is grounded if both its ends are
the same names or aliases as in the open set's row; nothing is inferred. ``verified`` says that the source
states the relation, not that a clinician has read it (``reviewed_by``), and never the frequency term.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from xinglin.errors import MissingDataError
from xinglin.graph.importers import read_lines
from xinglin.graph.knowledge import Knowledge
from xinglin.graph.load import COLUMNS, STARTER, starter
from xinglin.terms.tsv import rows
from xinglin.terms.vocabulary import Vocabulary, starter_vocabulary

AUTHORED = "authored, unreviewed"
Fact = tuple[str, str, str]
"""(disease, relation, target), all by the starter graph's own names."""


def open_facts(folder: Path, knowledge: Knowledge, vocabulary: Vocabulary) -> dict[Fact, str]:
    """Return every fact of the open sets that our names can express, with file and row.

    Raises:
        MissingDataError: none of the sets is below ``folder``.
    """
    diseases: dict[str, set[str]] = defaultdict(set)
    exams: dict[str, set[str]] = defaultdict(set)
    for disease in knowledge.diseases.values():
        for name in (disease.name, disease.en, *disease.aliases, *disease.aliases_en):
            diseases[name.lower()].add(disease.name)
    for exam in knowledge.exams.values():
        for name in (exam.name, exam.en, *exam.aliases, *exam.aliases_en):
            exams[name.lower()].add(exam.name)
    facts: dict[Fact, str] = {}
    found = False
    for source, disease_name, relation, target in _statements(folder):
        found = True
        if relation == "exam":
            targets = exams.get(target.lower(), set())
        else:
            targets = {term.name for term in vocabulary.spelled(target)}
        for disease_ in diseases.get(disease_name.lower(), ()):
            for name in targets:
                facts.setdefault((disease_, relation, name), source)
    if not found:
        raise MissingDataError(
            f"no open set below {folder}: give the folder that holds chatdoctor/ and others"
        )
    return facts


def _statements(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield (source, disease, relation, target) of each open set at hand."""
    path = folder / "baidu_acl2020_disease_findings" / "relations.jsonl.gz"
    if path.is_file():
        for number, row in read_lines(path):
            yield f"{path.parent.name}/{path.name}:{number}", row["disease"], "has_finding", row["finding"]
    path = folder / "chatdoctor" / "disease_db_en.jsonl.gz"
    if path.is_file():
        for number, row in read_lines(path):
            source = f"{path.parent.name}/{path.name}:{number}"
            for symptom in row.get("symptoms", []):
                yield source, row["disease"], "has_finding", symptom
            for exam in row.get("exams_and_procedures", []):
                yield source, row["disease"], "exam", exam.split("(")[0].strip()
    path = folder / "disease_ontology" / "disease_symptom.jsonl.gz"
    if path.is_file():
        for number, row in read_lines(path):
            yield f"{path.parent.name}/{path.name}:{number}", row["disease"], "has_finding", row["symptom"]


def ground(folder: Path, facts: dict[Fact, str]) -> tuple[int, int]:
    """Rewrite the relation files of a starter folder; returns (grounded rows, all rows)."""
    grounded = total = 0
    columns = COLUMNS["relations"]
    for path in sorted(folder.glob("relations-*.tsv")):
        lines = ["\t".join(columns)]
        for row in rows(path, columns):
            cells = {column: row[column] for column in columns}
            source = facts.get((cells["disease"], cells["relation"], cells["target"]))
            total += 1
            if source is not None:
                cells["source"], cells["verified"] = source, "yes"
                grounded += 1
            elif cells["verified"] != "yes":
                cells["source"] = AUTHORED
            lines.append("\t".join(cells[column] for column in columns))
        partial = path.with_suffix(".partial")
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.replace(path)
    return grounded, total


if __name__ == "__main__":
    graph = starter()
    counts = ground(STARTER, open_facts(Path(sys.argv[1]), graph, starter_vocabulary()))
    print(f"{counts[0]} of {counts[1]} rows are stated by an open set")
