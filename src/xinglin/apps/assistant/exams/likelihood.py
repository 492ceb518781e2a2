"""How likely a decoder finds each option: log-likelihoods of continuations, prefixes computed once.

The tokens that *all* prompts of a call begin with (worked examples, a system text) go through the model once and lie in its
key-value cache; what is an item's own goes through once for all its options, in batches padded on the left; a continuation
of one token needs no pass of its own. Context and continuation are parted by tokens, not characters: a continuation is what
follows the longest common beginning of prompt and prompt + option, so that a merge across the border counts for every option
alike. Models with sliding windows do not share across items, since padding inside a window would change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import BusyError
from xinglin.model.decoder.opening import out_of_memory

if TYPE_CHECKING:
    import torch

    from xinglin.model.decoder.opening import Decoder

Array = NDArray[np.float64]
BATCH = 16
"""Items of one batch; halved when memory is full."""


@dataclass(frozen=True, slots=True)
class Request:
    """One item: a prompt, and a continuation an option."""

    prompt: str
    continuations: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Parted:
    place: int
    context: list[int]
    continuations: list[list[int]]


def common(sequences: Sequence[Sequence[Any]]) -> int:
    """Return how many elements all sequences begin with alike."""
    shortest = min(map(len, sequences))
    first = sequences[0]
    for place in range(shortest):
        if any(one[place] != first[place] for one in sequences[1:]):
            return place
    return shortest


class LocalLikelihood:
    """Scores continuations with a decoder; not safe to share between threads."""

    def __init__(self, decoder: Decoder, *, batch: int = BATCH) -> None:
        self.decoder, self.batch = decoder, batch
        self.passes = 0
        """Tokens that went through the model, padding included."""

    def score(
        self, requests: Sequence[Request], report: Callable[[int, int], None] | None = None
    ) -> list[Array | None]:
        """Return a request's log-likelihoods, natural logarithm, one a continuation; ``None``: too long for the model.

        Raises:
            BusyError: out of memory for a single item.
        """
        import torch

        found: list[Array | None] = [None] * len(requests)
        parted = [one for place, request in enumerate(requests) if (one := self._parted(place, request))]
        if not parted:
            return found
        parted.sort(key=lambda one: (len(one.context), one.place))
        with torch.inference_mode():
            shared = 0
            if len(parted) > 1 and _full_attention(self.decoder.model):
                # One token of its own stays with every item: its logits are where the options begin.
                shared = min(common([one.context for one in parted]), len(parted[0].context) - 1)
            cache = self._prefix(parted[0].context[:shared]) if shared else None
            start = 0
            while start < len(parted):
                batch = parted[start : start + self.batch]
                try:
                    rows = self._batch(batch, shared, cache)
                except (RuntimeError, MemoryError) as error:
                    if not out_of_memory(error):
                        raise
                    if self.batch == 1:
                        raise BusyError("out of memory for a single item: take a smaller model") from error
                    self.batch = (self.batch + 1) // 2
                    continue
                for one, row in zip(batch, rows, strict=True):
                    found[one.place] = row
                start += len(batch)
                if report is not None:
                    report(start, len(parted))
        return found

    def _parted(self, place: int, request: Request) -> _Parted | None:
        """Part an item into tokens of context and continuations; ``None`` where it does not fit."""
        tokenizer = self.decoder.tokenizer
        ends = {tokenizer.eos_token_id, getattr(tokenizer, "sep_token_id", None)} - {None}
        wholes = [
            list(tokenizer(text)["input_ids"])
            for text in [request.prompt, *(request.prompt + more for more in request.continuations)]
        ]
        # A tokenizer that closes every text would put its end between prompt and option.
        wholes = [whole[:-1] if len(whole) > 1 and whole[-1] in ends else whole for whole in wholes]
        size = min(common(wholes), min(map(len, wholes[1:])) - 1)
        if size < 1 or max(map(len, wholes)) > self.decoder.max_context:
            return None
        return _Parted(place, wholes[0][:size], [whole[size:] for whole in wholes[1:]])

    def _prefix(self, ids: Sequence[int]) -> Any:
        import torch

        device = self.decoder.model.device
        self.passes += len(ids)
        return self.decoder.model(
            input_ids=torch.tensor([list(ids)], device=device), use_cache=True, logits_to_keep=1
        ).past_key_values

    def _batch(self, batch: Sequence[_Parted], shared: int, prefix: Any) -> list[Array]:
        import torch

        own = [one.context[shared:] for one in batch]
        ids, mask = _padded(own, left=True)
        cache = None
        if prefix is not None:
            cache = deepcopy(prefix)
            cache.batch_repeat_interleave(len(batch))
            mask = torch.cat([torch.ones((len(batch), shared), dtype=torch.long), mask], 1)
        out = self._forward(ids, mask, cache, keep=1)
        first = torch.log_softmax(out.logits[:, -1].float(), -1).cpu()
        rows = [
            np.array([float(first[row, more[0]]) for more in one.continuations])
            for row, one in enumerate(batch)
        ]
        if any(len(more) > 1 for one in batch for more in one.continuations):
            self._rest(batch, mask, out.past_key_values, rows)
        return rows

    def _rest(self, batch: Sequence[_Parted], mask: torch.Tensor, cache: Any, rows: list[Array]) -> None:
        """Add what lies behind the first token of each continuation."""
        import torch

        counts = [len(one.continuations) for one in batch]
        most = max(counts)
        flat = [
            one.continuations[min(option, count - 1)]
            for one, count in zip(batch, counts, strict=True)
            for option in range(most)
        ]
        cache.batch_repeat_interleave(most)
        ids, own = _padded([more[:-1] for more in flat], left=False)
        out = self._forward(ids, torch.cat([mask.repeat_interleave(most, 0), own], 1), cache)
        likely = torch.log_softmax(out.logits.float(), -1).cpu()
        for row, more in enumerate(flat):
            item, option = divmod(row, most)
            if option < counts[item]:
                rows[item][option] += sum(float(likely[row, at, token]) for at, token in enumerate(more[1:]))

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, cache: Any, keep: int = 0) -> Any:
        device = self.decoder.model.device
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        self.passes += ids.numel()
        return self.decoder.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), position_ids=positions.to(device),
            past_key_values=cache, use_cache=True, logits_to_keep=keep,
        )  # fmt: skip


def _padded(rows: Sequence[Sequence[int]], *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask; padding is token 0, which the mask hides."""
    import torch

    size = max(1, max(map(len, rows)))
    ids = torch.zeros((len(rows), size), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(rows):
        place = slice(size - len(tokens), size) if left else slice(0, len(tokens))
        ids[row, place] = torch.tensor(list(tokens), dtype=torch.long)
        mask[row, place] = 1
    return ids, mask


def _full_attention(model: Any) -> bool:
    """Whether every layer sees every token before it: then a shared prefix changes nothing."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return all(kind == "full_attention" for kind in kinds)
    return getattr(config, "sliding_window", None) is None


def chosen(row: Array, lengths: Sequence[int] | None = None) -> Iterator[int]:
    """Yield the places of the best continuations; more than one where they tie exactly.

    Args:
        row: log-likelihoods.
        lengths: divide by these first, e.g. bytes of the continuations.
    """
    values = row if lengths is None else row / np.asarray(lengths, float)
    best = values.max()
    yield from np.flatnonzero(values == best).tolist()
