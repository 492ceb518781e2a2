from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.sizes import CLS, SEP, build_config
from xinglin.model.tokenizer import LONGEST, SPECIAL, load_tokenizer, save_tokenizer, train_tokenizer

TEXTS = ["糖尿病患者血糖升高,感谢您的咨询祝您健康", "糖尿病足溃疡 3.5 cm", "type 2 diabetes mellitus"] * 20


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 300)


def test_a_frequent_word_is_one_token_and_a_greeting_is_not(tokenizer) -> None:
    tokens = tokenizer.encode("糖尿病患者,感谢您的咨询祝您健康").tokens
    assert any(token.startswith("糖尿病") for token in tokens)
    chinese = [token for token in tokenizer.get_vocab() if "\u3400" <= token[0] <= "\u9fff"]
    assert len(chinese) > 20
    assert max(map(len, chinese)) <= LONGEST


def test_digits_and_punctuation_stand_alone(tokenizer) -> None:
    assert tokenizer.encode("血糖 3.5").tokens[-4:] == ["▁3", ".", "5", "[SEP]"] or tokenizer.encode(
        "血糖3.5"
    ).tokens[-4:] == ["3", ".", "5", "[SEP]"]


@given(st.text(max_size=60))
def test_any_text_is_read_within_the_vocabulary(tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    assert ids[0] == CLS
    assert ids[-1] == SEP
    assert all(0 <= i < tokenizer.get_vocab_size() for i in ids)


@given(st.text(alphabet="糖尿病血升高,。３(）Ａb ", max_size=40))
def test_full_and_half_width_read_the_same(tokenizer, text: str) -> None:
    import unicodedata

    assert tokenizer.encode(text).ids == tokenizer.encode(unicodedata.normalize("NFKC", text)).ids


def test_plain_transformers_reads_what_was_saved(tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    save_tokenizer(tokenizer, tmp_path)
    config = build_config("tiny", tokenizer.get_vocab_size())
    config.save_pretrained(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    got = theirs("糖尿病患者血糖升高", return_tensors="pt")
    assert sorted(got) == ["attention_mask", "input_ids"]
    assert got["input_ids"][0].tolist() == tokenizer.encode("糖尿病患者血糖升高").ids
    assert theirs.decode(got["input_ids"][0], skip_special_tokens=True) == "糖尿病患者血糖升高"
    assert [theirs.pad_token, theirs.mask_token] == [SPECIAL[0], SPECIAL[3]]
    assert load_tokenizer(tmp_path).to_str() == tokenizer.to_str()


def test_bad_tokenizers_are_refused_by_name(tmp_path: Path, tokenizer) -> None:
    with pytest.raises(CheckpointError, match="absent"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_tokenizer(tmp_path)
    body = json.loads(tokenizer.to_str())
    body["model"]["vocab"] = {"[UNK]": 0, "[PAD]": 1}
    body["model"]["merges"] = []
    body["added_tokens"] = []
    body["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(body))
    with pytest.raises(CheckpointError, match="another model"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_needs_room_and_text() -> None:
    with pytest.raises(ConfigurationError, match="300"):
        train_tokenizer(TEXTS, 10)
    with pytest.raises(ConfigurationError, match="none"):
        train_tokenizer([], 300)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tiny, small, base"):
        build_config("huge", 300)
