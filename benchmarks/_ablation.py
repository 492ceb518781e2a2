"""One cell of the knowledge ablation: pre-train a tiny encoder in one arm with one seed, fine-tune it on every task.

A finished cell is a JSON file named by a digest of everything that decides it, so an interrupted run goes on.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.train.corpus import read_open_set, reported

TEXTS = ("toyhom", "toyhom-extra", "huatuo26m", "cmtmedqa", "handbook")
"""Open sets that are read in pre-training."""
CANDIDATES = 32
"""Findings among which the true one is looked for."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run spends; equal for every arm."""

    vocabulary: int = 8000
    base_steps: int = 400
    """Steps of language modelling alone, shared by the arms of a seed."""
    base_rows: int = 16
    steps: int = 300
    """Steps of the arm: language modelling with the graph's loss beside it."""
    rows: int = 8
    length: int = 128
    weight: float = 1.0
    """Of the graph's loss."""
    shots: tuple[int | None, ...] = (None, 20, 5, 1)
    """Examples a disease that are learnt from; ``None``: all."""
    epochs: tuple[float, ...] = (2.5, 6.0, 12.0, 24.0)
    """Passes over them."""
    draws: tuple[int, ...] = (1, 1, 1, 2)
    """Sets of examples drawn for each of them; the figure is their mean."""
    rate: float = 1e-3
    tokens: int = 64
    """Tokens an example is cut to in fine-tuning."""
    passages: int | None = None
    cases: int | None = None


QUICK = Budget(
    vocabulary=600, base_steps=2, base_rows=4, steps=2, rows=4, length=48, shots=(None, 2), epochs=(0.2, 1.0),
    draws=(1, 1), tokens=32, passages=80, cases=120,
)  # fmt: skip
"""A check that it runs."""


