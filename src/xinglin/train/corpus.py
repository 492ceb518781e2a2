"""The open text that the encoder is pre-trained on, without what the figures are reported on.

A fixed part of every labelled set is kept for reporting and is read by no training of ours, not even without its
label: one fifth by SHA-256 of the question (or the case's id), and the even half of ai-hospital, which the
diagnosis figures have always used. The official and the acceptance parts are not among these files at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.graph.importers import read_lines

Row = dict[str, Any]


def reported(key: str, one_in: int = 5) -> bool:
    """Return whether a case lies in the part that is only ever scored.

    Args:
        key: its question text or its id, as the set is split.
        one_in: 5 for a fifth; 2 for ai-hospital's half.
    """
    return int(hashlib.sha256(str(key).encode()).hexdigest(), 16) % one_in == 0


def settling(key: str) -> bool:
    """Return whether a case lies in the tenth whose label the shipped classifier does not learn.

    What a pool trusts of that classifier can then be settled on labelled cases that are new to it, without touching
    the part that is scored. The encoder reads these cases as text, without a label set apart.

    Args:
        key: as in :func:`reported`; no case is in both parts.
    """
    return int(hashlib.sha256(str(key).encode()).hexdigest(), 16) % 10 == 1


def unlearnt(key: str) -> bool:
    """Return whether the shipped classifier has not learnt a case's label: it is scored, or settles a pool."""
    return reported(key) or settling(key)


