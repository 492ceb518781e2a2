"""LoRA on a causal language model that lies at every hospital: only the adapters are trained, and only they travel.

Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) by PEFT on the linear layers that the job names. Any folder that
``transformers`` opens as a causal model will do; code that comes with a model is never run. The loss is the next-token
cross entropy over the answer of each pair of question and answer; the question is read, not learnt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from xinglin.errors import (
    CheckpointError,
    ConfigurationError,
    InputTooLargeError,
    InvalidInputError,
    MissingExtraError,
)
from xinglin.federate.tasks.models import model_folder
from xinglin.federate.tasks.options import FitOptions, read_options
from xinglin.federate.tasks.protocol import Archived, NodeData, Privacy, Sampling, State, Update
from xinglin.federate.tasks.table import cells

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from xinglin.federate.privacy.guard import require_changed
    from xinglin.federate.tasks.fit import Row, Rows, fit
    from xinglin.federate.tasks.states import check_state, load_weights, weights_of
    from xinglin.model.quiet import quiet_transformers
except ModuleNotFoundError as error:
    raise MissingExtraError("Federated training", "federate") from error

IGNORED = -100
"""Target of a token that is read and not learnt."""
BATCH = 16
MAX_PAIRS = 1_000_000


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """Settings of LoRA on a decoder."""

    model: str
    """Name of the model's folder, the same model at every hospital."""
    base: str = ""
    """Id of the checkpoint, where it bears a manifest of ours; empty: not checked."""
    question: str = "question"
    """Column of what is read."""
    answer: str = "answer"
    """Column of what is learnt."""
    patient: str = ""
    """Column that says whose a pair is, for privacy by patient; empty: not read."""
    rank: int = 8
    """Rank of the adapters."""
    alpha: int = 16
    """Adapters are scaled by ``alpha / rank``."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Names of the linear layers that get an adapter."""
    max_length: int = 256
    """Tokens of question and answer together; the question is cut first."""


