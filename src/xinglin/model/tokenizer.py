"""The tokenizer: byte-pair encoding over Chinese and English medical text.

Chinese runs are not cut into single characters as in BERT: frequent strings (糖尿病, 上腹痛) become one token, so
that a sentence is about 40 % shorter and an entity is a few tokens; merges of more than ``LONGEST`` Chinese
characters are dropped, since those are greetings rather than words (Sennrich et al. 2016, arXiv 1508.07909;
where we differ: that bound, and digits and punctuation always stand alone). Text is normalised by NFKC and
lower-cased, so that full-width and half-width writing read the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.sizes import MAX_POSITIONS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"
SPACE = "▁"
LONGEST = 5
"""Most Chinese characters in one token."""
ALPHABET = 6000
"""Most distinct characters; a rarer one is read as [UNK]."""
MAX_PIECE = 100_000
"""Characters of one text given to the trainer."""
_PATTERN = rf"[\u3400-\u9fff\uf900-\ufaff]+|{SPACE}?[a-zà-ÿ]+|{SPACE}?\d|{SPACE}?[^\s]"


def train_tokenizer(texts: Iterable[str], vocabulary: int = 16_000) -> Tokenizer:
    """Learn a tokenizer.

    Args:
        texts: the corpus; read once.
        vocabulary: number of tokens, special ones included, at least 300.

    Raises:
        ConfigurationError: too small a vocabulary, or no text.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if vocabulary < 300:
        raise ConfigurationError(f"vocabulary: expected at least 300 tokens, got {vocabulary}")
    counted = 0

    def bounded() -> Iterator[str]:
        nonlocal counted
        for text in texts:
            counted += 1
            yield text[:MAX_PIECE]

    raw = Tokenizer(models.BPE(unk_token=SPECIAL[4]))
    raw.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Replace(" ", SPACE),
        ]
    )
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(_PATTERN), "isolated")
    raw.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace(SPACE, " ")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary + vocabulary // 4,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        limit_alphabet=ALPHABET,
        show_progress=False,
    )
    raw.train_from_iterator(bounded(), trainer)
    if not counted:
        raise ConfigurationError("tokenizer: expected text to learn from; got none")
    return _finished(_without_long_merges(raw.to_str(), vocabulary))


def _without_long_merges(described: str, vocabulary: int) -> str:
    """Drop merges into more than LONGEST Chinese characters, then cut to the size asked for.

    A merge that needs a dropped one makes a longer token still, so it is dropped by the same rule.
    """
    body = json.loads(described)
    by_id = sorted(body["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [token for token, _ in by_id if sum("\u3400" <= c <= "\u9fff" for c in token) <= LONGEST]
    vocab = {token: i for i, token in enumerate(kept[:vocabulary])}
    merges = [pair for pair in body["model"]["merges"] if "".join(pair) in vocab]
    body["model"] |= {"vocab": vocab, "merges": merges}
    return json.dumps(body, ensure_ascii=False)


def _finished(described: str) -> Tokenizer:
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_str(described)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the two files that ``AutoTokenizer.from_pretrained`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / FILE))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_POSITIONS,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "pad_token": SPECIAL[0],
        "cls_token": SPECIAL[1],
        "sep_token": SPECIAL[2],
        "mask_token": SPECIAL[3],
        "unk_token": SPECIAL[4],
    }
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer of ours.

    Raises:
        CheckpointError: the file is absent, damaged, or its special tokens are another model's.
    """
    from tokenizers import Tokenizer

    path = folder / FILE
    if not path.is_file():
        raise CheckpointError(f"{folder}: expected {FILE}; it is absent: this is no checkpoint folder")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(f"{path}: cannot be read as a tokenizer ({error})") from None
    ids = [tokenizer.token_to_id(token) for token in SPECIAL]
    if ids != list(range(len(SPECIAL))):
        raise CheckpointError(
            f"{path}: expected special tokens {SPECIAL} at 0-4, got ids {ids}: the tokenizer of another model"
        )
    return tokenizer
