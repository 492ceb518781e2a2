"""What is measured of a language model between its stages: held-out text, the likelier letter, what it writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from xinglin.model.decoder import Decoder, prompt_text
from xinglin.train.decoder.corpus import Message
from xinglin.train.decoder.encode import end_of

BATCH = 16
T = TypeVar("T")


def text_nats(decoder: Decoder, texts: Sequence[str], length: int) -> NDArray[np.float64]:
    """Return (nats, characters) of every text, shape (texts, 2).

    Every text is read in windows of ``length`` tokens, each from its own beginning, so a window's first token is predicted
    from the end token alone, as after another document in a packed block; the end of the text is counted too.
    """
    end = end_of(decoder.tokenizer)
    found = np.zeros((len(texts), 2))
    windows: list[tuple[int, list[int]]] = []
    for place, text in enumerate(texts):
        ids = [*decoder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], end]
        found[place, 1] = len(text)
        step = length - 1
        windows += [(place, [end, *ids[at : at + step]]) for at in range(0, len(ids), step)]
    windows.sort(key=lambda one: len(one[1]))
    for batch in _batches(windows):
        logits, ids, mask = _forward(decoder, [ids for _, ids in batch])
        nats = torch.nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2).float(), ids[:, 1:], reduction="none"
        )
        summed = (nats * mask[:, 1:]).sum(1).cpu().numpy()
        for (place, _), value in zip(batch, summed, strict=True):
            found[place, 0] += float(value)
    return found


def likelier_letters(
    decoder: Decoder, questions: Sequence[tuple[Sequence[Message], str]], length: int
) -> list[str | None]:
    """Return, for every question, which of its letters the model would rather write first.

    Args:
        decoder: the model.
        questions: (messages that end with the user, letters to choose from).
        length: tokens; a question that is longer gets ``None``.
    """
    chosen: list[str | None] = [None] * len(questions)
    rows = []
    for place, (messages, letters) in enumerate(questions):
        ids = _prompt(decoder, messages)
        if len(ids) < length:
            rows.append((place, ids, letters))
    rows.sort(key=lambda row: len(row[1]))
    for batch in _batches(rows):
        logits, _, mask = _forward(decoder, [ids for _, ids, _ in batch])
        last = mask.sum(1) - 1
        for row, (place, _, letters) in enumerate(batch):
            tokens = [decoder.tokenizer(one, add_special_tokens=False)["input_ids"][0] for one in letters]
            chosen[place] = letters[int(logits[row, last[row], tokens].argmax())]
    return chosen


def written(
    decoder: Decoder, prompts: Sequence[Sequence[Message]], length: int, answer: int
) -> list[str | None]:
    """Return what the model writes greedily to every prompt, at most ``answer`` tokens; ``None``: the prompt is too long."""
    said: list[str | None] = [None] * len(prompts)
    rows = [(place, _prompt(decoder, messages)) for place, messages in enumerate(prompts)]
    rows = sorted((row for row in rows if len(row[1]) + answer <= length), key=lambda row: len(row[1]))
    pad = decoder.tokenizer.pad_token_id if decoder.tokenizer.pad_token_id is not None else 0
    for batch in _batches(rows):
        longest = max(len(ids) for _, ids in batch)
        ids = torch.full((len(batch), longest), pad)
        mask = torch.zeros_like(ids)
        for row, (_, one) in enumerate(batch):
            ids[row, longest - len(one) :] = torch.tensor(one)
            mask[row, longest - len(one) :] = 1
        model: Any = decoder.model
        with torch.inference_mode():
            made = model.generate(
                input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=answer,
                do_sample=False, pad_token_id=pad,
            )  # fmt: skip
        for (place, _), tokens in zip(batch, made[:, longest:], strict=True):
            said[place] = decoder.tokenizer.decode(tokens, skip_special_tokens=True)
    return said


def _prompt(decoder: Decoder, messages: Sequence[Message]) -> list[int]:
    text = prompt_text(decoder.tokenizer, messages)
    ids: list[int] = decoder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    yield from (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))


def _forward(
    decoder: Decoder, several: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, tokens and mask of rows padded on the right."""
    longest = max(len(ids) for ids in several)
    ids = torch.zeros((len(several), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, one in enumerate(several):
        ids[row, : len(one)] = torch.tensor(one)
        mask[row, : len(one)] = 1
    ids, mask = ids.to(decoder.model.device), mask.to(decoder.model.device)
    with torch.inference_mode():
        return decoder.model(input_ids=ids, attention_mask=mask).logits, ids, mask