class DecoderLora:
    """The task ``decoder-lora``."""

    name = "decoder-lora"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._given = dict(options)
        self._options, _ = read_options(options, DecoderOptions)
        own = self._options
        if own.rank < 1 or own.alpha <= 0 or own.max_length < 8:
            raise ConfigurationError(
                "[train] rank, alpha, max_length: expected 1 or more, more than 0, and 8 or more; got "
                f"{own.rank}, {own.alpha} and {own.max_length}"
            )
        self._folder = model_folder(own.model, own.base)
        self._model = self._open(0)
        self._trained = [name for name, weight in self._model.named_parameters() if weight.requires_grad]

    def initial(self, seed: int) -> State:
        """Return fresh adapters: one factor drawn from the seed, the other zero, so that the model is as it was."""
        return weights_of(self._open(seed), self._trained)

    def load(self, node: NodeData) -> Rows:
        """Read a hospital's questions and answers.

        Raises:
            ConfigurationError: the data lie in the archive, whose records hold no pairs.
        """
        if isinstance(node, Archived):
            raise ConfigurationError(
                "decoder-lora reads files: give the node a folder with questions and answers"
            )
        own = self._options
        tokenizer = self._tokenizer()
        ids: list[list[int]] = []
        learnt: list[int] = []
        owners: list[str] = []
        dropped = 0
        for place, (question, answer, owner) in cells(
            node, [own.question, own.answer, own.patient or own.answer]
        ):
            if not str(question or "").strip() or not str(answer or "").strip():
                dropped += 1
                continue
            if own.patient and not str(owner or "").strip():
                raise InvalidInputError(
                    f"{place}: column {own.patient!r}: expected whose the row is, it is empty"
                )
            if len(ids) >= MAX_PAIRS:
                raise InputTooLargeError(f"expected at most {MAX_PAIRS:,} pairs")
            pair, count = self._pair(tokenizer, str(question), str(answer))
            ids.append(pair)
            learnt.append(count)
            owners.append(str(owner))
        if not ids:
            raise InvalidInputError(
                f"expected at least one question with an answer; {dropped} rows were left out"
            )
        return _rows(ids, learnt, owners if own.patient else None, dropped)

    def sampling(self, rows: int, options: Mapping[str, Any]) -> Sampling:
        """Return what one call of ``train`` costs the privacy budget."""
        return self._fit(options).sampling(rows)

    def train(
        self,
        state: State,
        examples: Rows,
        *,
        options: Mapping[str, Any],
        private: Privacy | None,
        seed: int,
    ) -> Update:
        """Train the adapters; see ``protocol.Task``. The model below them is checked to be as it was."""
        check_state(state, weights_of(self._model, self._trained))
        model = deepcopy(self._model)  # a private run leaves its hooks on the module
        load_weights(model, state)
        everything = list(model.state_dict())
        before = weights_of(model, everything)

        def loss(module: nn.Module, batch: Row) -> Tensor:
            return _loss(module, batch).mean()

        mean = fit(model, examples, loss, self._fit(options), private=private, seed=seed)
        # LoRA begins with one factor at zero; the other then has no gradient in the very first step.
        stuck = (
            []
            if private is not None or self._fit(options).sampling(len(examples)).steps > 1
            else _factors_a(before)
        )
        moved = [name for name in self._trained if name not in stuck]
        after = weights_of(model, everything)
        require_changed(
            {name: before[name] for name in everything if name not in stuck},
            {name: after[name] for name in everything if name not in stuck},
            moved,
        )
        return Update(
            weights_of(model, self._trained),
            len(examples),
            {"loss": mean, "dropped": float(examples.dropped)},
        )

    def evaluate(self, state: State, examples: Rows) -> dict[str, float]:
        """Return ``n``, ``loss`` (mean over pairs of the mean over an answer's tokens) and ``perplexity``."""
        check_state(state, weights_of(self._model, self._trained))
        load_weights(self._model, state)
        self._model.eval()
        with torch.no_grad():
            parts = [
                _loss(self._model, examples.batch(range(first, min(first + BATCH, len(examples)))))
                for first in range(0, len(examples), BATCH)
            ]
        mean = float(torch.cat(parts).mean())
        return {"n": float(len(examples)), "loss": mean, "perplexity": math.exp(min(mean, 700.0))}

    def _fit(self, options: Mapping[str, Any]) -> FitOptions:
        return read_options({**self._given, **options}, DecoderOptions)[1]

    def _open(self, seed: int) -> Any:
        try:
            from peft import LoraConfig, get_peft_model
            from transformers import AutoModelForCausalLM
        except ModuleNotFoundError as error:
            raise MissingExtraError("LoRA", "federate") from error
        own = self._options
        try:
            with quiet_transformers():
                base = AutoModelForCausalLM.from_pretrained(
                    self._folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
                )
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"model {own.model!r}: transformers cannot open it as a causal model ({type(error).__name__})"
            ) from error
        torch.manual_seed(seed)
        config = LoraConfig(
            r=own.rank, lora_alpha=own.alpha, target_modules=list(own.targets), lora_dropout=0.0
        )
        try:
            return get_peft_model(base, config)
        except ValueError as error:
            raise ConfigurationError(
                f"[train] targets: this model has no linear layer of the names {', '.join(own.targets)}"
            ) from error

    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        with quiet_transformers():
            return AutoTokenizer.from_pretrained(self._folder, local_files_only=True, trust_remote_code=False)

    def _pair(self, tokenizer: Any, question: str, answer: str) -> tuple[list[int], int]:
        """Return the tokens of a pair and how many at its end are learnt; the answer ends with the end of text."""
        most = self._options.max_length
        end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        told = tokenizer(answer[: 16 * most], add_special_tokens=False)["input_ids"][: most - 2] + end
        asked = tokenizer(question[-16 * most :])["input_ids"][-(most - len(told)) :]
        return [*asked, *told], len(told)


def _rows(
    ids: Sequence[Sequence[int]], learnt: Sequence[int], owners: Sequence[str] | None, dropped: int
) -> Rows:
    """Pad to the right; padding is masked, so that its token does not matter."""
    longest = max(map(len, ids))
    shape = (len(ids), longest)
    tokens, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    targets = torch.full(shape, IGNORED)
    for place, (row, count) in enumerate(zip(ids, learnt, strict=True)):
        tokens[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
        targets[place, len(row) - count : len(row)] = torch.tensor(row[len(row) - count :])
    return Rows(tokens, mask, targets, patients=owners, dropped=dropped)


def _loss(module: nn.Module, batch: Row) -> Tensor:
    """Return each pair's mean loss over its answer, shape (pairs,): one pair's length does not weigh another's."""
    tokens, mask, targets = batch
    longest = max(2, int(mask.sum(1).max()))
    tokens, mask, targets = tokens[:, :longest], mask[:, :longest], targets[:, :longest]
    positions = torch.arange(longest).expand(len(tokens), -1)
    logits = module(input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False).logits
    each = functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]),
        targets[:, 1:].reshape(-1),
        ignore_index=IGNORED,
        reduction="none",
    ).reshape(len(tokens), -1)
    return each.sum(1) / (targets[:, 1:] != IGNORED).sum(1).clamp(min=1)


def _factors_a(state: Mapping[str, Any]) -> list[str]:
    return [name for name in state if ".lora_A." in name]
