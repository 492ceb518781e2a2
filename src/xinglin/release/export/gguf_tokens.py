"""A byte-level BPE tokenizer in the metadata of a GGUF file, by the keys that llama.cpp reads.

llama.cpp does not read the rule by which a text is cut before the merges: it has a list of rules, each with a name. So
the rule of ``tokenizer.json`` is looked up among those whose cuts we know; another is refused, since a wrong name gives
other tokens without any error.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xinglin.errors import CheckpointError

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger("xinglin.release")

_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
QWEN2 = _SHORT + _LETTERS.replace("{digits}", "")
LLAMA3 = _SHORT + _LETTERS.replace("{digits}", "{1,3}")
WITHOUT_SHORT = _LETTERS.replace("{digits}", "")
CUTS = {QWEN2: "qwen2", LLAMA3: "llama-bpe", WITHOUT_SHORT: "qwen2"}
"""Regular expression of ``tokenizer.json`` -> llama.cpp's name (``llama-vocab.cpp``)."""
NEAR = (
    "gguf: llama.cpp 把撇号后的 s、t、d 等单独切开,英文引号内的词可能得到不同的词元 it cuts s, t, d, m, re, ve, ll after "
    "an apostrophe, this tokenizer does not: English words in single quotes may get other tokens"
)


def write_tokens(writer: GGUFWriter, tokenizer: PreTrainedTokenizerBase, size: int, name: str) -> None:
    """Write tokens, merges, the cutting rule, special tokens and the chat template.

    Args:
        writer: of the file.
        tokenizer: a fast tokenizer of transformers.
        size: rows of the model's embedding; rows without a token become unused ones.
        name: of the model, for messages.

    Raises:
        CheckpointError: it is no byte-level BPE, or cuts texts by a rule that llama.cpp does not know.
    """
    import gguf

    raw = getattr(tokenizer, "backend_tokenizer", None)
    if raw is None:
        raise CheckpointError(f"{name}: gguf: expected a fast tokenizer (tokenizer.json)")
    body: dict[str, Any] = json.loads(raw.to_str())
    cut = cutting_rule(body, name)
    vocabulary: dict[str, int] = {**body["model"]["vocab"]}
    added = {item["id"]: item for item in body["added_tokens"]}
    vocabulary |= {item["content"]: place for place, item in added.items()}
    if max(vocabulary.values()) >= size:
        raise CheckpointError(f"{name}: gguf: the tokenizer has more tokens than the model's {size}")
    by_place = {place: token for token, place in vocabulary.items()}
    tokens, kinds = [], []
    for place in range(size):
        tokens.append(by_place.get(place, f"[PAD{place}]"))
        if place not in by_place:
            kinds.append(gguf.TokenType.UNUSED)
        elif place in added:
            special = added[place]["special"]
            kinds.append(gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED)
        else:
            kinds.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    pairs = body["model"]["merges"]
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in pairs])
    for key in ("bos", "eos", "pad"):
        place = getattr(tokenizer, f"{key}_token_id")
        if place is not None:
            getattr(writer, f"add_{key}_token_id")(int(place))
    writer.add_add_bos_token(False)  # prompts are given whole, as everywhere in this package
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def cutting_rule(body: Mapping[str, Any], name: str) -> str:
    """Return llama.cpp's name of the rule by which a ``tokenizer.json`` cuts texts.

    Raises:
        CheckpointError: no byte-level BPE, a normalizer other than NFC, or an unknown rule.
    """
    model = body.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise CheckpointError(
            f"{name}: gguf: expected a byte-level BPE tokenizer, got {str(model.get('type'))[:40]!r}: llama.cpp reads "
            "others by keys that are not written here"
        )
    normalizer = (body.get("normalizer") or {}).get("type")
    if normalizer not in (
        None,
        "NFC",
    ):  # llama.cpp leaves texts as they are; NFC leaves composed texts so too
        raise CheckpointError(f"{name}: gguf: llama.cpp has no normalizer {str(normalizer)[:40]!r}")
    cutter = body.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", [cutter])
    if [step.get("type") for step in steps] == ["ByteLevel"] and steps[0].get("use_regex", True):
        rule: str | None = None if steps[0].get("add_prefix_space") else "gpt-2"
    elif [step.get("type") for step in steps] == ["Split", "ByteLevel"]:
        plain = not steps[1].get("use_regex") and not steps[1].get("add_prefix_space")
        expression = (steps[0].get("pattern") or {}).get("Regex", "")
        rule = CUTS.get(expression) if plain and steps[0].get("behavior") == "Isolated" else None
        if rule and expression == WITHOUT_SHORT:
            log.warning(NEAR)
    else:
        rule = None
    if rule is None:
        raise CheckpointError(
            f"{name}: gguf: its rule of cutting texts is none that llama.cpp is known to share (GPT-2, Llama 3, Qwen 2): "
            "the tokens would differ without an error"
        )
    return rule
