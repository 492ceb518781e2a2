"""Fine-tuning a classifier on an encoder: diagnosis over the graph's diseases, departments, or any labels.

The head is that of ``AutoModelForSequenceClassification``: the mean over tokens, one dense layer, a linear
classifier. Targets may be soft. Tokens are hidden at random (word dropout, Iyyer et al. 2015), since the sets are
small; the fresh head learns faster than the encoder.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xinglin.errors import InvalidInputError
from xinglin.model.checkpoint import seal_checkpoint, verify_checkpoint
from xinglin.model.quiet import quiet_transformers
from xinglin.model.saving import saving
from xinglin.model.sizes import MASK, PAD
from xinglin.model.tokenizer import load_tokenizer, save_tokenizer
from xinglin.train.card import Described, write_card
from xinglin.train.curves import write_curves
from xinglin.train.elastic import fixed_shards
from xinglin.train.loop import Plan, Report, Trained, train
from xinglin.train.options import FineTuneOptions
from xinglin.types import Checkpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import ModernBertForSequenceClassification

Floats = NDArray[np.float32]
Targets = Sequence[int] | NDArray[np.int64] | Floats
POOL = 32
"""Batches among which examples are sorted by length, to save padding."""


@dataclass(frozen=True)
class Classifier:
    """A fine-tuned classifier in memory."""

    model: ModernBertForSequenceClassification
    tokenizer: Tokenizer
    names: tuple[str, ...]
    options: FineTuneOptions
    trained: Trained
    parent: str
    """Id of the checkpoint it was fine-tuned from."""
    state: Path | None = None
    """Folder of the resumable state, kept until the classifier is saved: a worker may be lost before that."""

    def logits(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Return the logits of texts, shape (texts, classes); a text is cut to ``max_length`` tokens."""
        return self._over(
            texts, batch_size, lambda ids, mask: self.model(input_ids=ids, attention_mask=mask).logits
        )

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Return the pooled representation before the head, shape (texts, hidden)."""
        from xinglin.train.pretrain import mean_pooled

        return self._over(texts, batch_size, lambda ids, mask: mean_pooled(self.model.model, ids, mask))

    def _over(self, texts: Sequence[str], batch_size: int, run: Any) -> Floats:
        rows = encode(self.tokenizer, texts, self.options.max_length)
        order = np.argsort([len(row) for row in rows], kind="stable")
        found: list[Floats] = [np.empty(0, np.float32)] * len(rows)
        device = next(self.model.parameters()).device
        self.model.train(False)
        with torch.no_grad():
            for first in range(0, len(rows), batch_size):
                chosen = order[first : first + batch_size]
                ids = padded([rows[i] for i in chosen]).to(device)
                values = run(ids, ids != PAD).float().cpu().numpy()
                for place, value in zip(chosen, values, strict=True):
                    found[place] = value
        return np.array(found, np.float32).reshape(len(rows), -1)

    def save(
        self,
        folder: Path,
        *,
        name: str,
        data: Sequence[Described],
        metrics: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        half: bool = False,
        limits: str = "",
        notes: Sequence[str] = (),
    ) -> Checkpoint:
        """Save as a checkpoint that ``AutoModelForSequenceClassification.from_pretrained`` loads.

        Args:
            folder: where; an existing checkpoint there is replaced at once or not at all.
            name: name in the manifest.
            data: what it was trained on.
            metrics: figures for the manifest and the card.
            settings: more settings for the manifest, beside those of fine-tuning.
            half: store the weights in 16 bits (they are loaded as 32).
            limits: what it must not be used for.
            notes: Markdown for the card.
        """
        with saving(folder) as new:
            save_model(self.model, new, half)
            save_tokenizer(self.tokenizer, new)
            write_curves(new / "curves.png", self.trained.history, ("classification", "validation"), name)
            write_card(new, name, "classifier", data, metrics, notes)
            sealed = seal_checkpoint(
                new,
                name=name,
                kind="classifier",
                data=[source.as_json() for source in data],
                settings={**self.options.as_json(), **(settings or {})},
                seeds=[self.options.seed],
                metrics=dict(metrics),
                parents=(self.parent,),
                limits=limits,
            )
        if self.state is not None:
            shutil.rmtree(self.state, ignore_errors=True)
        return Checkpoint(sealed.id, str(folder), sealed.manifest)


def save_model(model: Any, folder: Path, half: bool) -> None:
    """Write ``config.json`` and ``model.safetensors``; in 16 bits the config still asks for 32 when loaded."""
    from safetensors.torch import save_file

    with quiet_transformers():
        model.save_pretrained(folder)
    if not half:
        return
    weights = {
        name: tensor.detach().cpu().to(torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"dtype": "float32"}
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


class ClassifyStep(nn.Module):
    """One step of fine-tuning as a module."""

    def __init__(self, model: nn.Module, smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.smoothing = smoothing

    def forward(self, input_ids: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """Return the weighted cross entropy against soft targets."""
        logits = self.model(input_ids=input_ids, attention_mask=input_ids != PAD).logits
        soft = (1.0 - self.smoothing) * targets + self.smoothing / targets.shape[1]
        each = -(soft * functional.log_softmax(logits.float(), dim=1)).sum(1)
        loss = (each * weights).sum() / weights.sum().clamp(min=1e-9)
        return {"loss": loss, "classification": loss, "tokens": torch.tensor(input_ids.numel())}


def fine_tune(
    checkpoint: Path,
    texts: Sequence[str],
    targets: Targets,
    names: Sequence[str],
    options: FineTuneOptions,
    *,
    weights: Floats | None = None,
    head: Floats | None = None,
    state: Path | None = None,
    prepare: Callable[[nn.Module], nn.Module] | None = None,
    report: Report | None = None,
) -> Classifier:
    """Fine-tune a checkpoint as a classifier.

    Args:
        checkpoint: folder of an encoder or a classifier.
        texts: examples.
        targets: class indices, shape (examples,), or soft targets, shape (examples, classes), rows summing to 1.
        names: names of the classes.
        options: settings.
        weights: weight of each example, > 0; ``None``: all 1.
        head: rows of a fresh head to start from, shape (classes, hidden); ``None``: random.
        state: folder of the resumable state, removed by :meth:`Classifier.save`; ``None``: it cannot be resumed.
        prepare: changes the opened model in place before it is trained (``train.quantize``).
        report: progress.

    Raises:
        InvalidInputError: no examples, fewer than two classes, targets that do not fit, or an empty text.
        CheckpointError: the checkpoint is damaged.
        TrainingError: the loss is not finite, or the disk is full.
    """
    _check(texts, targets, names, weights)
    options = replace(options, shards=fixed_shards(options.shards, state))
    shards = options.shards or 1
    parent = verify_checkpoint(checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    torch.manual_seed(options.seed)
    model = open_classifier(checkpoint, names, options, head)
    if prepare is not None:
        prepare(model)
    rows = encode(tokenizer, texts, options.max_length)
    steps = max(1, round(options.epochs * len(rows) / (options.batch_size * shards)))
    plan = Plan(
        steps=steps,
        learning_rate=options.learning_rate,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        seed=options.seed,
        save_every=options.save_every if state is not None else steps,
        digest=_digest(parent.id, texts, targets, names, options),
        threads=options.threads,
        shards=shards,
    )
    fast = options.head_rate if options.head == "fresh" else 1.0

    def rates(name: str) -> float:
        return fast if ".classifier." in name else 1.0

    module = ClassifyStep(model, options.label_smoothing)
    drawing = _Drawing(rows, targets, weights, len(names), options)
    if state is not None:
        trained = train(module, drawing.draw, plan, state, rates=rates, report=report)
    else:
        with tempfile.TemporaryDirectory() as folder:
            trained = train(module, drawing.draw, plan, Path(folder) / "run", rates=rates, report=report)
    return Classifier(model, tokenizer, tuple(names), options, trained, parent.id, state)


def encode(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> list[list[int]]:
    """Return token ids, [CLS] and [SEP] included, at most ``length``: the start of a longer text."""
    found = []
    for encoding in tokenizer.encode_batch([text[: 8 * length] for text in texts]):
        ids = encoding.ids
        found.append(ids if len(ids) <= length else [*ids[: length - 1], ids[-1]])
    return found


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return rows as one tensor, padded to the longest."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


class _Drawing:
    """Batches of examples by step."""

    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        targets: Targets,
        weights: Floats | None,
        classes: int,
        options: FineTuneOptions,
    ) -> None:
        self._rows, self._classes, self._options = rows, classes, options
        self._targets = np.asarray(targets)
        self._weights = np.ones(len(rows), np.float32) if weights is None else np.asarray(weights, np.float32)
        self._order: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def draw(self, step: int, shard: int, shards: int) -> Mapping[str, Tensor]:
        """Return one shard of the batch of a step."""
        index = step * shards + shard
        count = max(1, -(-len(self._rows) // self._options.batch_size))
        epoch, place = divmod(index, count)
        if self._order[0] != epoch:
            self._order = (epoch, self._batches(epoch))
        chosen = self._order[1][place]
        generator = np.random.default_rng((self._options.seed, step, shard, 3))
        ids = padded([self._rows[i] for i in chosen])
        if self._options.token_dropout:
            hidden = torch.from_numpy(generator.random(ids.shape) < self._options.token_dropout)
            ids = torch.where(hidden & (ids > MASK), MASK, ids)
        picked = self._targets[chosen]
        soft = (
            np.eye(self._classes, dtype=np.float32)[picked] if picked.ndim == 1 else picked.astype(np.float32)
        )
        return {
            "input_ids": ids,
            "targets": torch.from_numpy(soft),
            "weights": torch.from_numpy(self._weights[chosen]),
        }

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        generator = np.random.default_rng((self._options.seed, epoch, 4))
        order = generator.permutation(len(self._rows))
        size, batches = self._options.batch_size, []
        for first in range(0, len(order), size * POOL):
            pool = order[first : first + size * POOL]
            pool = pool[np.argsort([len(self._rows[i]) for i in pool], kind="stable")]
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [batches[i] for i in generator.permutation(len(batches))]


def open_classifier(
    checkpoint: Path, names: Sequence[str], options: FineTuneOptions, head: Floats | None = None
) -> ModernBertForSequenceClassification:
    """Return a classifier over ``names`` on a checkpoint's encoder; a fresh head is drawn from torch's generator.

    Raises:
        InvalidInputError: ``head`` is not of the classifier's shape.
    """
    from transformers import ModernBertForSequenceClassification

    with quiet_transformers():
        model = ModernBertForSequenceClassification.from_pretrained(
            checkpoint,
            dtype=torch.float32,
            id2label=dict(enumerate(names)),
            label2id={name: i for i, name in enumerate(names)},
            ignore_mismatched_sizes=options.head == "fresh",
        )
    if options.head == "fresh":
        with torch.no_grad():
            model.classifier.weight.normal_(0.0, 0.02)
            model.classifier.bias.zero_()
            if head is not None:
                if head.shape != tuple(model.classifier.weight.shape):
                    raise InvalidInputError(
                        f"head: expected shape {tuple(model.classifier.weight.shape)}, got {head.shape}"
                    )
                model.classifier.weight.copy_(torch.from_numpy(np.ascontiguousarray(head, np.float32)))
    return model


def _check(texts: Sequence[str], targets: Targets, names: Sequence[str], weights: Floats | None) -> None:
    array = np.asarray(targets)
    if not len(texts) or len(texts) != len(array):
        raise InvalidInputError(
            f"expected as many texts as targets, at least one; got {len(texts)} and {len(array)}"
        )
    if len(names) < 2 or len(set(names)) != len(names):
        raise InvalidInputError(f"expected at least two classes with different names; got {len(names)}")
    if array.ndim == 1 and not (array.min() >= 0 and array.max() < len(names)):
        raise InvalidInputError(
            f"targets: expected indices below {len(names)}, got {array.min()} to {array.max()}"
        )
    if array.ndim == 2 and array.shape[1] != len(names):
        raise InvalidInputError(f"targets: expected {len(names)} columns, got {array.shape[1]}")
    if weights is not None and (len(weights) != len(texts) or not (np.asarray(weights) > 0).all()):
        raise InvalidInputError("weights: expected one number above 0 for each text")
    for place, text in enumerate(texts):
        if not text.strip():
            raise InvalidInputError(f"example {place}: expected a text; got an empty one")


def _digest(
    parent: str, texts: Sequence[str], targets: Targets, names: Sequence[str], options: FineTuneOptions
) -> str:
    settings = {
        key: value for key, value in options.as_json().items() if key not in ("threads", "save_every")
    }
    body = sha256(json.dumps([parent, settings, list(names)], ensure_ascii=False).encode())
    for text in texts:
        body.update(text.encode("utf-8", "replace") + b"\0")
    body.update(np.ascontiguousarray(targets).tobytes())
    return body.hexdigest()
