"""A byte-level BPE tokenizer of our own: no character is unknown to it, and every special token is used.

Byte-level BPE as in GPT-2 (Radford et al. 2019); runs of letters, digits and signs are cut as Qwen's tokenizers cut them,
digits one by one. Three special tokens: padding, the start of a turn, and its end, which also ends a document. The chat
template is ChatML, as Qwen's models speak it, without a system message of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xinglin.errors import InvalidInputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 6_144
PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CUT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_tokenizer(
    texts: Iterable[str], *, vocabulary: int = VOCABULARY, context: int = 512
) -> PreTrainedTokenizerFast:
    """Train a tokenizer; the same texts in the same order give the same one.

    Args:
        texts: documents.
        vocabulary: tokens in all, at least the 256 bytes and the special ones.
        context: positions of the model it is for.

    Raises:
        InvalidInputError: too small a vocabulary, or too little text to fill it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    if vocabulary < 256 + 3:
        raise InvalidInputError(f"vocabulary: expected at least 259 tokens, got {vocabulary}")
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CUT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=24,
    )
    raw.train_from_iterator(texts, trainer)
    if raw.get_vocab_size() != vocabulary:
        raise InvalidInputError(
            f"the text gives {raw.get_vocab_size()} tokens, {vocabulary} were asked for: more text, or fewer tokens"
        )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[START],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer
