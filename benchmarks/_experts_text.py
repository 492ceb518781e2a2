"""Text and arms of the benchmark of experts: open Chinese documents, a byte-level vocabulary, four small models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOCABULARY, CONTEXT = 6_000, 128
END = "<|endoftext|>"
HELD_ONE_IN = 25
"""One document in this many is never trained on, by SHA-256 of its text."""


@dataclass(frozen=True)
class Text:
    """Token ids of the two parts."""

    tokenizer: Any
    train: NDArray[np.uint16]
    """All documents of the training part, one after the other, each with its end."""
    held: tuple[NDArray[np.uint16], ...]
    """Documents of the held-out part, cut to the context."""
    digest: str


def kept_text(folder: Path, quick: bool, kept: Path) -> Text:
    """Return :func:`read_text`, kept in a folder: learning the vocabulary takes a minute."""
    from tokenizers import Tokenizer

    arrays, words = kept / f"text-{quick}.npz", kept / f"words-{quick}.json"
    if not arrays.is_file():
        text = read_text(folder, quick)
        kept.mkdir(parents=True, exist_ok=True)
        text.tokenizer.save(str(words))
        ends = np.cumsum([len(one) for one in text.held])
        np.savez(arrays, train=text.train, held=np.concatenate(text.held), ends=ends, digest=text.digest)
    with np.load(arrays, allow_pickle=False) as read:
        held = tuple(np.split(read["held"], read["ends"][:-1]))
        return Text(Tokenizer.from_file(str(words)), read["train"], held, str(read["digest"]))


def read_text(folder: Path, quick: bool) -> Text:
    """Read the Chinese open sets; the vocabulary is learnt from the training part alone.

    Args:
        folder: ``text`` of the data folder.
        quick: only the first documents of the smallest set.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from xinglin.train.corpus import OPEN_SETS, read_open_set

    names = ["handbook"] if quick else [name for name, one in OPEN_SETS.items() if one.lang == "zh"]
    read = [passage.text for name in names for passage in read_open_set(name, folder)[0]]
    documents = list(dict.fromkeys(read))[: 200 if quick else None]
    held = {text for text in documents if int(sha256(text.encode()).hexdigest(), 16) % HELD_ONE_IN == 0}
    train = [text for text in documents if text not in held]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        train,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    rows = [[*encoded.ids, 0] for encoded in tokenizer.encode_batch(train)]
    ids = np.fromiter((token for row in rows for token in row), dtype=np.uint16)
    digest = sha256(json.dumps([tokenizer.to_str(), len(held)]).encode() + ids.tobytes()).hexdigest()
    cut = tuple(
        np.array([0, *encoded.ids[: CONTEXT - 1]], dtype=np.uint16)
        for encoded in tokenizer.encode_batch(sorted(held))
    )
    return Text(tokenizer, ids, cut, digest)
