"""Pre-training of the text encoder: masked language modelling, and the knowledge graph beside it.

One step takes the language model's loss on a batch of text and, every ``knowledge_every`` steps, the graph's loss
on a batch of names (``objectives``), both through the same Transformer, as KEPLER does (Wang et al. 2021, arXiv
1911.06136). What is saved is a plain ``ModernBertForMaskedLM``; the graph's own parameters stay outside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from xinglin.errors import CheckpointError
from xinglin.model.checkpoint import seal_checkpoint, verify_checkpoint
from xinglin.model.quiet import quiet_transformers
from xinglin.model.saving import saving
from xinglin.model.sizes import PAD, build_config, shape
from xinglin.model.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer
from xinglin.train.card import write_card
from xinglin.train.corpus import Source
from xinglin.train.curves import write_curves
from xinglin.train.elastic import fixed_shards
from xinglin.train.loop import Plan, Report, Trained, train
from xinglin.train.masking import EntityFinder, Stream, encode_stream, masked_batch
from xinglin.train.objectives import Objective
from xinglin.train.objectives import objective as build_objective
from xinglin.train.options import PretrainOptions
from xinglin.types import Checkpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import ModernBertForMaskedLM

    from xinglin.model.knowledge import EntityGraph

VALIDATION = 100
"""One document in so many is kept to watch the language model's loss."""
VALIDATION_WINDOWS = 128
KNOWLEDGE = "knowledge_"
"""Prefix of the knowledge batch among the arguments of a step."""


@dataclass(frozen=True)
class Corpus:
    """Text ready to be trained on; made once, used by many runs."""

    tokenizer: Tokenizer
    train: Stream
    validation: Stream
    sources: tuple[Source, ...]
    digest: str


def prepare_corpus(
    texts: Sequence[str],
    sources: Iterable[Source],
    *,
    tokenizer: Tokenizer | None = None,
    vocabulary: int = 16_000,
    entities: Iterable[str] = (),
) -> Corpus:
    """Tokenise a corpus, with a tokenizer learnt on it unless one is given.

    Args:
        texts: documents.
        sources: the files they come from, for the manifest.
        tokenizer: an earlier one; ``None`` learns one.
        vocabulary: tokens to learn.
        entities: names that are masked whole.

    Raises:
        InvalidInputError: no text.
    """
    tokenizer = tokenizer or train_tokenizer(texts, vocabulary)
    finder = EntityFinder(entities)
    digests = [sha256(text.encode()).digest() for text in texts]
    held = [int.from_bytes(digest[:4], "big") % VALIDATION == 0 for digest in digests]
    kept = [text for text, out in zip(texts, held, strict=True) if not out]
    watched = [text for text, out in zip(texts, held, strict=True) if out]
    return Corpus(
        tokenizer,
        encode_stream(kept, tokenizer, finder),
        encode_stream(watched or kept[:1], tokenizer, finder),
        tuple(sources),
        sha256(b"".join(digests) + tokenizer.to_str().encode()).hexdigest(),
    )


class PretrainStep(nn.Module):
    """One step of pre-training as a module, so that distributed training wraps all of it."""

    def __init__(self, model: ModernBertForMaskedLM, objective: Objective | None, weight: float) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.weight = weight

    def forward(self, input_ids: Tensor, labels: Tensor, **knowledge: Tensor) -> dict[str, Tensor]:
        """Return the losses: ``language``, ``knowledge`` where there is a batch of it, and their weighted ``loss``."""
        padded = bool((input_ids == PAD).any())
        output = self.model(
            input_ids=input_ids, attention_mask=input_ids != PAD if padded else None, labels=labels
        )
        tokens = torch.tensor(input_ids.numel())
        losses = {"loss": output.loss, "language": output.loss}
        if self.objective is not None and knowledge:
            batch = {name.removeprefix(KNOWLEDGE): tensor for name, tensor in knowledge.items()}
            graph_loss = self.objective.loss(self.encode, batch)
            losses |= {"knowledge": graph_loss, "loss": output.loss + self.weight * graph_loss}
            tokens += sum(value.numel() for name, value in batch.items() if name.endswith("ids"))
        return losses | {"tokens": tokens}

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the mean of the last hidden states, shape (rows, hidden)."""
        return mean_pooled(self.model.model, input_ids, attention_mask)


def mean_pooled(encoder: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean of an encoder's last hidden states over real tokens, shape (rows, hidden)."""
    hidden: Tensor = encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)


def pretrain(
    corpus: Corpus,
    out: Path,
    options: PretrainOptions,
    *,
    knowledge: EntityGraph | None = None,
    start: Path | None = None,
    name: str = "encoder",
    report: Report | None = None,
) -> Checkpoint:
    """Pre-train an encoder and save it as a checkpoint that plain ``transformers`` loads.

    Args:
        corpus: tokenised text.
        out: the checkpoint's folder; the resumable state lies beside it until the run is finished.
        options: settings.
        knowledge: the graph to encode; ``None``: language modelling alone.
        start: an earlier encoder to go on from; its tokenizer must be the corpus's.
        name: name in the manifest.
        report: progress.

    Raises:
        TrainingError: the loss is not finite, the disk is full, or the folder holds another run.
        CheckpointError: ``start`` is damaged or has another tokenizer.
        KeyboardInterrupt: Ctrl-C; the same call resumes.

    Of several processes only the main one writes; the others get a checkpoint with an empty id.
    """
    parents: tuple[str, ...] = ()
    state = out.with_name(f".{out.name}.run")
    options = replace(options, shards=fixed_shards(options.shards, state))
    torch.manual_seed(options.seed)
    model = _model(corpus, options, start)
    if start is not None:
        parents = (verify_checkpoint(start).id,)
    objective = _objective(knowledge, corpus.tokenizer, model.config.hidden_size, options)
    module = PretrainStep(model, objective, options.knowledge_weight)
    plan = Plan(
        steps=options.steps,
        learning_rate=options.learning_rate or shape(options.size).learning_rate,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        seed=options.seed,
        save_every=options.save_every,
        digest=_digest(options, corpus, knowledge, parents),
        threads=options.threads,
        shards=options.shards or 1,
    )
    trained = train(
        module,
        _drawing(corpus.train, objective, options),
        plan,
        state,
        report=report,
        validate=lambda step: {"validation": validation_loss(step, corpus.validation, options.length)},
    )
    if not trained.main:
        return Checkpoint("", str(out))
    checkpoint = _finish(out, name, model, objective, corpus, options, trained, knowledge, parents)
    shutil.rmtree(state, ignore_errors=True)
    return checkpoint


