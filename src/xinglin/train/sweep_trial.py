"""One trial of a sweep: a normal training run, scored on the validation part; what failed is a row too."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, XinglinError
from xinglin.train.examples import Examples, department_examples, diagnosis_examples
from xinglin.train.options import FineTuneOptions, PretrainOptions
from xinglin.train.sweep_plan import Sweep, Trial

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial came to: metrics and a checkpoint, or an error."""

    trial: str
    seed: int
    metrics: dict[str, float]
    """On the validation part alone; empty where it failed."""
    n: int
    """Validation texts."""
    checkpoint: str
    """Id of the trial's checkpoint."""
    seconds: float
    error: str | None = None


def run_trial(trial: Trial) -> Result:
    """Train and score one trial, and leave its result in its folder; an interrupted one goes on where it stopped."""
    started = time.perf_counter()
    try:
        result = _encoder(trial) if trial.sweep.job == "encoder" else _classifier(trial)
        result = replace(result, seconds=round(time.perf_counter() - started, 2))
    except Exception as error:
        # A trial of settings that cannot be trained is a finding of the sweep, not its end.
        result = failed(trial, error, time.perf_counter() - started)
    keep(trial, result)
    return result


def failed(trial: Trial, error: BaseException, seconds: float = 0.0) -> Result:
    """Return the row of a trial that came to nothing. Only our own errors are quoted: they hold no patient's text."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, XinglinError) else type(error).__name__
    return Result(trial.id, trial.seed, {}, 0, "", round(seconds, 2), said)


def keep(trial: Trial, result: Result) -> None:
    """Write a trial's result, whole or not at all."""
    trial.folder.mkdir(parents=True, exist_ok=True)
    new = trial.folder / f".{RESULT}.{secrets.token_hex(4)}"
    new.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(new, trial.folder / RESULT)


def kept(trial: Trial) -> Result | None:
    """Return the result that a trial left; ``None`` where it left none that can be read."""
    try:
        found = Result(**json.loads((trial.folder / RESULT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.trial == trial.id and found.seed == trial.seed else None


def parts(sweep: Sweep) -> tuple[Examples, Examples]:
    """Return the training and the validation part of a classifier's sweep, over the same classes.

    Raises:
        InvalidInputError: a bad line, a class that training lacks, a text in both parts, or an empty part.
    """
    read = diagnosis_examples if sweep.job == "diagnosis" else department_examples
    whole = read(sweep.data)
    if sweep.validation is None:
        share = sweep.validation_share or 0.0
        held = [_place(text) < share for text in whole.texts]
        training, watched = _part(whole, held, False), _part(whole, held, True)
    else:
        training, told = whole, read(sweep.validation)
        place = {name: i for i, name in enumerate(training.names)}
        if strange := [name for name in told.names if name not in place]:
            raise InvalidInputError(
                f"{sweep.validation.name}: {len(strange)} classes that the training file lacks, {strange[0]!r} first"
            )
        watched = Examples(
            told.texts, [place[told.names[i]] for i in told.targets], training.names, told.sources
        )
        if both := set(training.texts) & set(watched.texts):
            raise InvalidInputError(
                f"{sweep.validation.name}: {len(both)} texts are in the training file too: take them out of one"
            )
    if not training.texts or not watched.texts:
        raise InvalidInputError(
            f"{sweep.data.name}: expected texts in both parts; got {len(training.texts)} and {len(watched.texts)}"
        )
    return training, watched


def _place(text: str) -> float:
    """A text's place in [0, 1): the same text always falls on the same side."""
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8], "big") / 2.0**64


def _part(whole: Examples, held: list[bool], which: bool) -> Examples:
    rows = [i for i, out in enumerate(held) if out is which]
    return Examples(
        [whole.texts[i] for i in rows], [whole.targets[i] for i in rows], whole.names, whole.sources
    )


def _classifier(trial: Trial) -> Result:
    from xinglin.model.shipped import shipped_folder
    from xinglin.train.finetune import fine_tune

    if not isinstance(trial.options, FineTuneOptions):
        raise InvalidInputError(f"{trial.sweep.job}: expected options of fine-tuning")
    training, watched = parts(trial.sweep)
    tuned = fine_tune(
        trial.sweep.start or shipped_folder(),
        training.texts,
        training.targets,
        training.names,
        trial.options,
        state=trial.folder / "state",
    )
    metrics = score(tuned.logits(watched.texts), np.array(watched.targets))
    made = tuned.save(
        trial.folder / "model",
        name=f"{trial.sweep.job}-{trial.id}",
        data=training.sources,
        metrics={"examples": len(training.texts), "validation_n": len(watched.texts), **metrics},
        limits="a trial of a sweep: its validation figures chose it, so they flatter it",
    )
    return Result(trial.id, trial.seed, metrics, len(watched.texts), made.id, 0.0)


def _encoder(trial: Trial) -> Result:
    from xinglin.model.knowledge import entity_graph
    from xinglin.train.corpus import read_own
    from xinglin.train.pretrain import VALIDATION, prepare_corpus, pretrain

    if not isinstance(trial.options, PretrainOptions):
        raise InvalidInputError("encoder: expected options of pre-training")
    passages, source = read_own(trial.sweep.data)
    graph = entity_graph()
    corpus = prepare_corpus(
        [passage.text for passage in passages],
        [source],
        vocabulary=trial.options.vocabulary,
        entities=[name for names in graph.names for name in names],
    )
    made = pretrain(
        corpus, trial.folder / "model", trial.options, knowledge=graph, name=f"encoder-{trial.id}"
    )
    metrics = {"validation_loss": float(made.manifest["metrics"]["validation_loss"])}
    return Result(trial.id, trial.seed, metrics, max(1, len(passages) // VALIDATION), made.id, 0.0)


def score(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy, macro F1 over the classes that occur, and log loss (nats), of logits (texts, classes)."""
    shifted = logits.astype(float) - logits.max(1, keepdims=True)
    chance = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    told = logits.argmax(1)
    f1 = []
    for label in np.unique(np.concatenate([truth, told])):
        both = int(((told == label) & (truth == label)).sum())
        f1.append(2.0 * both / (int((told == label).sum()) + int((truth == label).sum())))
    return {
        "accuracy": round(float((told == truth).mean()), 6),
        "macro_f1": round(float(np.mean(f1)), 6),
        "log_loss": round(float(-chance[np.arange(len(truth)), truth].mean()), 6),
    }
