"""Examples mined from the open text: each says whether its label is weak, where it comes from, under which licence.

Only what lies below the data folder's ``text`` is read. Rows that are kept for reporting are refused by their key,
together with every text elsewhere that repeats their question, so that no figure is measured on what was learnt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from xinglin.errors import MissingDataError
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.vocabulary import read_findings
from xinglin.train import weak_chinese as zh
from xinglin.train import weak_english as en
from xinglin.train.corpus import reported
from xinglin.train.mining import Mining, Tally, Weak
from xinglin.train.names import DiseaseNames, starter_names

__all__ = ["SOURCES", "Tally", "Weak", "mine", "write_mined"]

SOURCES: tuple[Callable[[Mining, Path], Iterator[Weak]], ...] = (
    zh.hospital,
    zh.exam_stems,
    zh.coded_cases,
    zh.toyhom_weak,
    zh.toyhom,
    zh.bencao,
    zh.handbook,
    zh.questions,
    en.cases,
    en.medquad,
    en.dialogues,
    en.disease_table,
    en.prose,
)
"""In this order: of two that give the same text the first one counts, so stated diagnoses come first."""
_ASKED = (
    ("toyhom_internal_medicine_dialogue/dev.jsonl.gz", "ask"),
    ("toyhom_internal_medicine_dialogue/extra_unlabelled.jsonl.gz", "ask"),
    ("toyhom_weak_disease/dev.jsonl.gz", "text"),
    ("zhongjing_dialogue/huatuo26m_dev.jsonl.gz", "question"),
    ("cmexam_val/dev.jsonl.gz", "question"),
)
"""Sets whose reported questions must not come in by another door."""


def mine(
    folder: Path,
    *,
    exclude: Callable[[str], bool] = reported,
    tally: Tally | None = None,
    knowledge: Knowledge | None = None,
    names: DiseaseNames | None = None,
    sources: Sequence[Callable[[Mining, Path], Iterator[Weak]]] = SOURCES,
) -> Iterator[Weak]:
    """Yield mined examples over the graph's diseases, always the same for the same files.

    Args:
        folder: the data folder's ``text``.
        exclude: whether a key (question, id) is kept for reporting.
        tally: takes the counts by origin and what was dropped for which reason.
        knowledge: default: the starter graph.
        names: of the diseases; default: those of the starter graph.
        sources: which sets, in order.

    Raises:
        MissingDataError: there is no such folder.
        InvalidInputError: a file is damaged.
    """
    if not folder.is_dir():
        raise MissingDataError(
            f"expected the data folder's text at {folder}; there is none: set XINGLIN_DATA"
        )
    if knowledge is None:
        from xinglin.graph.load import starter

        knowledge = starter()
    tally = Tally() if tally is None else tally
    names = names or starter_names()
    findings = read_findings()
    plain = Mining(knowledge, names, lambda _: False, Tally())
    synonyms = en.ontology_synonyms(plain, folder / "disease_ontology/terms.jsonl.gz", knowledge, names)
    mining = Mining(knowledge, names, exclude, tally, synonyms, findings.values())
    for path, key in _ASKED:
        asked = (str(row[key]) for _, row in plain.rows(folder / path, "reported", (key,)))
        mining.refuse(text for text in asked if exclude(text))
    for source in sources:
        yield from source(mining, folder)


def write_mined(examples: Iterator[Weak], path: Path) -> int:
    """Write examples as JSON lines, whole or not at all; return how many."""
    partial = path.with_suffix(".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as lines:
        for example in examples:
            lines.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")
            count += 1
    partial.replace(path)
    return count
