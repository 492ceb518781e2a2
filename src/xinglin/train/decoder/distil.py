"""Distillation: a student learns a teacher's whole distribution over the next token, on answers that are given.

Kullback-Leibler divergence of the student from the teacher at every answer token, both at one temperature, times its square
(Hinton, Vinyals and Dean 2015, arXiv 1503.02531). Both must have the same tokenizer: a token is then the same word to both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax
from transformers import Trainer, TrainingArguments

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.model.decoder import Decoder, open_decoder
from xinglin.train.decoder.adapters import open_base
from xinglin.train.decoder.encode import NO_LOSS
from xinglin.train.decoder.options import StageOptions
from xinglin.train.decoder.run import Ran, arguments, run
from xinglin.train.decoder.supervised import Rows
from xinglin.train.loop import Report

try:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
except ImportError as error:
    raise MissingExtraError("xinglin train assistant --stage distil", "assistant") from error


def token_divergence(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the mean divergence over the tokens that carry loss, in nats, times the squared temperature.

    Args:
        student, teacher: logits, shape (rows, tokens, vocabulary).
        labels: shape (rows, tokens); -100 carries no loss. The logits at a token predict the next.
        temperature: above 0.
    """
    kept = labels[:, 1:] != NO_LOSS
    said = log_softmax(student[:, :-1][kept].float() / temperature, -1)
    wanted = log_softmax(teacher[:, :-1][kept].float() / temperature, -1)
    return kl_div(said, wanted, reduction="batchmean", log_target=True) * temperature**2


def require_same_tokenizer(student: Decoder, teacher: Decoder) -> None:
    """Check that a token is the same word to both.

    Raises:
        InvalidInputError: it is not.
    """
    ours, theirs = student.tokenizer.get_vocab(), teacher.tokenizer.get_vocab()
    if ours != theirs:
        raise InvalidInputError(
            f"distillation by token needs one tokenizer: {student.folder.name} has {len(ours)} tokens, "
            f"{teacher.folder.name} {len(theirs)}, and they differ: take a teacher of the same family"
        )


class _Distilling(Trainer):
    """``compute_loss`` is the place that ``transformers`` gives for another loss."""

    teacher: torch.nn.Module
    temperature: float

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        labels = inputs["labels"]
        seen = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        with torch.no_grad():
            wanted = self.teacher(**seen).logits
        outputs = model(**seen)
        # Padded vocabularies may differ in size beyond the tokens that both have.
        shared = min(outputs.logits.shape[-1], wanted.shape[-1])
        loss = token_divergence(outputs.logits[..., :shared], wanted[..., :shared], labels, self.temperature)
        # The Trainer divides no loss that takes the number of items; ours is a mean of its own batch.
        loss = loss / self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss


def distil(
    folder: Path,
    teacher: Path,
    rows: Rows,
    options: StageOptions,
    state: Path,
    digest: str,
    report: Report | None = None,
) -> Ran:
    """Train the model of ``folder`` towards ``teacher`` on rows.

    Raises:
        InvalidInputError: different tokenizers, or an adapter was asked for.
        As :func:`xinglin.train.decoder.run.run`.
    """
    if options.adapter != "none":
        raise InvalidInputError("distillation trains the whole student: --adapter none")
    master = open_decoder(teacher)
    require_same_tokenizer(open_decoder(folder), master)

    def make(chosen: StageOptions) -> _Distilling:
        opened = open_base(folder, "none")
        settings = TrainingArguments(**arguments(chosen, state), remove_unused_columns=False)
        trainer = _Distilling(
            model=opened.model,
            args=settings,
            train_dataset=rows.dataset,
            data_collator=DataCollatorForLanguageModeling(pad_token_id=opened.tokenizer.pad_token_id or 0),
            processing_class=opened.tokenizer,
        )
        trainer.teacher = master.model.to(trainer.args.device).requires_grad_(False)
        trainer.temperature = chosen.temperature
        return trainer

    return run(make, options, state, digest, report)