def validation_loss(module: nn.Module, stream: Stream, length: int) -> float:
    """Return the masked-language loss (nats a token) on fixed windows and fixed masks."""
    step: Any = module
    windows = range(min(stream.windows(length), VALIDATION_WINDOWS))
    generator = np.random.default_rng(0)
    total, count = 0.0, 0
    device = next(module.parameters()).device
    with torch.no_grad():
        for first in range(0, len(windows), 32):
            inputs, labels = masked_batch(stream, windows[first : first + 32], length, generator)
            ids, asked = torch.from_numpy(inputs).to(device), torch.from_numpy(labels).to(device)
            many = int((asked >= 0).sum())
            total += float(step.model(input_ids=ids, attention_mask=ids != PAD, labels=asked).loss) * many
            count += many
    return total / max(count, 1)


def _model(corpus: Corpus, options: PretrainOptions, start: Path | None) -> ModernBertForMaskedLM:
    from transformers import ModernBertForMaskedLM

    if start is None:
        return ModernBertForMaskedLM(build_config(options.size, corpus.tokenizer.get_vocab_size()))
    if load_tokenizer(start).to_str() != corpus.tokenizer.to_str():
        raise CheckpointError(
            f"{start}: its tokenizer is not the corpus's; prepare the corpus with it to go on"
        )
    with quiet_transformers():
        return ModernBertForMaskedLM.from_pretrained(start, dtype=torch.float32)


def _objective(
    knowledge: EntityGraph | None, tokenizer: Tokenizer, hidden: int, options: PretrainOptions
) -> Objective | None:
    if knowledge is None:
        return None
    return build_objective(options.objective, knowledge, tokenizer, hidden)


def _drawing(
    stream: Stream, objective: Objective | None, options: PretrainOptions
) -> Callable[[int, int, int], Mapping[str, Tensor]]:
    count = stream.windows(options.length)
    orders: dict[int, np.ndarray[Any, Any]] = {}

    def window(index: int) -> int:
        epoch, place = divmod(index, count)
        if epoch not in orders:
            orders.clear()
            orders[epoch] = np.random.default_rng((options.seed, epoch, 1)).permutation(count)
        return int(orders[epoch][place])

    def draw(step: int, shard: int, shards: int) -> Mapping[str, Tensor]:
        first = (step * shards + shard) * options.batch_size
        windows = [window(first + i) for i in range(options.batch_size)]
        generator = np.random.default_rng((options.seed, step, shard, 2))
        inputs, labels = masked_batch(stream, windows, options.length, generator)
        batch = {"input_ids": torch.from_numpy(inputs), "labels": torch.from_numpy(labels)}
        if objective is not None and step % options.knowledge_every == 0:
            batch |= {KNOWLEDGE + key: value for key, value in objective.batch(generator).items()}
        return batch

    return draw


def _digest(
    options: PretrainOptions, corpus: Corpus, knowledge: EntityGraph | None, parents: tuple[str, ...]
) -> str:
    settings = {
        key: value for key, value in options.as_json().items() if key not in ("threads", "save_every")
    }
    return sha256(
        json.dumps([settings, corpus.digest, knowledge.digest if knowledge else None, parents]).encode()
    ).hexdigest()


def _finish(
    out: Path,
    name: str,
    model: ModernBertForMaskedLM,
    objective: Objective | None,
    corpus: Corpus,
    options: PretrainOptions,
    trained: Trained,
    knowledge: EntityGraph | None,
    parents: tuple[str, ...],
) -> Checkpoint:
    last = trained.history[-1]
    metrics = {
        "language_loss": round(last["language"], 4),
        "validation_loss": round(last["validation"], 4),
        "steps": options.steps,
        "tokens": trained.tokens,
        "seconds": round(trained.seconds, 1),
        "processes": trained.processes,
        "shards": options.shards,
    }
    if knowledge is not None:
        metrics["triples"] = len(knowledge.triples)
    with saving(out) as folder:
        with quiet_transformers():
            model.save_pretrained(folder)
        save_tokenizer(corpus.tokenizer, folder)
        if objective is not None and (own := objective.state_dict()):
            save_file(own, str(folder / "knowledge.safetensors"))
        write_curves(folder / "curves.png", trained.history, ("language", "knowledge", "validation"), name)
        write_card(folder, name, "encoder", corpus.sources, metrics)
        checkpoint = seal_checkpoint(
            folder,
            name=name,
            kind="encoder",
            data=[source.as_json() for source in corpus.sources],
            settings=options.as_json(),
            seeds=[options.seed],
            metrics=metrics,
            parents=parents,
        )
    return Checkpoint(checkpoint.id, str(out), checkpoint.manifest)
