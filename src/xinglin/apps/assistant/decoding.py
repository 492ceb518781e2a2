"""Decode a batch of prompts token by token with one key-value cache; every row draws by its own rules.

Nucleus sampling: Holtzman et al., ICLR 2020. Rows are padded on the left, so that the last position of each is its newest;
positions count from each row's own first token. A row's draws depend on its seed alone, never on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from xinglin.apps.assistant.local_writer import _Job


def decode(model: Any, tokenizer: Any, batch: Sequence[_Job], context: int) -> None:
    """Decode until every row has ended; pieces of text go into each job's queue as they come.

    Args:
        model: a causal language model of ``transformers``.
        tokenizer: its tokenizer.
        batch: the jobs; each gets ``pieces``, ``text`` and ``made`` filled.
        context: positions that the model has.
    """
    device = model.device
    longest = max(len(job.ids) for job in batch)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    ids = torch.full((len(batch), longest), pad, dtype=torch.long, device=device)
    mask = torch.zeros_like(ids)
    for row, job in enumerate(batch):
        ids[row, longest - len(job.ids) :] = torch.tensor(job.ids, device=device)
        mask[row, longest - len(job.ids) :] = 1
    generators = [torch.Generator().manual_seed(job.sampling.seed) for job in batch]
    ends = _ends(model, tokenizer)
    limits = [min(job.sampling.max_tokens or context, context - len(job.ids)) for job in batch]
    alive = [True] * len(batch)
    cache, step = None, ids
    while any(alive):
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -step.shape[1] :]
        out = model(
            input_ids=step, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        cache = out.past_key_values
        logits = out.logits[:, -1].float().cpu()
        chosen = torch.full((len(batch), 1), pad, dtype=torch.long)
        for row, job in enumerate(batch):
            if not alive[row]:
                continue
            if job.cancelled:
                alive[row] = False
                continue
            token = _draw(logits[row], job.sampling.temperature, job.sampling.top_p, generators[row])
            chosen[row, 0] = token
            ended = token in ends
            if not ended:
                job.made.append(token)
            stopped = _hand_out(job, tokenizer, ended or len(job.made) >= limits[row])
            alive[row] = not (ended or stopped or len(job.made) >= limits[row])
        step = chosen.to(device)
        mask = torch.cat([mask, torch.ones_like(step)], dim=1)


def _draw(logits: torch.Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    shares = torch.softmax(logits / temperature, -1)
    if top_p < 1:
        ordered, places = shares.sort(descending=True)
        kept = ordered.cumsum(-1) - ordered < top_p  # the token that crosses the bound still counts
        shares = torch.zeros_like(shares).scatter(0, places[kept], ordered[kept])
    return int(torch.multinomial(shares, 1, generator=generator))


def _hand_out(job: _Job, tokenizer: Any, last: bool) -> bool:
    """Put the new text into the job's queue; returns whether a stop string was met.

    What may be the beginning of a stop string, or half a character, waits.
    """
    job.text = tokenizer.decode(job.made, skip_special_tokens=True)
    places = [place for stop in job.sampling.stop if (place := job.text.find(stop)) >= 0]
    stopped = bool(places)
    ready = min(places) if stopped else len(job.text)
    if not stopped and not last:
        held = max((len(stop) - 1 for stop in job.sampling.stop), default=0)
        ready = max(0, len(job.text.rstrip("\ufffd")) - held)
    if ready > job.sent:
        job.pieces.put(job.text[job.sent : ready])
        job.sent = ready
    return stopped


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: the tokenizer's and the generation settings'."""
    listed = getattr(model.generation_config, "eos_token_id", None)
    several = listed if isinstance(listed, list) else [listed]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)
