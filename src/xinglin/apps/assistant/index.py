"""A local index of documents: BM25 and a text encoder's vectors, each ranking fused by reciprocal rank.

Reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009): a passage's score is the sum of 1 / (60 + rank) over
the two rankings. The index lies in a folder as JSON lines and ``.npz`` without pickle, every file under its SHA-256 in
``manifest.json``, beside the digest of each document, and is checked when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xinglin.apps.assistant.bm25 import Bm25, build_bm25
from xinglin.apps.assistant.documents import MAX_PASSAGES, Document, Passage, passages
from xinglin.errors import CheckpointError, InputTooLargeError, MissingDataError

FORMAT = 1
MANIFEST, PASSAGES, TERMS, VECTORS = "manifest.json", "passages.jsonl", "terms.npz", "vectors.npz"
MAX_MANIFEST = 64 * 1024 * 1024
RANK = 60
"""The constant of reciprocal rank fusion, from its paper."""
DEPTH = 100
"""Places of each ranking that are fused."""
MAX_QUERY = 2_000
"""Characters of a query that are searched for; what lies beyond is not."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A text encoder as the index sees it."""

    id: str
    """Of the checkpoint: vectors of different encoders cannot be compared."""
    vectors: Callable[[Sequence[str]], NDArray[np.float32]]
    """Texts -> (texts, width)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found."""

    passage: Passage
    score: float
    """Of the fused ranking; only its order means anything."""
    lexical: float
    """BM25, in nats."""
    similarity: float | None
    """Cosine of the encoder's vectors; ``None`` without an encoder."""


@dataclass(frozen=True, eq=False)
class DocumentIndex:
    """An index in memory; safe to share between threads."""

    passages: tuple[Passage, ...]
    bm25: Bm25
    vectors: NDArray[np.float32] | None
    """(passages, width), of length 1."""
    encoder: Encoder | None
    manifest: dict[str, Any]

    def search(self, query: str, limit: int = 5) -> list[Hit]:
        """Return the best passages, best first; a passage that shares no term with the query is not returned."""
        query = query[:MAX_QUERY]
        lexical = self.bm25.scores(query)
        ranks = [_order(lexical)]
        similar = None
        if self.vectors is not None and self.encoder is not None and query.strip():
            similar = self.vectors @ _unit(self.encoder.vectors([query]))[0]
            ranks.append(_order(similar))
        fused: dict[int, float] = {}
        for order in ranks:
            for rank, place in enumerate(order[:DEPTH].tolist(), 1):
                fused[place] = fused.get(place, 0.0) + 1 / (RANK + rank)
        best = sorted(
            (place for place in fused if lexical[place] > 0), key=lambda place: (-fused[place], place)
        )
        return [
            Hit(
                self.passages[place],
                fused[place],
                float(lexical[place]),
                None if similar is None else float(similar[place]),
            )
            for place in best[:limit]
        ]


def build_index(documents: Iterable[Document], encoder: Encoder | None = None) -> DocumentIndex:
    """Index documents.

    Raises:
        MissingDataError: no document.
        InputTooLargeError: more than ``MAX_PASSAGES`` passages.
    """
    listed: list[Passage] = []
    digests: dict[str, str] = {}
    for document in documents:
        digests[document.name] = document.digest
        listed += passages(document)
        if len(listed) > MAX_PASSAGES:
            raise InputTooLargeError(f"documents: at most {MAX_PASSAGES} passages: index a part of them")
    if not listed:
        raise MissingDataError("documents: expected at least one with words; got none")
    texts = [f"{passage.title}\n{passage.text}" for passage in listed]
    vectors = None if encoder is None else _unit(encoder.vectors(texts))
    manifest = {
        "format": FORMAT,
        "encoder": None if encoder is None else encoder.id,
        "passages": len(listed),
        "documents": digests,
    }
    return DocumentIndex(tuple(listed), build_bm25(texts), vectors, encoder, manifest)


def save_index(index: DocumentIndex, folder: Path) -> dict[str, Any]:
    """Write an index to a folder, whole or not at all; returns its manifest with the files' digests."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    lines = (json.dumps(asdict(passage), ensure_ascii=False) for passage in index.passages)
    (partial / PASSAGES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    weights = index.bm25.weights
    np.savez(
        partial / TERMS,
        terms=np.frombuffer("\n".join(index.bm25.terms).encode(), np.uint8),
        data=weights.data,
        indices=weights.indices,
        indptr=weights.indptr,
    )
    if index.vectors is not None:
        np.savez(partial / VECTORS, vectors=index.vectors.astype(np.float16))
    files = {path.name: _sha256(path) for path in sorted(partial.iterdir())}
    manifest = index.manifest | {"files": files}
    (partial / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(partial, folder)
    shutil.rmtree(old, ignore_errors=True)
    return manifest


def load_index(folder: Path, encoder: Encoder | None = None) -> DocumentIndex:
    """Load an index and check every file against the manifest.

    Args:
        folder: where :func:`save_index` wrote.
        encoder: the one that it was built with; ``None`` searches by words alone.

    Raises:
        MissingDataError: there is none.
        CheckpointError: a file is damaged, or the index was built with another encoder.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingDataError(f"no index at {folder}: make one with xinglin assistant index DIR")
    manifest = _manifest(path)
    for name, digest in manifest["files"].items():
        if name not in (PASSAGES, TERMS, VECTORS) or not (folder / name).is_file():
            raise CheckpointError(f"{folder}: expected the file {name}: index the documents again")
        if _sha256(folder / name) != digest:
            raise CheckpointError(f"{name}: does not match its digest: index the documents again")
    vectors = None
    if encoder is not None and manifest["encoder"] is not None:
        if manifest["encoder"] != encoder.id:
            raise CheckpointError(
                f"the index was built with encoder {manifest['encoder'][:12]}, now loaded is {encoder.id[:12]}: "
                "index the documents again"
            )
        with np.load(folder / VECTORS, allow_pickle=False) as arrays:
            vectors = arrays["vectors"].astype(np.float32)
    try:
        rows = (folder / PASSAGES).read_text(encoding="utf-8").splitlines()
        listed = tuple(Passage(**json.loads(row)) for row in rows)
        with np.load(folder / TERMS, allow_pickle=False) as arrays:
            terms = tuple(arrays["terms"].tobytes().decode().split("\n"))
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            weights = csr_matrix(parts, shape=(len(terms), len(listed)))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{folder}: cannot be read: index the documents again") from error
    return DocumentIndex(listed, Bm25(terms, weights), vectors, encoder, manifest)


def _manifest(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_MANIFEST:
        raise CheckpointError(f"{path.name}: more than {MAX_MANIFEST} bytes: index the documents again")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path.name}: no JSON: index the documents again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or "files" not in manifest:
        raise CheckpointError(f"{path.name}: expected format {FORMAT}: index the documents again")
    return manifest


def _order(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places by falling score, ties by place; those without any score are left out."""
    order: NDArray[np.int64] = np.argsort(-scores, kind="stable")
    return order[scores[order] > 0]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
