"""SMILES as tokens: byte-pair encoding over atoms, as a standard ``tokenizers`` file.

Frequent substructures (``c1ccc(``, ``C(=O)N``) are one token, so that a drug-like molecule is about 12 tokens in place of
38 atoms, bonds and ring closures, and everything that follows is that much cheaper (SMILES pair encoding: Li and
Fourches 2021, doi 10.1021/acs.jcim.0c01127; where we differ: a stock BPE, whose characters are the atoms). An atom of
several letters (``Cl``, ``[C@@H]``) is one character of the private-use area within the tokenizer, so that no token
ends in the middle of it; a rarer bracketed atom is spelt letter by letter, so that none is unknown.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.errors import CheckpointError, ConfigurationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ("[PAD]", "[BOS]", "[EOS]", "[UNK]")
ATOMS = (
    *("[C@@H]", "[C@H]", "[C@@]", "[C@]", "[NH+]", "[NH2+]", "[NH3+]", "[N+]", "[N-]", "[O-]", "[nH]", "[nH+]"),
    *("[n+]", "[n-]", "[S@@]", "[S@]", "[S-]", "[P@@]", "[P@]", "[o+]", "Cl", "Br", "Si", "Se"),
)  # fmt: skip
"""Spellings of several letters that are one character within the tokenizer."""
LETTERS = string.ascii_letters + string.digits + "[]()=#$:/\\.-+@%*"
"""Every character of SMILES: the alphabet is whole whatever the corpus."""
LONGEST = 10
"""Most atoms, bonds and marks in one token."""
FILE, CONFIG = "tokenizer.json", "tokenizer_config.json"
_FIRST = 0xE000
"""First code point of the private-use area."""


def train_tokens(smiles: Iterable[str], vocabulary: int = 384) -> Tokenizer:
    """Learn a tokenizer.

    Args:
        smiles: the corpus; read once.
        vocabulary: number of tokens, special ones included, at least 128.

    Raises:
        ConfigurationError: too small a vocabulary.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers

    if vocabulary < 128:
        raise ConfigurationError(f"vocabulary: expected at least 128 tokens, got {vocabulary}")
    marks = {atom: chr(_FIRST + place) for place, atom in enumerate(ATOMS)}
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNK]))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(atom, mark) for atom, mark in marks.items()]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Fuse(), *(decoders.Replace(mark, atom) for atom, mark in marks.items())]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted({*LETTERS, *marks.values()}),
        max_token_length=LONGEST,
        show_progress=False,
    )
    tokenizer.train_from_iterator(smiles, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[BOS]} $A {SPECIAL[EOS]}",
        special_tokens=[(SPECIAL[BOS], BOS), (SPECIAL[EOS], EOS)],
    )
    return tokenizer


def save_tokens(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and the few names that ``AutoTokenizer`` wants beside it."""
    tokenizer.save(str(folder / FILE))
    names = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": SPECIAL[PAD],
        "bos_token": SPECIAL[BOS],
        "eos_token": SPECIAL[EOS],
        "unk_token": SPECIAL[UNK],
        "clean_up_tokenization_spaces": False,
    }
    (folder / CONFIG).write_text(json.dumps(names, indent=2) + "\n", encoding="utf-8")


class Tokens:
    """A tokenizer with the text of every token at hand.

    Args:
        tokenizer: as :func:`train_tokens` makes it.

    Raises:
        CheckpointError: its special tokens are not ours.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if tuple(tokenizer.id_to_token(place) for place in range(4)) != SPECIAL:
            raise CheckpointError(
                f"{FILE}: expected {', '.join(SPECIAL)} as the first tokens: another tokenizer"
            )
        self.tokenizer = tokenizer
        self._texts = [""] * 4 + [tokenizer.decode([i]) for i in range(4, tokenizer.get_vocab_size())]

    @classmethod
    def load(cls, folder: Path) -> Tokens:
        """Read ``tokenizer.json`` of a folder.

        Raises:
            CheckpointError: absent, broken, or not one of ours.
        """
        from tokenizers import Tokenizer

        try:
            return cls(Tokenizer.from_file(str(folder / FILE)))
        except CheckpointError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(f"{folder / FILE}: expected a tokenizer; {error}") from None

    def __len__(self) -> int:
        return len(self._texts)

    def encode(self, smiles: Sequence[str]) -> list[list[int]]:
        """Return the ids of each, begin and end included; UNK where a character is no SMILES."""
        return [one.ids for one in self.tokenizer.encode_batch_fast(list(smiles))]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the SMILES of ids; special tokens are left out."""
        return "".join([self._texts[i] for i in ids])
