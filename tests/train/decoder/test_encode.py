"""Only answers carry loss, against an oracle that reads the text; what is cut keeps its end; packed blocks lose no word."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from tests.model.decoder.small import LETTERS, TEMPLATE, small_tokenizer
from xinglin.errors import InvalidInputError
from xinglin.train.decoder.encode import NO_LOSS, answers_only, packed

pytest.importorskip("transformers")
END = "<|im_end|>"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


def conversation(draw: random.Random, turns: int) -> list[dict[str, str]]:
    return [
        {"role": role, "content": "".join(draw.choices(LETTERS, k=draw.randint(1, 12)))}
        for _ in range(turns)
        for role in ("user", "assistant")
    ]


def shown(tokenizer: Any, ids: list[int]) -> str:
    """Text of tokens, specials and all; the test's tokens are characters."""
    return "".join(tokenizer.convert_ids_to_tokens(ids))


def test_only_the_assistants_words_and_their_ends_carry_loss(tokenizer: Any) -> None:
    draw = random.Random(0)
    checked = 0
    for _ in range(60):
        messages = conversation(draw, draw.randint(1, 4))
        (row,) = answers_only(messages, tokenizer, 500)
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert shown(tokenizer, row.ids) == text
        kept = "".join(
            token if label != NO_LOSS else "\0"
            for token, label in zip(tokenizer.convert_ids_to_tokens(row.ids), row.labels, strict=True)
        )
        # The oracle reads the rendered text alone.
        wanted = re.findall(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", text, re.DOTALL)
        assert [part for part in kept.split("\0") if part] == wanted
        assert all(label in (NO_LOSS, token) for token, label in zip(row.ids, row.labels, strict=True))
        checked += len(wanted)
    assert checked > 60


def test_what_is_cut_keeps_its_end(tokenizer: Any) -> None:
    end = tokenizer.eos_token_id
    messages = [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "多休息" * 30}]
    prompt = len(tokenizer.apply_chat_template(messages[:1], add_generation_prompt=True)["input_ids"])
    cut = 0
    for length in range(prompt - 2, prompt + 95):
        rows = answers_only(messages, tokenizer, length)
        if length < prompt + 2:
            assert rows == []
            continue
        (row,) = rows
        assert len(row.ids) <= length
        carried = [label for label in row.labels if label != NO_LOSS]
        assert carried[-1] == end
        assert carried.count(end) == 1
        assert row.cut == (length < prompt + 91)
        cut += row.cut
    assert cut == 89


def test_later_turns_that_do_not_fit_are_left_out_whole(tokenizer: Any) -> None:
    messages = conversation(random.Random(3), 4)
    (whole,) = answers_only(messages, tokenizer, 500)
    (row,) = answers_only(messages, tokenizer, len(whole.ids) - 3)
    assert row.cut
    assert row.ids == whole.ids[: len(row.ids)]
    assert shown(tokenizer, row.ids).count("<|im_start|>assistant") == 3
    assert row.labels[-2:] == [tokenizer.eos_token_id, NO_LOSS]  # the template's line end is no answer


def test_a_template_that_rewrites_earlier_turns_gives_a_row_for_each_answer() -> None:
    tokenizer = small_tokenizer()
    tokenizer.chat_template = TEMPLATE.replace(
        "{{ m['content'] }}",
        "{{ m['content'] if m['role'] == 'user' or loop.last else '~' }}",  # as Qwen3 drops earlier thinking
    )
    messages = conversation(random.Random(1), 3)
    rows = answers_only(messages, tokenizer, 500)
    assert len(rows) == 3
    for row, message in zip(rows, messages[1::2], strict=True):
        carried = [label for label in row.labels if label != NO_LOSS]
        assert shown(tokenizer, carried) == message["content"] + END


def test_without_a_template_the_end_is_added() -> None:
    tokenizer = small_tokenizer()
    tokenizer.chat_template = None
    (row,) = answers_only(conversation(random.Random(2), 1), tokenizer, 500)
    assert row.ids[-1] == row.labels[-1] == tokenizer.eos_token_id
    tokenizer.chat_template = TEMPLATE.replace("assistant\n{% endif %}", "helper\n{% endif %}")
    with pytest.raises(InvalidInputError, match="opens the assistant's turn otherwise"):
        answers_only(conversation(random.Random(2), 1), tokenizer, 500)
    tokenizer.eos_token = None
    with pytest.raises(InvalidInputError, match="no end token"):
        list(packed(["头痛"], tokenizer, 8))


@pytest.mark.parametrize("count", [1, 5, 300, 600])
def test_packing_keeps_every_token_in_order(tokenizer: Any, count: int) -> None:
    draw = random.Random(count)
    texts = ["".join(draw.choices(LETTERS, k=draw.randint(1, 30))) for _ in range(count)]
    blocks = list(packed(texts, tokenizer, 16))
    assert all(len(block) == 16 for block in blocks)
    stream = [token for text in texts for token in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    assert [token for block in blocks for token in block] == stream[: len(stream) // 16 * 16]
