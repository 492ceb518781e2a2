"""The text encoder as evidence: fine-tuned on the learnt cases, and frozen with a linear model on top.

Fine-tuned: one model a fold; each case is scored by the model without its fold, the cases to score by the mean of
all of them, an ensemble that costs nothing more than the folds. How long to train is chosen on the first fold
alone. Frozen: the mean-pooled representation of the checkpoint, and its own diagnosis head where it has one.
Every fit is kept by the digest of what decides it (:mod:`.text_cache`), so an interrupted run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from xinglin import __version__
from xinglin.apps.diagnosis.evaluate.text_cache import FORMAT, Shelf, digest_of
from xinglin.apps.diagnosis.evaluate.text_floor import Evidence, linear_scores
from xinglin.apps.diagnosis.evaluate.text_stack import Array, Ids, tempered
from xinglin.errors import InvalidInputError, MissingDataError, MissingExtraError, UnknownNameError

Progress = Callable[[str, float], None]
"""(what is done now, share of it that is done)."""
NEEDED = ("sklearn", "torch", "transformers", "accelerate")
FROZEN_C = (0.003, 0.03, 0.3)
"""Inverse penalties of the linear model on frozen features, chosen by the likelihood of the first fold."""
FROZEN_LENGTH = 256
SMALL_SET = 1500
"""Cases below which there are more folds and more passes."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How the encoder is fine-tuned on a set. The defaults fit minutes on two cores."""

    folds: int | None = None
    """Folds; empty: 4, or 5 for a small set."""
    epochs: tuple[float, ...] | None = None
    """Passes over the cases among which the first fold chooses; empty: 2 or 4, or 4 or 8 for a small set."""
    batch_size: int = 32
    """Cases a step."""
    learning_rate: float = 3e-4
    """Peak learning rate of the encoder."""
    max_length: int = 128
    """Tokens a text is cut to."""
    threads: int | None = None
    """CPU threads; empty: as torch chooses."""

    def __post_init__(self) -> None:
        if self.folds is not None and self.folds < 2:
            raise InvalidInputError(f"folds: expected at least 2, got {self.folds}")
        if self.epochs is not None and (not self.epochs or min(self.epochs) <= 0):
            raise InvalidInputError(f"epochs: expected passes above 0, got {self.epochs}")

    def fold_count(self, cases: int) -> int:
        """Return the number of folds for so many cases."""
        return self.folds or (5 if cases < SMALL_SET else 4)

    def choices(self, cases: int) -> tuple[float, ...]:
        """Return the passes to choose from for so many cases."""
        return self.epochs or ((4.0, 8.0) if cases < SMALL_SET else (2.0, 4.0))


@dataclass(frozen=True, slots=True)
class Base:
    """The checkpoint that is fine-tuned."""

    folder: Path
    id: str
    name: str
    read: tuple[str, ...]
    """Names of the sets that its training read, by its manifest."""

    def knows(self, sources: Sequence[str]) -> bool:
        """Return whether one of these sets is among them."""
        return any(source in name for source in sources for name in self.read)


