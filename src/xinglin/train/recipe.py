"""The recipe of the shipped model, start to end, from open data alone.

    xinglin train open-model --data DIR --out DIR

1. *Encoder*: masked language modelling on the open Chinese and English text, with the starter graph's contrastive
   objective beside it, in rounds.
2. *Diagnosis head*, in rounds: narratives rendered from the graph, weak labels mined from the same open text and the gold
   labels among it, over the graph's diseases.
3. *Export*: ONNX and INT8.

What the figures are reported on is read by no step (``corpus.reported``). Each step is skipped when its result is
there, so that an interrupted recipe goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, MissingDataError
from xinglin.train.card import Inherited
from xinglin.train.corpus import OPEN_SETS, Passage, Source, read_open_set, unlearnt
from xinglin.train.examples import Rendered
from xinglin.train.options import FineTuneOptions, PretrainOptions

if TYPE_CHECKING:
    from xinglin.model.knowledge import EntityGraph
    from xinglin.train.embed import Embeddings
    from xinglin.train.finetune import Classifier
    from xinglin.train.loop import Report
    from xinglin.train.pretrain import Corpus

CHARACTERS = {"medquad": 3_000_000, "openstax": 2_500_000, "genmedgpt": 1_500_000, "mts-dialog": 700_000}
"""Most characters read of a large English set: the model is Chinese first."""
CHINESE = 2
"""How often Chinese text is read for once of English."""
PRETRAIN = PretrainOptions(size="small", steps=2000, learning_rate=1.5e-3, batch_size=32, length=128)
"""One round of pre-training."""
ROUNDS = 2
"""Rounds, each from where the last one ended, with its own order and masks, the rate rising and falling anew (warm
restarts, Loshchilov and Hutter 2017, arXiv 1608.03983): every round leaves an encoder that can be used."""
EMBEDDING = ("rotate", 128, 20)
"""Model, numbers a vector and passes of the graph embeddings from which the head starts."""
_FINE_TUNE = FineTuneOptions(
    epochs=1.5, batch_size=32, learning_rate=5e-4, max_length=160, label_smoothing=0.1
)
DIAGNOSIS = (_FINE_TUNE, replace(_FINE_TUNE, epochs=2.0, head="kept", seed=1))
"""Rounds of fine-tuning, the second from where the first ended."""
NARRATIVES = 20_000
"""Texts rendered from the graph, so that every disease is seen, each with half the weight of a mined text."""
WEIGHTS = {"rendered": 0.5, "weak": 1.0, "stated": 2.0}
"""Weight of an example by what its label is worth; text rendered from coded fields counts as rendered."""
BALANCE = 0.5
"""Examples of a disease weigh less by this power of their number: what is asked online is not what is common."""
WATCHED = 33
"""One mined example in so many is kept from training, to watch it."""
TUNED_ON = "ai-hospital"
"""Its tuning half is not learnt from: the weights of the join are chosen on it."""
NAME = "medical-open-model"
LIMITS = (
    "Uncalibrated logits over the diseases of the starter graph (authored, unreviewed), learnt mostly from weak labels "
    "and rendered text; no abstention, no triage. 未经注册,仅供研究与辅助参考: use `xinglin diagnose`, which adds "
    "red flags, evidence and abstention, and never in place of a clinician."
)


def open_corpus(folder: Path, *, tokenizer: Path | None = None) -> Corpus:
    """Read and tokenise the open text.

    Args:
        folder: the data folder, with ``text`` below it.
        tokenizer: checkpoint folder whose tokenizer is used; ``None`` learns one.

    Raises:
        MissingDataError: not one of the sets is there.
    """
    from xinglin.model.knowledge import entity_graph
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.pretrain import prepare_corpus

    texts: list[str] = []
    sources: list[Source] = []
    for name, which in OPEN_SETS.items():
        if not (folder / "text" / which.path).is_file():
            continue
        passages, source = read_open_set(name, folder / "text")
        kept = [passage.text for passage in _bounded(passages, CHARACTERS.get(name))]
        texts += kept * (CHINESE if which.lang == "zh" else 1)
        sources.append(source)
    if not texts:
        raise MissingDataError(
            f"there is no open text below {folder / 'text'}; see docs/model.md for what it holds"
        )
    names = [spelling for spellings in entity_graph().names for spelling in spellings]
    return prepare_corpus(
        texts,
        sources,
        tokenizer=load_tokenizer(tokenizer) if tokenizer else None,
        vocabulary=PRETRAIN.vocabulary,
        entities=names,
    )


def _bounded(passages: list[Passage], characters: int | None) -> Iterator[Passage]:
    """Yield passages in the order of their digests, up to so many characters in all."""
    if characters is None:
        yield from passages
        return
    seen = 0
    for passage in sorted(passages, key=lambda item: sha256(item.text.encode()).digest()):
        if seen >= characters:
            return
        seen += len(passage.text)
        yield passage


@dataclass(frozen=True)
class DiagnosisExamples:
    """What the diagnosis head learns from, and a part of the mined texts to watch it on."""

    texts: list[str]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    watched: list[str]
    watched_targets: NDArray[np.int64]
    sources: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """Examples mined from one open set, for the manifest."""

    name: str
    records: int
    licence: str
    weak: bool

    def as_json(self) -> dict[str, Any]:
        """Return the manifest's entry; the file's digest stands with the encoder's data."""
        return {
            "name": self.name,
            "sha256": None,
            "records": self.records,
            "licence": self.licence,
            "weak": self.weak,
        }


