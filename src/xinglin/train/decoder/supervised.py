"""Continued pre-training and supervised fine-tuning, through TRL's ``SFTTrainer`` with tokens and targets of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.train.decoder.adapters import adapter_config, open_base
from xinglin.train.decoder.encode import Example, answers_only, packed
from xinglin.train.decoder.options import StageOptions
from xinglin.train.decoder.run import Ran, arguments, run
from xinglin.train.loop import Report

try:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
except ImportError as error:
    raise MissingExtraError("xinglin train assistant", "assistant") from error


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokens and targets, and what became of what was given."""

    dataset: Dataset
    given: int
    cut: int = 0
    """Rows that had to be cut; each keeps its end."""
    left_out: int = 0
    """Of which not even the beginning of an answer fits."""

    def as_json(self) -> dict[str, int]:
        """Return the counts for a manifest."""
        return {"given": self.given, "rows": len(self.dataset), "cut": self.cut, "left_out": self.left_out}


def require_context(length: int, context: int) -> None:
    """Check that rows fit the model.

    Raises:
        InputTooLargeError: they do not.
    """
    if length > context:
        raise InputTooLargeError(
            f"length: the model sees {context} tokens, {length} were asked for: --length {context}"
        )


def packed_rows(documents: Iterable[str], tokenizer: Any, length: int) -> Rows:
    """Return documents as packed blocks of ``length`` tokens.

    Raises:
        InvalidInputError: not even one block.
    """
    given = 0

    def counted() -> Iterable[str]:
        nonlocal given
        for text in documents:
            given += 1
            yield text

    blocks = list(packed(counted(), tokenizer, length))
    if not blocks:
        raise InvalidInputError(
            f"{given} documents do not fill one block of {length} tokens: more text, or shorter"
        )
    return Rows(Dataset.from_dict({"input_ids": blocks, "labels": blocks}), given)


def answer_rows(dialogues: Sequence[Sequence[Mapping[str, str]]], tokenizer: Any, length: int) -> Rows:
    """Return dialogues as rows in which answers alone carry loss.

    Raises:
        InputTooLargeError: no answer of any dialogue fits.
    """
    rows: list[Example] = []
    left_out = 0
    for messages in dialogues:
        made = answers_only(messages, tokenizer, length)
        left_out += not made
        rows += made
    if not rows:
        raise InputTooLargeError(
            f"none of {len(dialogues)} dialogues leaves room for an answer in {length} tokens: raise --length"
        )
    columns = {"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]}
    return Rows(Dataset.from_dict(columns), len(dialogues), sum(row.cut for row in rows), left_out)


def supervise(
    folder: Path, rows: Rows, options: StageOptions, state: Path, digest: str, report: Report | None = None
) -> Ran:
    """Train a model folder on rows.

    Raises:
        As :func:`xinglin.train.decoder.run.run` and :func:`xinglin.train.decoder.adapters.open_base`.
    """

    def make(chosen: StageOptions) -> SFTTrainer:
        opened = open_base(folder, chosen.adapter)
        settings = SFTConfig(
            **arguments(chosen, state),
            max_length=chosen.length,
            dataset_kwargs={"skip_prepare_dataset": True},
            remove_unused_columns=False,
        )
        return SFTTrainer(
            model=opened.model,
            args=settings,
            train_dataset=rows.dataset,
            processing_class=opened.tokenizer,
            peft_config=adapter_config(chosen),
        )

    return run(make, options, state, digest, report)
