"""Language models made medical: corpus and tokenizer, pre-training, answers, adapters, distillation, merging."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "documents": "xinglin.train.decoder.corpus",
    "dialogues": "xinglin.train.decoder.corpus",
    "train_tokenizer": "xinglin.train.decoder.tokens",
    "fresh_decoder": "xinglin.train.decoder.fresh",
    "check_rows": "xinglin.train.decoder.check",
    "merge_checkpoints": "xinglin.train.decoder.merge",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
