"""Finding the passage that a sentence was taken out of (inverse cloze, Lee, Chang & Toutanova, ACL 2019).

Articles of a Chinese handbook are indexed with one sentence of each chosen passage removed; the sentence is the query. Each
arm is the same index with a ranking left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._assistant_support import reported
from benchmarks._line import Line
from xinglin.measure import proportion

DEPTH = 5
ARTICLES = 60
"""Articles of the reported half that are indexed."""


def lines_of(rows: Sequence[dict[str, Any]], encoder: Any, seed: int = 0) -> list[Line]:
    from xinglin.apps.assistant.documents import Document, passages
    from xinglin.apps.assistant.index import build_index

    draw = random.Random(seed)
    documents, queries = [], []
    for row in [row for row in rows if reported(row["title"])][:ARTICLES]:
        found = [
            passage for passage in passages(Document(row["title"], row["title"], row["text"])) if passage.text
        ]
        for place, passage in enumerate(found):
            text, parts = passage.text, re.split(r"(?<=[。!?])", passage.text)
            whole = [part for part in parts if 20 < len(part.strip()) < 120]
            name = f"{row['title']}#{place}"
            if len(whole) > 1 and draw.random() < 0.25:
                removed = draw.choice(whole)
                text = text.replace(removed, "", 1)
                queries.append((removed.strip(), name))
            documents.append(Document(name, row["title"], text))
    index = build_index(documents, encoder)
    lines = []
    arms = [("BM25 alone", replace(index, vectors=None, encoder=None))]
    if encoder is not None:
        arms += [("BM25 and encoder, fused", index)]
    hits: dict[str, int] = {}
    for name, arm in arms:
        found_names = [[hit.passage.document for hit in arm.search(query, DEPTH)] for query, _ in queries]
        hits[name] = sum(wanted in found for (_, wanted), found in zip(queries, found_names, strict=True))
    if encoder is not None and index.vectors is not None:
        vectors = encoder.vectors([query for query, _ in queries])
        order = np.argsort(-(vectors @ index.vectors.T), axis=1)[:, :DEPTH]
        names = [passage.document for passage in index.passages]
        hits["encoder alone"] = sum(
            wanted in [names[place] for place in row]
            for (_, wanted), row in zip(queries, order.tolist(), strict=True)
        )
    for name, count in hits.items():
        figure = proportion(count, len(queries))
        lines.append(Line(f"retrieval, {name}", f"hit@{DEPTH}", figure.value, "", figure.n, figure.low, figure.high,
                          reference=hits["BM25 alone"] / len(queries), reference_name="BM25 alone",
                          note=f"{len(index.passages)} passages"))  # fmt: skip
    return lines