def diagnosis_corpus(folder: Path, names: tuple[str, ...], seed: int = 0) -> DiagnosisExamples:
    """Gather mined and rendered examples over the graph's diseases.

    Args:
        folder: the data folder, with ``text`` below it.
        names: diseases in the order of the head.
        seed: of the rendered texts.

    Raises:
        MissingDataError: there is no open text.
    """
    from xinglin.train.narratives import narratives
    from xinglin.train.weak import mine

    place = {name: i for i, name in enumerate(names)}
    rows: list[tuple[str, int, float]] = []
    watched: list[tuple[str, int]] = []
    counts: Counter[tuple[str, str, bool]] = Counter()
    for example in mine(folder / "text", exclude=unlearnt):
        if example.origin.startswith(TUNED_ON):
            continue
        if int(sha256(example.row.encode()).hexdigest(), 16) % WATCHED == 0:
            watched.append((example.text, place[example.disease]))
            continue
        counts[example.origin, example.licence, example.weak] += 1
        worth = "rendered" if example.templated else "weak" if example.weak else "stated"
        rows.append((example.text, place[example.disease], WEIGHTS[worth]))
    mined = [Mined(f"mined: {name}", many, licence, weak) for (name, licence, weak), many in counts.items()]
    for narrative in narratives(NARRATIVES, seed):
        rows.append((narrative.text, place[narrative.disease], WEIGHTS["rendered"]))
    targets = np.array([target for _, target, _ in rows])
    many = np.bincount(targets, minlength=len(names))[targets]
    weights = np.array([weight for _, _, weight in rows]) / many**BALANCE
    return DiagnosisExamples(
        [text for text, _, _ in rows],
        targets,
        (weights / weights.mean()).astype(np.float32),
        [text for text, _ in watched],
        np.array([target for _, target in watched]),
        (*mined, Rendered(NARRATIVES, seed)),
    )


def build(data: Path, out: Path, *, threads: int | None = None, report: Report | None = None) -> Path:
    """Run the recipe up to the classifier; what is there already is kept.

    Args:
        data: the data folder.
        out: folder of the steps.
        threads: CPU threads.
        report: progress of the running step.

    Returns:
        The classifier's folder, ready to be exported.

    Raises:
        ConfigurationError: it was started as several processes.
        MissingDataError: there is no open text.
        TrainingError: see ``pretrain`` and ``fine_tune``.
    """
    from xinglin.train.elastic import require_one_process

    require_one_process("xinglin train open-model")
    from xinglin.graph.load import starter
    from xinglin.model.knowledge import entity_graph
    from xinglin.train.embed import embed_graph, read_embeddings

    classifier, vectors = out / NAME, out / "graph"
    graph = entity_graph()
    encoders = [out / f"encoder-{number + 1}" for number in range(ROUNDS)]
    _pretrain_rounds(data, encoders, graph, threads, report)
    if _made(classifier):
        return classifier
    if not (vectors / "embeddings.safetensors").is_file():
        embed_graph(graph, *EMBEDDING, 0, vectors)
    examples = diagnosis_corpus(data, tuple(starter().diseases))
    folders = [*(out / f"classifier-{number + 1}" for number in range(len(DIAGNOSIS) - 1)), classifier]
    _diagnosis_rounds(encoders, folders, examples, read_embeddings(vectors), threads, report)
    return classifier


