"""A generated set of 400,000 concepts: real open labels, and made-up joins of two of them.

The labels are those of the Disease Ontology (CC0), the Human Phenotype Ontology in Chinese and English (HPO licence) and
THUOCL's medical words (MIT); the joins mean nothing and stand in for the length and the repetition of the terms of a
large terminology. No concept of SNOMED CT is in it.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import MissingDataError
from xinglin.terms.search_index import Concept, Kind

SEED = 0
_JOINS = (
    ("{} with {}", "{}伴{}"),
    ("{} due to {}", "{}所致{}"),
    ("{} and {}", "{}合并{}"),
    ("history of {} and {}", "{}及{}史"),
)


def texts_folder() -> Path:
    """Where the shared texts lie."""
    root = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("XINGLIN_DATA", root)) / "text"
    if not folder.is_dir():
        raise MissingDataError(f"no data sets at {folder}: set XINGLIN_DATA")
    return folder


def concepts(count: int) -> list[Concept]:
    """Return ``count`` concepts with about two terms each; the real labels come first."""
    folder = texts_folder()
    real: list[tuple[tuple[str, Kind], ...]] = []
    for row in _rows(folder / "disease_ontology" / "terms.jsonl.gz"):
        synonyms = [text for text, scope in row.get("synonyms", []) if scope == "EXACT"]
        real.append(
            ((f"{row['label']} (disorder)", "fsn"), *((text, "synonym") for text in dict.fromkeys(synonyms)))
        )
    for row in _rows(folder / "hpo_zh" / "labels_en_zh.jsonl.gz"):
        if row["zh"].strip() and row["en"].strip():
            real.append(((row["zh"], "preferred"), (f"{row['en']} (finding)", "fsn")))
    for row in _rows(folder / "thuocl_medical" / "words.jsonl.gz"):
        real.append(((row["word"], "preferred"),))
    english = [text.rsplit(" (", 1)[0] for terms in real for text, kind in terms if kind == "fsn"]
    chinese = [terms[0][0] for terms in real if terms[0][1] == "preferred"]
    generator = np.random.default_rng(SEED)
    made = real[:count]
    while len(made) < count:
        join_en, join_zh = _JOINS[int(generator.integers(len(_JOINS)))]
        a, b = (english[int(i)] for i in generator.integers(0, len(english), 2))
        c, d = (chinese[int(i)] for i in generator.integers(0, len(chinese), 2))
        made.append(((join_zh.format(c, d), "preferred"), (f"{join_en.format(a, b)} (disorder)", "fsn")))
    # a hierarchy of branching 20, so that the filter has something to do
    return [
        Concept(f"C{i:06d}", tuple(dict.fromkeys(terms)), (f"C{(i - 1) // 20:06d}",) if i else ())
        for i, terms in enumerate(made)
    ]


def queries(found: list[Concept], each: int) -> dict[str, list[str]]:
    """Return queries by sort, drawn from the terms: whole, beginnings, words, and with typing errors."""
    generator = np.random.default_rng(SEED + 1)
    real = found[:50_000]
    english = [
        text.rsplit(" (", 1)[0]
        for one in real
        for text, kind in one.terms
        if kind == "fsn" and len(text) > 12
    ]
    chinese = [one.terms[0][0] for one in real if one.terms[0][1] == "preferred"]

    def some(texts: list[str]) -> list[str]:
        return [texts[int(i)] for i in generator.integers(0, len(texts), each)]

    two = [text for text in chinese if len(text) == 2]
    long = [text for text in chinese if len(text) >= 4]
    return {
        "one Chinese character": [text[int(generator.integers(len(text)))] for text in some(two)],
        "two Chinese characters": ["腹泻", *some(two)][:each],
        "longer Chinese": some(long),
        "Chinese, one character wrong": [_typo(text, "症病性炎痛肿", generator) for text in some(long)],
        "English term": some(english),
        "English beginning": [text[: int(generator.integers(3, 9))] for text in some(english)],
        "English word": [generator.choice(text.split()) for text in some(english)],
        "English, two letters wrong": [
            _typo(_typo(text, "abcdefghijklmnopqrstuvwxyz", generator), "aeiourst", generator)
            for text in some(english)
        ],
        "English, words turned": [" ".join(reversed(text.split())) for text in some(english)],
    }


def _typo(text: str, alphabet: str, generator: np.random.Generator) -> str:
    at = int(generator.integers(len(text)))
    return text[:at] + alphabet[int(generator.integers(len(alphabet)))] + text[at + 1 :]


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
