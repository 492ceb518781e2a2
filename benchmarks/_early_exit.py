"""Early exit, tried once: a linear head on an earlier layer answers where it is sure, the whole network elsewhere.

After BranchyNet (Teerapittayanon et al. 2016) with the head trained alone on a frozen network. The head learns to say
what the whole network says (its first label) on one part of the texts; the threshold of its confidence is the lowest that
keeps agreement with the network at 99 % on a second part; both are reported on a third.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line
from xinglin.measure import proportion
from xinglin.model.runtime import INT8, TextClassifier, open_session
from xinglin.model.sizes import CLS, SEP
from xinglin.model.tokenizer import load_tokenizer

DATA = Path(os.environ.get("XINGLIN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ASKED = "text/toyhom_internal_medicine_dialogue/dev.jsonl.gz"
AGREED = 0.99
SEED = 5
DEPTH = 2
"""Layers before the exit."""


def early_exit(folder: Path, quick: bool) -> list[Line]:
    """Return the lines of the trial: share that leaves early, agreement, CPU saved."""
    name = "early exit after layer 2 of 4, INT8"
    texts = _texts(60 if quick else 2400)
    if texts is None:
        return [Line(name, "texts that leave early", None, "share", 0, note="no data: set XINGLIN_DATA")]
    with tempfile.TemporaryDirectory() as place:
        early = Path(place) / "early.onnx"
        inner = _cut(folder / INT8, early)
        session = open_session(early, 1)
        whole = TextClassifier.load(folder, precision="int8")
        tokenizer = load_tokenizer(folder)
        rows, labels, first, full = [], [], 0.0, 0.0
        for text in texts:
            ids = [CLS, *tokenizer.encode(text, add_special_tokens=False).ids[: whole.max_length - 2], SEP]
            given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
            started = time.thread_time()
            states = session.run([inner], given)[0]
            first += time.thread_time() - started
            started = time.thread_time()
            labels.append(int(whole.logits([text])[0].argmax()))
            full += time.thread_time() - started
            rows.append(states[0].mean(0))
    share, hits, n = _judged(np.array(rows), np.array(labels))
    agreed = proportion(hits, n)
    cost = first / len(texts)
    spent = cost + (1 - share) * (full / len(texts))
    saved = spent / (full / len(texts))
    verdict = "helps" if saved < 0.97 and agreed.value >= AGREED else "does NOT help: not built in"
    return [
        Line(name, "texts that leave early", share, "share", n, note=f"threshold for {AGREED:.0%} agreement"),
        Line(
            name, "same first label as the whole network", agreed.value, "share", n, agreed.low, agreed.high
        ),
        Line(
            *(name, "CPU a thousand cases", 1000 * spent, "s", n),
            reference=1000 * full / len(texts),
            reference_name="the whole network, same run",
            note=f"{verdict}; the first half alone costs {1000 * cost:.2f} ms, run a second time for the rest here",
        ),
    ]


def _texts(count: int) -> list[str] | None:
    path = DATA / ASKED
    if not path.is_file():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        asked = list(dict.fromkeys(str(json.loads(line)["ask"]) for line in file))
    asked = [text for text in asked if text.strip()]
    chosen = np.random.default_rng(SEED).choice(len(asked), size=min(count, len(asked)), replace=False)
    return [asked[int(i)] for i in chosen]


def _cut(source: Path, target: Path) -> str:
    """Write the graph up to the states after the first layers; returns their name."""
    import onnx

    model = onnx.load(str(source))
    graph = model.graph
    norms = [node for node in graph.node if node.op_type == "LayerNormalization"]
    # A layer has two norms, but the first of all stands before the first layer, whose attention has none.
    inner: str = norms[2 * DEPTH].input[0]
    needed, kept = {inner}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    nodes = list(reversed(kept))
    del graph.node[:]
    graph.node.extend(nodes)
    stored = [item for item in graph.initializer if item.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(stored)
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(inner, onnx.TensorProto.FLOAT, None))
    onnx.save(model, str(target))
    return inner


def _judged(states: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, int, int]:
    """Train, choose the threshold, and judge, on parts of their own: share that leaves, answers that agree, n."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n = len(labels)
    learn, choose = slice(0, n // 2), slice(n // 2, 2 * n // 3)
    last = slice(2 * n // 3, n)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    head.fit(states[learn], labels[learn])

    def told(part: slice) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        shares = head.predict_proba(states[part])
        return shares.max(1), head.classes_[shares.argmax(1)] == labels[part]

    sure, right = told(choose)
    order = np.argsort(-sure)
    # Those that stay agree by definition: of all texts at most one in a hundred may leave with another label.
    lost = np.cumsum(~right[order]) / len(order)
    allowed = int(np.searchsorted(lost, 1 - AGREED, side="right"))
    threshold = sure[order[allowed - 1]] if allowed else np.inf
    sure, right = told(last)
    leaves = sure >= threshold
    return float(leaves.mean()), int((right | ~leaves).sum()), len(leaves)
