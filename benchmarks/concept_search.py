"""Search over 400,000 generated concepts: time to answer, against SQLite FTS5 and a scan; recall against the scan."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._concepts import concepts, queries
from benchmarks._line import Line, aim, quantiles
from xinglin.measure import proportion
from xinglin.terms.grams import grams_of, search_key
from xinglin.terms.search import LEAST, ConceptSearch
from xinglin.terms.search_index import KINDS, Concept, ConceptIndex, build_index, open_index, save_index

SIZE = 400_000
LIMIT = 10
MADE = "generated: real labels of DO, HPO and THUOCL, the rest made-up joins of two of them; not SNOMED CT"


def run(quick: bool) -> list[Line]:
    size, each = (5_000, 5) if quick else (SIZE, 100)
    given = concepts(size)
    terms = sum(len(one.terms) for one in given)
    built, seconds = _timed(lambda: build_index(given, "snomedct"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "index"
        save_index(built, folder)
        on_disk = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        index, opened = _timed(lambda: open_index(folder))
        search = ConceptSearch(index)
        asked = queries(given, each)
        return [
            Line("build", "wall", seconds, "s", terms, note=f"{size:,} concepts, {terms:,} terms; {MADE}"),
            Line("index on disk", "size", on_disk, "MiB", terms, note="mapped, not read into memory"),
            Line("open", "wall", opened, "s", terms, note="every array checked against its SHA-256"),
            *_times(search, asked),
            *_recall(search, asked, each if quick else 12),
            *_full_text(given, search, asked, Path(name) / "fts.db"),
        ]


def _times(search: ConceptSearch, asked: dict[str, list[str]]) -> list[Line]:
    lines, wall, processor = [], [], []
    for sort, texts in asked.items():
        took = [_clocked(lambda text=text: search.search(text, LIMIT)) for text in texts]
        wall += [row[0] for row in took]
        processor += [row[1] for row in took]
        lines += quantiles(f"search, {sort}", [row[0] for row in took], "ms", "wall")
    met = lambda _, value: f"wall; {aim(value, 20, 'ms')}"  # noqa: E731
    root = [
        _clocked(lambda text=text: search.search(text, LIMIT, under="C000001"))[0]
        for text in asked["English word"]
    ]
    return [
        *quantiles("search, all sorts", wall, "ms", met),
        *quantiles(
            "search, all sorts, processor time",
            processor,
            "ms",
            lambda _, value: f"of the thread; {aim(value, 20, 'ms')}",
        ),
        *lines,
        *quantiles(
            "search under one concept", root, "ms", "the first call counts its descendants, then remembered"
        ),
    ]


def _recall(search: ConceptSearch, asked: dict[str, list[str]], each: int) -> list[Line]:
    scan = _Scan(search.index)
    lines, every, took = [], [], []
    for sort, texts in asked.items():
        shares = []
        for text in texts[:each]:
            started = time.perf_counter()
            wanted = scan.search(text)
            took.append((time.perf_counter() - started) * 1000)
            found = {match.code.value for match in search.search(text, LIMIT)}
            if wanted:
                shares.append(len(found & wanted) / len(wanted))
        every += shares
        lines.append(
            Line(
                f"recall, {sort}",
                f"of the scan's first {LIMIT}",
                float(np.mean(shares)),
                "share",
                len(shares),
            )
        )
    whole = proportion(sum(share == 1 for share in every), len(every))
    first = Line(
        "answers just as the scan's, all sorts", f"first {LIMIT}", whole.value, "share", whole.n, whole.low, whole.high,
        note=f"mean recall {np.mean(every):.4f}; a query that the bound on postings cuts would fall short",
    )  # fmt: skip
    return [
        first,
        *lines,
        *quantiles("scan over all terms", took, "ms", "the same order by definition, no pruning"),
    ]


class _Scan:
    """The answer by definition: every term is compared."""

    def __init__(self, index: ConceptIndex) -> None:
        self.index = index
        self.keys = [index.key(term) for term in range(len(index.kind_of))]
        self.lengths = np.diff(index.key_ends)

    def search(self, text: str) -> set[str]:
        index, key = self.index, search_key(text)
        grams = np.unique(grams_of([key])[0])
        place = np.searchsorted(index.grams, grams)
        known = [
            p for p, gram in zip(place, grams, strict=True) if p < len(index.grams) and index.grams[p] == gram
        ]
        shared = np.zeros(len(self.keys), np.int64)
        for at in known:
            shared[index.postings[index.starts[at] : index.starts[at + 1]]] += 1
        dice = 2.0 * shared / np.maximum(len(grams) + index.grams_in, 1)
        tier = np.where(dice >= LEAST, 3, 9)
        for term, other in enumerate(self.keys):
            if key in other and shared[term] == len(grams):
                starts = other.startswith(key)
                if starts or len(grams):
                    tier[term] = 0 if other == key else 1 if starts else 2
        synonym = (index.kind_of == KINDS.index("synonym")) & (tier < 3)
        score = np.where(tier < 3, -len(key.encode()) / np.maximum(self.lengths, 1), 0 - dice)
        order = np.lexsort((np.arange(len(tier)), index.kind_of, score, synonym, tier))
        best: dict[int, None] = {}
        for term in order[: 200 * LIMIT]:
            if tier[term] == 9 or len(best) == LIMIT:
                break
            best.setdefault(int(index.concept_of[term]))
        return {index.code(concept).value for concept in best}


def _full_text(
    given: list[Concept], search: ConceptSearch, asked: dict[str, list[str]], path: Path
) -> list[Line]:
    """SQLite FTS5 with the trigram tokenizer over the same terms; a phrase, ranked by bm25."""
    base = sqlite3.connect(path)
    base.execute("CREATE VIRTUAL TABLE t USING fts5(term, code UNINDEXED, tokenize='trigram')")
    rows = ((search_key(text), one.value) for one in given for text, _ in one.terms)
    _, seconds = _timed(lambda: base.executemany("INSERT INTO t VALUES (?, ?)", rows))
    base.commit()
    peer = f"SQLite {sqlite3.sqlite_version} FTS5 trigram, same run"

    def ask(text: str) -> list[Any]:
        phrase = '"' + search_key(text).replace('"', '""') + '"'
        return base.execute(
            "SELECT code FROM t WHERE t MATCH ? ORDER BY rank LIMIT ?", (phrase, LIMIT)
        ).fetchall()

    lines = [Line("build of FTS5", "wall", seconds, "s", len(given), note="a file, as the index")]
    for sort, texts in asked.items():
        ours = [_clocked(lambda text=text: search.search(text, LIMIT))[0] for text in texts]
        theirs = [_clocked(lambda text=text: ask(text))[0] for text in texts]
        mine = float(np.mean([bool(search.search(text, LIMIT)) for text in texts]))
        found = float(np.mean([bool(ask(text)) for text in texts]))
        lines += [
            Line(f"answered at all, {sort}", "share", mine, "share", len(texts), reference=found, reference_name=peer),
            Line(f"time, {sort}", "p50", float(np.median(ours)), "ms", len(texts), reference=float(np.median(theirs)),
                 reference_name=peer, note="FTS5 finds exact parts only" if found < 1 else ""),
        ]  # fmt: skip
    two = len(ask("腹泻"))
    lines.append(
        Line("腹泻", "answers", float(len(search.search("腹泻", LIMIT))), "concepts", 1, reference=float(two) or None,
             reference_name=peer if two else None, note=f"FTS5 trigram finds {two}: two characters are no trigram")
    )  # fmt: skip
    base.close()
    return lines


def _clocked(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor time of a call, ms."""
    started, used = time.perf_counter(), time.thread_time()
    call()
    return (time.perf_counter() - started) * 1000, (time.thread_time() - used) * 1000


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started
