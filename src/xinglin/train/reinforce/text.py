"""Group relative policy optimisation of a language model through TRL, towards rewards that a program verifies.

GRPO: Shao et al. 2024, arXiv 2402.03300; TRL's default loss (DAPO, Yu et al. 2025, arXiv 2503.14476) with TRL's length cap.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.model.decoder import prompt_text
from xinglin.train.decoder.adapters import adapter_config, open_base
from xinglin.train.decoder.corpus import exam_items, exam_messages, refusals
from xinglin.train.decoder.options import StageOptions
from xinglin.train.decoder.run import Ran, arguments, run
from xinglin.train.loop import Report
from xinglin.train.prefer.pairs import graph_pairs
from xinglin.train.reinforce.text_rewards import ReadAnswer, reward

try:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer
except ImportError as error:
    raise MissingExtraError("xinglin train assistant --stage reinforce", "assistant") from error


def tasks(data: Path, *, seed: int = 0, exams: int = 1_000, citations: int = 300) -> Iterator[dict[str, Any]]:
    """Yield rows with a verifiable reward: exam (part ``train``), citations of the graph, unsafe questions."""
    for place, item in enumerate(exam_items(data)):
        if place >= exams:
            break
        asked, answer = exam_messages(item)
        yield {"prompt": [asked], "kind": "exam", "options": list(item.options), "answer": answer["content"]}
    for pair in graph_pairs(citations, random.Random(seed)):
        about = pair.chosen.split("[[", 1)[1].split("|", 1)[0]
        yield {"prompt": list(pair.prompt), "kind": "citation", "about": about}
    for asked_text, _ in refusals(data):
        yield {"prompt": [{"role": "user", "content": asked_text}], "kind": "refusal"}


def reinforce(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    read: ReadAnswer,
    options: StageOptions,
    state: Path,
    digest: str,
    report: Report | None = None,
) -> Ran:
    """Train a model folder; ``history`` has TRL's ``reward`` of every step.

    Args:
        folder: the model.
        rows: ``prompt`` (messages), ``kind`` and what its reward needs (:func:`.text_rewards.reward`).
        read: strict reader of exam answers.
        options: ``generations`` answers of at most ``answer`` tokens a prompt; ``batch_size`` must be a multiple of them.
        state, digest, report: as in :func:`xinglin.train.decoder.run.run`.

    Raises:
        InvalidInputError: a batch that holds no whole group.
        InputTooLargeError: no prompt leaves room for an answer.
        As :func:`xinglin.train.decoder.run.run`.
    """
    if options.batch_size * options.accumulate % options.generations:
        raise InvalidInputError(
            f"batch_size x accumulate: expected a multiple of {options.generations} generations, "
            f"got {options.batch_size * options.accumulate}"
        )

    def verified(prompts: Any, completions: Sequence[str], row: Sequence[int], **_: Any) -> list[float]:
        return [reward(text, fitting[at], read) for text, at in zip(completions, row, strict=True)]

    fitting: list[Mapping[str, Any]] = []

    def make(chosen: StageOptions) -> GRPOTrainer:
        opened = open_base(folder, chosen.adapter)
        room = min(chosen.length, opened.max_context) - chosen.answer
        texts = []
        fitting.clear()
        for given in rows:
            text = prompt_text(opened.tokenizer, given["prompt"])
            if len(opened.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) <= room:
                texts.append(text)
                fitting.append(given)
        if not texts:
            raise InputTooLargeError(
                f"none of {len(rows)} prompts leaves room for {chosen.answer} tokens in {chosen.length}: raise --length"
            )
        settings = GRPOConfig(
            **arguments(chosen, state),
            num_generations=chosen.generations,
            generation_batch_size=chosen.batch_size * chosen.accumulate,
            max_completion_length=chosen.answer,
            temperature=chosen.temperature,
            beta=chosen.beta,
        )
        # Prompts are texts with their template applied: TRL then adds nothing of its own.
        dataset = Dataset.from_dict({"prompt": texts, "row": list(range(len(texts)))})
        return GRPOTrainer(
            model=opened.model,
            reward_funcs=verified,
            args=settings,
            train_dataset=dataset,
            processing_class=opened.tokenizer,
            peft_config=adapter_config(chosen),
        )

    return run(make, replace(options), state, digest, report)
