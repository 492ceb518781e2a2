"""Figures of a model against slow oracles that ask it one text at a time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.model.decoder.small import LETTERS

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
from xinglin.model.decoder import open_decoder, prompt_text  # noqa: E402
from xinglin.train.decoder.figures import likelier_letters, text_nats, written  # noqa: E402


def test_nats_are_those_of_one_text_at_a_time(qwen3: Path) -> None:
    decoder = open_decoder(qwen3)
    draw = random.Random(0)
    texts = ["".join(draw.choices(LETTERS, k=draw.randint(1, 50))) for _ in range(20)]
    found = text_nats(decoder, texts, 32)
    end = decoder.tokenizer.eos_token_id
    for text, (nats, characters) in zip(texts, found, strict=True):
        stream = [*decoder.tokenizer(text)["input_ids"], end]
        slow = 0.0
        for at in range(0, len(stream), 31):
            ids = torch.tensor([[end, *stream[at : at + 31]]])
            with torch.inference_mode():
                shares = decoder.model(input_ids=ids).logits[0].log_softmax(-1)
            slow -= sum(float(shares[place, token]) for place, token in enumerate(ids[0, 1:].tolist()))
        assert nats == pytest.approx(slow, rel=1e-4)
        assert characters == len(text)


def test_the_likelier_letter_and_what_is_written(qwen3: Path) -> None:
    decoder = open_decoder(qwen3)
    asked = [[{"role": "user", "content": text}] for text in ("头痛?", "肺炎有什么症状?", "咳嗽", "头" * 200)]
    letters = ["ABCD", "AB", "ABCDE", "AB"]
    chosen = likelier_letters(decoder, list(zip(asked, letters, strict=True)), 64)
    said = written(decoder, asked, 64, 5)
    assert chosen[3] is said[3] is None  # too long for 64 tokens
    for messages, known, letter, text in zip(asked[:3], letters, chosen, said, strict=False):
        ids = decoder.tokenizer(prompt_text(decoder.tokenizer, messages), return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logits = decoder.model(input_ids=ids).logits[0, -1]
            made = decoder.model.generate(input_ids=ids, max_new_tokens=5, do_sample=False)
        shares = {one: float(logits[decoder.tokenizer.convert_tokens_to_ids(one)]) for one in known}
        assert letter == max(shares, key=lambda one: shares[one])
        assert text == decoder.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
