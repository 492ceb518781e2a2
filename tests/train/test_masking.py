from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.model.sizes import CLS, MASK, PAD, SEP
from xinglin.train.masking import IGNORED, RATE, EntityFinder, encode_stream, masked_batch


def _slow(names: set[str], text: str) -> list[tuple[int, int]]:
    found, at = [], 0
    while at < len(text):
        fits = [n for n in names if text.startswith(n, at)]
        if fits:
            longest = max(fits, key=len)
            found.append((at, at + len(longest)))
            at += len(longest)
        else:
            at += 1
    return found


@given(
    st.sets(st.text(alphabet="胸痛头腹", min_size=2, max_size=4), min_size=1, max_size=6),
    st.text(alphabet="胸痛头腹天", max_size=40),
)
def test_the_longest_chinese_names_are_found(names: set[str], text: str) -> None:
    assert list(EntityFinder(names).spans(text)) == _slow(names, text)


def test_english_names_are_found_by_words() -> None:
    finder = EntityFinder(["chest pain", "pain", "Fever"])
    text = "Chest pain, painful; no fever. pain"
    assert [text[a:b] for a, b in finder.spans(text)] == ["Chest pain", "fever", "pain"]


def test_an_entity_is_masked_whole_or_not_at_all(corpus) -> None:
    stream = corpus.train
    assert stream.entity.mean() > 0.05
    length, broken, asked_entities = 32, 0, 0
    for seed in range(30):
        windows = range(min(8, stream.windows(length)))
        inputs, labels = masked_batch(stream, windows, length, np.random.default_rng(seed))
        for row, window in enumerate(windows):
            begin = window * (length - 2)
            group = stream.group[begin : begin + length - 2]
            asked = labels[row, 1 : len(group) + 1] != IGNORED
            for number in np.unique(group):
                part = asked[group == number]
                broken += part.any() and not part.all()
                asked_entities += part.all() and len(part) > 1
    assert broken == 0
    assert asked_entities > 20
    assert inputs.shape == labels.shape


def test_masks_follow_the_recipe(corpus) -> None:
    stream, length = corpus.train, 32
    windows = list(range(stream.windows(length)))
    inputs, labels = masked_batch(stream, windows, length, np.random.default_rng(0))
    asked = labels != IGNORED
    truth = np.where(asked, labels, inputs)
    for row, window in enumerate(windows):
        begin = window * (length - 2)
        ids = stream.ids[begin : begin + length - 2]
        assert truth[row, 1 : len(ids) + 1].tolist() == ids.tolist()
    assert (inputs[:, 0] == CLS).all()
    assert not asked[inputs == SEP].any()
    assert not asked[inputs == PAD].any()
    share = asked.sum() / ((inputs != PAD).sum() - 2 * len(windows))
    assert RATE <= share < RATE + 0.08  # the last group may overshoot the budget
    hidden = (inputs == MASK)[asked].mean()
    assert 0.7 < hidden < 0.9


def test_the_same_seed_gives_the_same_batch(corpus) -> None:
    one = masked_batch(corpus.train, [0, 1], 32, np.random.default_rng(5))
    two = masked_batch(corpus.train, [0, 1], 32, np.random.default_rng(5))
    other = masked_batch(corpus.train, [0, 1], 32, np.random.default_rng(6))
    assert (one[0] == two[0]).all()
    assert (one[0] != other[0]).any()


def test_no_token_is_an_error(corpus) -> None:
    with pytest.raises(InvalidInputError, match="no token"):
        encode_stream([], corpus.tokenizer, None)