def _diagnosis_rounds(
    encoders: list[Path],
    folders: list[Path],
    examples: DiagnosisExamples,
    embeddings: Embeddings,
    threads: int | None,
    report: Report | None,
) -> None:
    """Make the classifiers that are not there yet: the first from the last encoder, each other from the one before."""
    from transformers import AutoConfig

    from xinglin.graph.load import starter
    from xinglin.model.checkpoint import verify_checkpoint
    from xinglin.train.embed import disease_head
    from xinglin.train.finetune import fine_tune

    names = tuple(starter().diseases)
    before = [verify_checkpoint(encoder).manifest for encoder in encoders]
    hidden = AutoConfig.from_pretrained(encoders[-1]).hidden_size
    start = encoders[-1]
    for options, folder in zip(DIAGNOSIS, folders, strict=True):
        if _made(folder):
            start = folder
            continue
        tuned = fine_tune(
            start,
            examples.texts,
            examples.targets,
            names,
            replace(options, threads=threads),
            weights=examples.weights,
            head=disease_head(embeddings, hidden, names, 0) if options.head == "fresh" else None,
            state=folder.with_name(f".{folder.name}.run"),
            report=report,
        )
        metrics = {
            "encoder_validation_loss": before[-1]["metrics"]["validation_loss"],
            "encoder_tokens": sum(manifest["metrics"]["tokens"] for manifest in before),
            "examples": len(examples.texts),
            "classes": len(names),
            **_watched(tuned, examples),
            "head_from_embeddings_mrr": embeddings.description["metrics"]["mrr"]["value"],
        }
        tuned.save(
            folder,
            name=NAME,
            data=[*map(Inherited, before[-1]["data"]), *examples.sources],
            metrics=metrics,
            settings={"encoder": before[-1]["settings"]},
            half=True,
            limits=LIMITS,
        )
        start = folder


def _watched(tuned: Classifier, examples: DiagnosisExamples) -> dict[str, float]:
    """Return how the classifier does on the mined texts that were kept from it."""
    if not examples.watched:
        return {"watched_n": 0}
    order = np.argsort(-tuned.logits(examples.watched), axis=1)
    hit = order == examples.watched_targets[:, None]
    return {
        "watched_n": len(hit),
        "watched_top1_weak": round(float(hit[:, 0].mean()), 4),
        "watched_top5_weak": round(float(hit[:, :5].any(1).mean()), 4),
    }


def _pretrain_rounds(
    data: Path, rounds: list[Path], graph: EntityGraph, threads: int | None, report: Report | None
) -> None:
    """Make the encoders that are not there yet, each from the one before."""
    from xinglin.train.pretrain import pretrain

    made = [_made(folder) for folder in rounds]
    if made[-1]:
        return
    first = made.index(False)
    corpus = open_corpus(data, tokenizer=rounds[0] if first else None)
    for number, folder in enumerate(rounds[first:], first):
        pretrain(
            corpus,
            folder,
            replace(PRETRAIN, seed=number, threads=threads),
            knowledge=graph,
            start=rounds[number - 1] if number else None,
            name="medical-open-encoder",
            report=report,
        )


def _made(folder: Path) -> bool:
    """Whether a step's checkpoint is there and whole."""
    from xinglin.model.checkpoint import verify_checkpoint

    if not folder.is_dir():
        return False
    try:
        verify_checkpoint(folder)
    except CheckpointError:
        return False
    return True