@dataclass(frozen=True)
class Task:
    """Texts with labels, cut into a part to learn from and a part to score."""

    name: str
    names: tuple[str, ...]
    texts: list[str]
    labels: list[int]
    scored_texts: list[str]
    scored: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: arm, seed, objective, and the part it is scored on (``development`` or ``test``)."""

    arm: str
    seed: int
    objective: str
    part: str


class Laboratory:
    """Corpus, tasks, graph and cache of one run of the ablation."""

    def __init__(self, data: Path, cache: Path, budget: Budget) -> None:
        from xinglin.model.knowledge import entity_graph

        self.cache, self.budget = cache, budget
        cache.mkdir(parents=True, exist_ok=True)
        self.graph = entity_graph()
        self.rows = {
            "mz10": [
                (row["id"], said(row), row["disease"]) for row in _read(data, "mz_dxy_diagnosis/mz10_train")
            ],
            "toyhom": [
                (row["text"], row["text_masked"], row["disease"])
                for row in _read(data, "toyhom_weak_disease/dev")
            ],
        }
        self.dropped = 0
        self.corpus = self._corpus(data)
        self.tasks = {
            part: [self._task(name, part) for name in self.rows] for part in ("development", "test")
        }

    def figures(self) -> list[str]:
        """Return the names of what every cell scores."""
        return [figure(name, shots) for name in self.rows for shots in self.budget.shots]

    def run(self, cell: Cell) -> dict[str, Any]:
        """Return a cell's figures, from the cache or by running it."""
        path = (
            self.cache / f"cell-{cell.part}-{cell.arm}-{cell.objective}-{cell.seed}-{self._digest(cell)}.json"
        )
        if path.is_file():
            return dict(json.loads(path.read_text(encoding="utf-8")))
        import time

        started = time.process_time()
        base = self._base(cell.seed)
        with tempfile.TemporaryDirectory(dir=self.cache) as folder:
            encoder = Path(folder) / "encoder"
            metrics = self._pretrain(cell, base, encoder)
            found = {
                "cell": asdict(cell),
                "validation_loss": metrics["validation_loss"],
                "recall": self.recalled(encoder),
                "hits": {
                    name: hits
                    for task in self.tasks[cell.part]
                    for name, hits in self._score(task, encoder, cell)
                },
            }
        found["cpu_seconds"] = round(time.process_time() - started, 1)
        new = path.with_suffix(".part")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(path)
        return found

    def settings(self) -> dict[str, Any]:
        """Return what a reader needs to repeat the run."""
        return {
            "budget": asdict(self.budget),
            "texts": TEXTS,
            "tokens": len(self.corpus.train),
            "corpus": self.corpus.digest,
            "graph": self.graph.digest,
            "triples": len(self.graph),
            "entities": len(self.graph.keys),
            "passages_dropped": self.dropped,
        }

    def recalled(self, encoder: Path) -> float:
        """How often a disease in front of *presents with* lies nearest to a finding that the graph gives it.

        The manipulation check: one true finding against 31 that are not its own, by cosine; chance is 1/32.
        """
        import torch
        from transformers import ModernBertModel

        from xinglin.model.sizes import PAD
        from xinglin.model.tokenizer import load_tokenizer
        from xinglin.train.finetune import encode, padded
        from xinglin.train.pretrain import mean_pooled

        graph, generator = self.graph, np.random.default_rng(0)
        relation = graph.relations.index("has_finding")
        rows = graph.triples[graph.triples[:, 1] == relation]
        findings = np.unique(rows[:, 2])
        true: dict[int, set[int]] = {}
        for head, _, tail in rows.tolist():
            true.setdefault(head, set()).add(tail)
        asked = rows[generator.choice(len(rows), 256, replace=False)]
        model = ModernBertModel.from_pretrained(encoder, dtype=torch.float32).eval()
        tokenizer = load_tokenizer(encoder)

        def vectors(texts: list[str]) -> Any:
            parts = []
            with torch.no_grad():
                for first in range(0, len(texts), 256):
                    ids = padded(encode(tokenizer, texts[first : first + 256], 24))
                    parts.append(mean_pooled(model, ids, (ids != PAD).long()))
            return torch.nn.functional.normalize(torch.cat(parts), dim=1).numpy()

        place = {int(finding): i for i, finding in enumerate(findings)}
        answers = vectors([graph.names[i][0] for i in findings])
        words = graph.wordings[relation][0]
        queries = vectors([graph.names[head][0] + words for head in asked[:, 0]])
        right = 0.0
        for query, (head, _, tail) in zip(queries, asked.tolist(), strict=True):
            others = [i for i in generator.permutation(findings).tolist() if i not in true[head]]
            scores = answers[[place[tail], *(place[i] for i in others[: CANDIDATES - 1])]] @ query
            right += float(scores[0] > scores[1:].max())
        return right / len(asked)

    def _corpus(self, data: Path) -> Any:
        from xinglin.model.tokenizer import load_tokenizer, save_tokenizer
        from xinglin.train.pretrain import prepare_corpus

        texts, sources = [], []
        for name in TEXTS:
            passages, source = read_open_set(name, data / "text")
            texts += [passage.text for passage in passages][: self.budget.passages]
            sources.append(source)
        # What is scored stands in no pre-training text, not even quoted by another set.
        asked = [key for key, _, _ in self.rows["toyhom"] if reported(key)]
        whole = "\0".join(texts)
        leaked = [question for question in asked if question in whole]
        kept = [text for text in texts if not any(question in text for question in leaked)]
        self.dropped = len(texts) - len(kept)
        names = [spelling for spellings in self.graph.names for spelling in spellings]
        key = sha256(json.dumps([self.budget.vocabulary, kept]).encode()).hexdigest()[:16]
        folder = self.cache / f"tokenizer-{key}"
        known = load_tokenizer(folder) if folder.is_dir() else None
        corpus = prepare_corpus(
            kept, sources, tokenizer=known, vocabulary=self.budget.vocabulary, entities=names
        )
        if known is None:
            save_tokenizer(corpus.tokenizer, folder)
        return corpus

    def _task(self, name: str, part: str) -> Task:
        rows = self.rows[name][: self.budget.cases]
        names = tuple(sorted({label for _, _, label in rows}))
        place = {label: i for i, label in enumerate(names)}
        learn, score = [], []
        for key, text, label in rows:
            held = reported(key)
            developed = not held and reported("development:" + key)
            wanted = held if part == "test" else developed
            if wanted:
                score.append((text, place[label]))
            elif not held:
                learn.append((text, place[label]))
        return Task(
            name, names, [text for text, _ in learn], [label for _, label in learn],
            [text for text, _ in score], np.array([label for _, label in score]),
        )  # fmt: skip

    def _score(self, task: Task, encoder: Path, cell: Cell) -> list[tuple[str, list[float]]]:
        """Hits of each scored case, averaged over the sets of examples drawn, for all examples and for few."""
        from xinglin.train.finetune import fine_tune
        from xinglin.train.options import FineTuneOptions

        found = []
        for shots, epochs, draws in zip(
            self.budget.shots, self.budget.epochs, self.budget.draws, strict=True
        ):
            hits = np.zeros(len(task.scored))
            for draw in range(draws):
                chosen = examples(task.labels, shots, (cell.seed, draw, shots or 0))
                options = FineTuneOptions(
                    epochs=epochs,
                    batch_size=32 if shots is None else 16,
                    learning_rate=self.budget.rate,
                    max_length=self.budget.tokens,
                    seed=cell.seed * 100 + draw,
                    threads=1,
                )
                tuned = fine_tune(
                    encoder,
                    [task.texts[i] for i in chosen],
                    [task.labels[i] for i in chosen],
                    task.names,
                    options,
                )
                hits += tuned.logits(task.scored_texts, 128).argmax(1) == task.scored
            found.append((figure(task.name, shots), np.round(hits / draws, 4).tolist()))
        return found

    def _base(self, seed: int) -> Path:
        """The encoder of a seed before the arms part, made once."""
        from xinglin.errors import CheckpointError
        from xinglin.model.checkpoint import verify_checkpoint
        from xinglin.train.pretrain import pretrain

        options = self._options(seed, "contrastive", self.budget.base_steps, self.budget.base_rows)
        key = sha256(json.dumps([options.as_json(), self.corpus.digest]).encode()).hexdigest()[:16]
        folder = self.cache / f"base-{seed}-{key}"
        if folder.is_dir():
            try:
                verify_checkpoint(folder)
                return folder
            except CheckpointError:
                shutil.rmtree(folder)
        pretrain(self.corpus, folder, options)
        return folder

    def _pretrain(self, cell: Cell, base: Path, out: Path) -> Mapping[str, Any]:
        from xinglin.model.knowledge import arm
        from xinglin.train.pretrain import pretrain

        options = self._options(cell.seed + 1000, cell.objective, self.budget.steps, self.budget.rows)
        knowledge = None if cell.arm == "none" else arm(self.graph, cell.arm, cell.seed)
        pretrain(self.corpus, out, options, knowledge=knowledge, start=base)
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        return dict(manifest["metrics"])

    def _options(self, seed: int, objective: str, steps: int, rows: int) -> Any:
        from xinglin.train.options import PretrainOptions

        plain = PretrainOptions(size="tiny", steps=steps, batch_size=rows, length=self.budget.length)
        return replace(
            plain, objective=objective, knowledge_weight=self.budget.weight, knowledge_every=1, seed=seed,
            threads=1, save_every=10**6,
        )  # fmt: skip

    def _digest(self, cell: Cell) -> str:
        tasks = [(task.name, task.texts, task.labels, task.scored_texts) for task in self.tasks[cell.part]]
        body = [asdict(cell), asdict(self.budget), self.corpus.digest, self.graph.digest, tasks]
        return sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()[:16]


def figure(task: str, shots: int | None) -> str:
    """Return the name of a figure: the task, and how many examples a disease were learnt from."""
    return task if shots is None else f"{task}-{shots}"


def said(case: Mapping[str, Any]) -> str:
    """Render a case of MZ-10 as Chinese sentences: every finding of the record; templated, not written by anyone."""
    states = {
        str(name): str(state) for part in ("explicit", "implicit") for name, state in case[part].items()
    }
    parts = [
        words + "、".join(name for name, state in states.items() if state == wanted)
        for words, wanted in (("患儿有", "1"), ("没有", "0"), ("不确定有没有", "2"))
        if wanted in states.values()
    ]
    return ";".join(parts) + "。" if parts else "没有记录症状。"


def examples(labels: Sequence[int], shots: int | None, seed: tuple[int, ...]) -> list[int]:
    """Return the places of so many examples a class, or of all; a class that has fewer gives what it has."""
    if shots is None:
        return list(range(len(labels)))
    generator = np.random.default_rng(seed)
    places = np.asarray(labels)
    chosen = [generator.permutation(np.flatnonzero(places == label))[:shots] for label in np.unique(places)]
    return [int(place) for place in np.concatenate(chosen)]


def _read(data: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(data / "text" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