def open_base(folder: Path | None, door: str) -> Base:
    """Return a verified checkpoint: the folder given, or the one that the package ships.

    Raises:
        MissingExtraError: a library for fine-tuning is not installed.
        MissingDataError: no folder is given and the package ships none.
        CheckpointError: the checkpoint is damaged.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in NEEDED):
        raise MissingExtraError(door, "train")
    from xinglin.model.checkpoint import verify_checkpoint

    if folder is None:
        from xinglin.model.shipped import shipped_folder

        try:
            folder = shipped_folder()
        except (MissingDataError, UnknownNameError) as error:
            raise MissingDataError(
                f"{door} fine-tunes a text encoder, and this package ships none ({error}): give a checkpoint folder "
                "(--model DIR)"
            ) from None
    checkpoint = verify_checkpoint(folder)
    read = tuple(str(item.get("name")) for item in checkpoint.manifest["data"])
    return Base(folder, checkpoint.id, str(checkpoint.manifest["name"]), read)


class EncoderEvidence:
    """Both kinds of evidence over one list of texts, kept on a shelf."""

    def __init__(
        self,
        base: Base,
        texts: Sequence[str],
        y: Ids,
        names: Sequence[str],
        *,
        settings: TextSettings,
        seed: int,
        source: Mapping[str, str],
        shelf: Shelf,
        report: Progress | None = None,
    ) -> None:
        """Keep the cases.

        Args:
            base: the checkpoint.
            texts: the learnt cases, then the ones to score.
            y: label index of the learnt cases.
            names: the labels.
            settings: of fine-tuning.
            seed: of fine-tuning.
            source: what the texts are, for the key: digests of the files, the mode.
            shelf: where results are kept.
            report: progress.
        """
        self.base, self.texts, self.y, self.names = base, list(texts), y, tuple(names)
        self.settings, self.seed, self.shelf = settings, seed, shelf
        self.source = dict(source) | {
            "checkpoint": base.id,
            "version": __version__,
            "format": str(FORMAT),
            "labels": digest_of(names=list(names), y=y.tolist()),
        }
        self.report = report or (lambda what, share: None)

    def words(self) -> list[list[str]]:
        """Return every text as the words that the checkpoint's tokenizer cuts it into."""
        from xinglin.model.tokenizer import load_tokenizer

        tokenizer = load_tokenizer(self.base.folder)
        return [encoding.tokens[1:-1] for encoding in tokenizer.encode_batch(self.texts)]

    def fine_tuned(self, folds: Sequence[tuple[Ids, Ids]]) -> tuple[Evidence, float]:
        """Return the evidence of the fine-tuned models, and the passes that were chosen."""
        choices = self.settings.choices(len(self.y))
        rest, held = folds[0]
        runs = [self._run(0, len(folds), rest, held, passes) for passes in choices]
        losses = [_loss(run["inner"], self.y[held]) for run in runs]
        best = int(np.argmin(losses))
        outer = [np.asarray(log_softmax(runs[best]["outer"], axis=1), float)]
        inner = np.empty((len(self.y), len(self.names)))
        inner[held] = runs[best]["inner"]
        for number, (rest, held) in enumerate(folds[1:], 1):
            run = self._run(number, len(folds), rest, held, choices[best])
            inner[held] = run["inner"]
            outer.append(log_softmax(np.asarray(run["outer"], float), axis=1))
        return Evidence(log_softmax(inner, axis=1), np.mean(outer, axis=0)), choices[best]

    def _run(
        self, number: int, folds: int, rest: Ids, held: Ids, epochs: float
    ) -> dict[str, NDArray[np.float32]]:
        """Fine-tune without one fold; score it and the cases to score."""
        from xinglin.train.options import FineTuneOptions

        options = FineTuneOptions(
            epochs=epochs,
            batch_size=self.settings.batch_size,
            learning_rate=self.settings.learning_rate,
            max_length=self.settings.max_length,
            seed=self.seed * 1000 + number,
            threads=self.settings.threads,
        )
        settled = {name: value for name, value in asdict(options).items() if name != "threads"}
        key = digest_of(**self.source, options=settled, rest=rest.tolist(), kind="fine-tuned")
        known = self.shelf.get(key)
        if known is not None:
            return known
        from xinglin.train.finetune import fine_tune

        what = f"fine-tuning, fold {number + 1} of {folds}, {epochs:g} passes"
        classifier = fine_tune(
            self.base.folder,
            [self.texts[i] for i in rest],
            self.y[rest],
            self.names,
            options,
            report=lambda tick: self.report(what, tick.step / tick.steps),
        )
        found = {
            "inner": classifier.logits([self.texts[i] for i in held]),
            "outer": classifier.logits(self.texts[len(self.y) :]),
        }
        self.shelf.put(key, found)
        return found

    def frozen(self, folds: Sequence[tuple[Ids, Ids]]) -> tuple[Evidence, float]:
        """Return the evidence of a linear model on frozen features, and the inverse penalty that was chosen."""
        key = digest_of(**self.source, length=FROZEN_LENGTH, kind="frozen")
        known = self.shelf.get(key)
        if known is None:
            self.report("reading with the frozen encoder", 0.0)
            known = {"features": frozen_features(self.base.folder, self.texts, self.settings.threads)}
            self.shelf.put(key, known)
        features = np.asarray(known["features"], float)
        learnt, labels = features[: len(self.y)], len(self.names)

        def scored(rest: Ids, asked: Array, c: float) -> Array:
            return linear_scores(learnt[rest], self.y[rest], asked, labels, c)

        rest, held = folds[0]
        tried = [scored(rest, learnt[held], c) for c in FROZEN_C]
        best = int(np.argmin([_loss(scores, self.y[held]) for scores in tried]))
        inner = np.empty((len(self.y), labels))
        inner[held] = tried[best]
        for rest, held in folds[1:]:
            inner[held] = scored(rest, learnt[held], FROZEN_C[best])
        outer = scored(np.arange(len(self.y)), features[len(self.y) :], FROZEN_C[best])
        return Evidence(inner, outer), FROZEN_C[best]


def frozen_features(folder: Path, texts: Sequence[str], threads: int | None = None) -> NDArray[np.float32]:
    """Return the mean-pooled representation of each text, and the checkpoint's own logits if it is a classifier."""
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification
    from transformers.utils import logging as library_logging

    from xinglin.model.checkpoint import verify_checkpoint
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.finetune import encode, padded
    from xinglin.train.pretrain import mean_pooled

    if threads is not None:
        torch.set_num_threads(threads)
    classifies = verify_checkpoint(folder).manifest["kind"] == "classifier"
    kind: Any = AutoModelForSequenceClassification if classifies else AutoModel
    logging: Any = library_logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # of an encoder's head for masked words nothing is wanted here
    logging.disable_progress_bar()
    try:
        model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
    rows = encode(load_tokenizer(folder), texts, FROZEN_LENGTH)
    order = np.argsort([len(row) for row in rows], kind="stable")
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(rows)
    with torch.no_grad():
        for first in range(0, len(rows), 64):
            chosen = order[first : first + 64]
            ids = padded([rows[i] for i in chosen])
            mask = ids != 0
            parts = [mean_pooled(model.model if classifies else model, ids, mask)]
            if classifies:
                logits = model(input_ids=ids, attention_mask=mask).logits
                parts.append(logits - logits.mean(dim=1, keepdim=True))
            values = torch.cat(parts, dim=1).float().numpy()
            for place, value in zip(chosen, values, strict=True):
                found[place] = value
    return np.array(found, np.float32).reshape(len(rows), -1)


def _loss(scores: NDArray[Any], y: Ids) -> float:
    """Negative log likelihood at the best temperature."""
    values = np.asarray(scores, float)
    logs = log_softmax(values / tempered(values, y), axis=1)
    return -float(logs[np.arange(len(y)), y].mean())
