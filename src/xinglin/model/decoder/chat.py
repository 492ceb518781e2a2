"""Messages as the text that a model was taught to read: its own chat template, or plain lines where it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompt_text(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, answering: bool = True
) -> str:
    """Return messages as text; ``answering`` opens the assistant's turn, which the model goes on with.

    Tokenise it with ``add_special_tokens=False``: a template writes its own.
    """
    if getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages], tokenize=False, add_generation_prompt=answering
        )
        return str(text)
    lines = "".join(f"{item['role']}: {item['content']}\n" for item in messages)
    return lines + "assistant:" if answering else lines
