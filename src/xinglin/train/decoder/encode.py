"""Text to tokens and targets: packed blocks for pre-training, dialogues whose answers alone carry loss.

A target of -100 carries no loss (the convention of torch and ``transformers``). Turns are tokenised piece by piece, as they
will be when the model is asked, so that no token straddles a prompt and its answer. What is cut keeps its end: the last
token of every answer is the end of the turn, else a model would never learn to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xinglin.errors import InvalidInputError
from xinglin.model.decoder.chat import prompt_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_LOSS = -100
LEAST_ANSWER = 2
"""Tokens of an answer that must fit, its end among them; below it the example is left out."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a batch."""

    ids: list[int]
    labels: list[int]
    """The same tokens where they carry loss, else -100."""
    cut: bool = False
    """Whether something was left out."""


def end_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends an answer.

    Raises:
        InvalidInputError: the tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise InvalidInputError("the tokenizer has no end token (eos_token): a model could not learn to stop")
    return int(tokenizer.eos_token_id)


def packed(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase, length: int) -> Iterator[list[int]]:
    """Yield blocks of exactly ``length`` tokens; documents follow one another, each with its end, none is cut short.

    Attention crosses documents within a block, as in GPT-3's training (Brown et al. 2020, section 2.1: no masking by
    document). What is left after the last full block is dropped.
    """
    end = end_of(tokenizer)
    rest: list[int] = []
    batch: list[str] = []

    def flush() -> None:
        for ids in tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]:
            rest.extend(ids)
            rest.append(end)
        batch.clear()

    for text in documents:
        batch.append(text)
        if len(batch) < 256:
            continue
        flush()
        full = len(rest) // length * length
        yield from (rest[at : at + length] for at in range(0, full, length))
        rest = rest[full:]
    if batch:
        flush()
    yield from (rest[at : at + length] for at in range(0, len(rest) // length * length, length))


def answers_only(
    messages: Sequence[Mapping[str, str]], tokenizer: PreTrainedTokenizerBase, length: int
) -> list[Example]:
    """Return a dialogue as rows of at most ``length`` tokens in which only the assistant's words and their ends carry loss.

    One row where the template only ever adds to what it wrote before; a row for every answer where it writes earlier turns
    differently later (Qwen3 leaves out earlier thinking). Turns that do not fit are left out from the end; if not even the
    first answer fits, it is cut and keeps its end; if there is no room for any of it, no row is returned.

    Raises:
        InvalidInputError: the template does not open the assistant's turn as it writes it, or there is no end token.
    """
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    rows: list[Example] = []
    ids: list[int] = []
    labels: list[int] = []
    written, at = "", 0
    for place in answers:
        before = prompt_text(tokenizer, messages[:place])
        after = prompt_text(tokenizer, messages[: place + 1], answering=False)
        if not after.startswith(before):
            raise InvalidInputError(
                "the chat template opens the assistant's turn otherwise than it writes it: its answers cannot be told "
                "from its prompts; mend chat_template.jinja"
            )
        if not before.startswith(written):  # earlier turns are written differently now: a row of its own
            if ids:
                rows.append(Example(ids, labels))
            ids, labels, at = [], [], 0
        prompt = _ids(tokenizer, before[at:])
        answer, tail = _answer(tokenizer, after[len(before) :])
        room = length - len(ids) - len(prompt)
        if len(answer) > room:
            if ids:
                rows.append(Example(ids, labels, cut=True))
            elif room >= LEAST_ANSWER:
                short = [*answer[: room - 1], answer[-1]]
                rows.append(Example(prompt + short, [NO_LOSS] * len(prompt) + short, cut=True))
            return rows
        ids = ids + prompt + answer + tail
        labels = labels + [NO_LOSS] * len(prompt) + answer + [NO_LOSS] * len(tail)
        written, at = after, len(after)
    if ids:
        rows.append(Example(ids[:length], labels[:length]))
    return rows


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def _answer(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[int]]:
    """An answer's tokens up to its end, and what the template writes after it.

    The end is the last special token of the turn (``<|im_end|>``, Gemma's ``<end_of_turn>``); where the template writes
    none, the tokenizer's own end is added.
    """
    ids = _ids(tokenizer, text)
    special = set(tokenizer.all_special_ids) | {
        token for token, added in tokenizer.added_tokens_decoder.items() if added.special
    }
    last = max((place for place, token in enumerate(ids) if token in special), default=-1)
    if last >= 0:
        return ids[: last + 1], ids[last + 1 :]
    return [*_ids(tokenizer, text.rstrip("\n")), end_of(tokenizer)], []