@dataclass(frozen=True, slots=True)
class OpenSet:
    """One openly licensed set below the data folder's ``text``."""

    path: str
    licence: str
    lang: str
    passages: Callable[[Row], Iterable[str]]
    held: Callable[[Row], bool] | None = None
    """Rows kept for reporting; ``None``: nothing is reported on this set."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One document of the corpus."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Source:
    """What was read of one file, for the manifest."""

    name: str
    sha256: str
    records: int
    held_out: int
    licence: str

    def as_json(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "records": self.records,
            "held_out": self.held_out,
            "licence": self.licence,
            "weak": False,
        }


def _join(*keys: str) -> Callable[[Row], Iterable[str]]:
    return lambda row: ["\n".join(str(row[key]) for key in keys if row.get(key))]


def _exam_question(row: Row) -> Iterable[str]:
    options = row.get("options") or {}
    answer = " ".join(str(options[letter]) for letter in str(row.get("answer", "")) if letter in options)
    yield "\n".join(
        part for part in (str(row["question"]), answer, str(row.get("explanation") or "")) if part
    )


def _dialogue(row: Row) -> Iterable[str]:
    yield "\n".join(str(turn) for pair in row.get("history", []) for turn in pair)


def _hospital(row: Row) -> Iterable[str]:
    statements = dict.fromkeys(str(text) for text in (row.get("opening_statements") or {}).values())
    parts = [next(iter(statements), ""), *map(str, row.get("exam_results", []))]
    golds = (row.get("gold_diagnosis"), row.get("gold_basis"), row.get("gold_treatment"))
    yield "\n".join([*parts, *(str(gold) for gold in golds if gold)])
    yield "\n".join(str(turn.get("content", "")) for turn in row.get("dialogue_gpt4_doctor", []))


def _english_case(row: Row) -> Iterable[str]:
    yield json.dumps(
        [row[key] for key in ("patient", "physical_exam", "test_results", "diagnosis")]
    ).translate(str.maketrans("", "", '{}[]"'))


def _pubmed(row: Row) -> Iterable[str]:
    yield " ".join(
        [str(row["question"]), *map(str, row.get("contexts", [])), str(row.get("long_answer", ""))]
    )


def _asked(row: Row) -> bool:
    return reported(str(row.get("ask", "")))


OPEN_SETS: dict[str, OpenSet] = {
    "toyhom": OpenSet(
        "toyhom_internal_medicine_dialogue/dev.jsonl.gz", "MIT", "zh", _join("title", "ask", "answer"), _asked
    ),
    "toyhom-extra": OpenSet(
        "toyhom_internal_medicine_dialogue/extra_unlabelled.jsonl.gz",
        "MIT",
        "zh",
        _join("title", "ask", "answer"),
        _asked,
    ),
    "cmtmedqa": OpenSet("zhongjing_dialogue/cmtmedqa_dev.jsonl.gz", "Apache-2.0", "zh", _dialogue),
    "huatuo26m": OpenSet(
        "zhongjing_dialogue/huatuo26m_dev.jsonl.gz", "Apache-2.0", "zh", _join("question", "answer")
    ),
    "bencao": OpenSet("huatuo_bencao_kgqa/sft.jsonl.gz", "Apache-2.0", "zh", _join("instruction", "output")),
    "bencao-literature": OpenSet(
        "huatuo_bencao_kgqa/liver_cancer_literature.jsonl.gz",
        "Apache-2.0",
        "zh",
        _join("instruction", "output"),
    ),
    "cmexam": OpenSet("cmexam_val/dev.jsonl.gz", "Apache-2.0", "zh", _exam_question),
    "handbook": OpenSet("zh_disease_handbook_mit/text.jsonl.gz", "MIT", "zh", _join("title", "text")),
    "ai-hospital": OpenSet(
        "ai_hospital_cases/dev.jsonl.gz",
        "MIT",
        "zh",
        _hospital,
        lambda row: reported(str(row.get("patient_id")), 2),
    ),
    "medquad": OpenSet("medquad/dev.jsonl.gz", "CC-BY-4.0", "en", _join("question", "answer")),
    "openstax": OpenSet("openstax_health_en/text.jsonl.gz", "CC-BY-4.0 / CC-BY-3.0", "en", _join("text")),
    "genmedgpt": OpenSet("chatdoctor/genmedgpt5k.jsonl.gz", "Apache-2.0", "en", _join("input", "output")),
    "mts-dialog": OpenSet("mts_dialog/train.jsonl.gz", "CC-BY-4.0", "en", _join("section_text", "dialogue")),
    "aci-bench": OpenSet("aci_bench/train.jsonl.gz", "CC-BY-4.0", "en", _join("note", "dialogue")),
    "agentclinic": OpenSet(
        "agentclinic/dev.jsonl.gz", "MIT", "en", _english_case, lambda row: reported(str(row.get("id")))
    ),
    "pubmedqa": OpenSet("pubmedqa/dev.jsonl.gz", "MIT", "en", _pubmed),
}
"""Everything the shipped encoder reads. ``restricted`` is not here and never enters weights."""


def read_open_set(name: str, folder: Path) -> tuple[list[Passage], Source]:
    """Read one open set without its reporting part.

    Args:
        name: key of ``OPEN_SETS``.
        folder: the folder ``text`` of the data.

    Raises:
        MissingDataError: the file is absent.
        InvalidInputError: it is damaged.
    """
    which = OPEN_SETS[name]
    path = folder / which.path
    passages, records, held = [], 0, 0
    for number, row in read_lines(path):
        records += 1
        if which.held is not None and which.held(row):
            held += 1
            continue
        try:
            texts = [text.strip() for text in which.passages(row)]
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(
                f"{path.name}:{number}: a field is absent or of a wrong kind ({error})"
            ) from None
        passages += [Passage(text, name) for text in dict.fromkeys(texts) if len(text) >= 8]
    return passages, Source(name, file_digest(path), records, held, which.licence)


def read_own(path: Path, licence: str = "as stated by its owner") -> tuple[list[Passage], Source]:
    """Read a user's own text: JSONL with ``text``, or a text file with a document a line.

    Raises:
        MissingDataError: no such file.
        InvalidInputError: a line without ``text``, or no text at all.
    """
    passages: list[Passage] = []
    if ".jsonl" in path.name:
        for number, row in read_lines(path):
            text = row.get("text")
            if not isinstance(text, str):
                raise InvalidInputError(f"{path.name}:{number}: expected a field text with a string")
            if text.strip():
                passages.append(Passage(text.strip(), path.stem))
    else:
        if not path.is_file():
            raise MissingDataError(f"there is no file {path}")
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{path.name}: expected UTF-8, byte {error.start} is not") from None
        passages += [Passage(line.strip(), path.stem) for line in lines if line.strip()]
    if not passages:
        raise InvalidInputError(f"{path.name}: expected text to train on; got none")
    return passages, Source(path.name, file_digest(path), len(passages), 0, licence)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
