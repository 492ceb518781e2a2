"""The diagnosis text encoder: a checkpoint of ours, its upper layers and a head over the job's labels trained together.

What lies below the trained layers is the same at every hospital and never crosses the wire; where it fits in memory,
its output is computed once for all rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from xinglin.errors import ConfigurationError, MissingExtraError
from xinglin.federate.tasks.models import model_folder
from xinglin.federate.tasks.options import FitOptions, read_options
from xinglin.federate.tasks.protocol import Array, NodeData, Privacy, Sampling, State, Update
from xinglin.federate.tasks.texts import check_labels, read_texts

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from xinglin.federate.privacy.guard import require_changed
    from xinglin.federate.tasks.fit import Row, Rows, fit
    from xinglin.federate.tasks.states import check_state, load_weights, weights_of
    from xinglin.train.finetune import encode, open_classifier
    from xinglin.train.options import FineTuneOptions
except ModuleNotFoundError as error:
    raise MissingExtraError("Federated training", "federate") from error

CACHE = 2 * 1024**3
"""Bytes up to which the output of the lower layers is kept; beyond, it is computed anew for each batch."""
BATCH = 64
"""Texts at once where nothing is trained."""


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Settings of the encoder."""

    labels: tuple[str, ...]
    """Names of the classes, in the order of the head."""
    model: str = "medical-open-model"
    """Name of the checkpoint to start from."""
    base: str = ""
    """Id of that checkpoint, so that all hospitals start from the same; empty: not checked."""
    text: str = "text"
    """Column of the text."""
    label: str = "label"
    """Column of the label."""
    patient: str = ""
    """Column that says whose a text is, for privacy by patient; empty: not read."""
    layers: int = 1
    """How many of the uppermost layers are trained beside the head; the embeddings never are."""
    max_length: int = 128
    """Tokens a text is cut to."""


class Encoder:
    """The task ``encoder``."""

    name = "encoder"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._given = dict(options)
        self._options, _ = read_options(options, EncoderOptions)
        own = self._options
        check_labels(own.labels)
        if not 8 <= own.max_length <= 512:
            raise ConfigurationError(f"[train] max_length: expected 8 to 512 tokens, got {own.max_length}")
        self._folder = model_folder(own.model, own.base)
        self._lower, self._upper = self._open()
        self._trained = [name for name, weight in self._upper.named_parameters() if weight.requires_grad]

    def initial(self, seed: int) -> State:
        """Return the checkpoint's upper layers and a fresh head drawn from the seed."""
        torch.manual_seed(seed)
        return weights_of(self._open()[1], self._trained)

    def load(self, node: NodeData) -> Rows:
        """Read a hospital's texts and run them through the layers that are not trained."""
        from xinglin.model.sizes import PAD
        from xinglin.model.tokenizer import load_tokenizer
        from xinglin.train.finetune import padded

        own = self._options
        found = read_texts(node, own.labels, text=own.text, label=own.label, patient=own.patient)
        ids = padded(encode(load_tokenizer(self._folder), found.texts, own.max_length))
        mask = ids != PAD
        read: Tensor = ids
        if ids.numel() * self._upper.config.hidden_size * 2 <= CACHE:
            parts = [
                self._below(ids[first : first + BATCH], mask[first : first + BATCH]).half()
                for first in range(0, len(ids), BATCH)
            ]
            read = torch.cat(parts)
        return Rows(read, mask, torch.tensor(found.labels), patients=found.patients, dropped=found.dropped)

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
        """Train the upper layers and the head; see ``protocol.Task``."""
        check_state(state, weights_of(self._upper, self._trained))
        upper = deepcopy(self._upper)  # a private run leaves its hooks on the module
        load_weights(upper, state)

        def loss(module: nn.Module, batch: Row) -> Tensor:
            return functional.cross_entropy(self._logits(module, batch), batch[2])

        mean = fit(upper, examples, loss, self._fit(options), private=private, seed=seed)
        new = weights_of(upper, self._trained)
        require_changed(state, new, self._trained)
        return Update(new, len(examples), {"loss": mean, "dropped": float(examples.dropped)})

    def evaluate(self, state: State, examples: Rows) -> dict[str, float]:
        """Return ``n``, ``loss``, ``accuracy`` and ``hit@3``."""
        logits = torch.from_numpy(self.logits(state, examples))
        labels = examples.columns[2]
        ranks = (logits > logits.gather(1, labels[:, None])).sum(1)
        return {
            "n": float(len(labels)),
            "loss": float(functional.cross_entropy(logits, labels)),
            "accuracy": float((logits.argmax(1) == labels).double().mean()),
            "hit@3": float((ranks < 3).double().mean()),
        }

    def logits(self, state: State, examples: Rows) -> Array:
        """Return the logits of texts, shape (texts, labels)."""
        check_state(state, weights_of(self._upper, self._trained))
        load_weights(self._upper, state)
        self._upper.eval()
        with torch.no_grad():
            parts = [
                self._logits(self._upper, examples.batch(range(first, min(first + BATCH, len(examples)))))
                for first in range(0, len(examples), BATCH)
            ]
        return np.asarray(torch.cat(parts).numpy())

    def _fit(self, options: Mapping[str, Any]) -> FitOptions:
        return read_options({**self._given, **options}, EncoderOptions)[1]

    def _open(self) -> tuple[Any, Any]:
        """Return the encoder up to the trained layers, and the classifier from there on, which begins with their input."""
        own = self._options
        lower, upper = (open_classifier(self._folder, own.labels, FineTuneOptions(), None) for _ in range(2))
        depth = len(upper.model.layers)
        if not 0 <= own.layers <= depth:
            raise ConfigurationError(
                f"[train] layers: this model has {depth}; expected 0 to {depth}, got {own.layers}"
            )
        for place in range(depth):
            if place < depth - own.layers:
                upper.model.layers[place] = _Skipped(upper.model.layers[place].attention_type)
            else:
                lower.model.layers[place] = _Skipped(lower.model.layers[place].attention_type)
        upper.model.embeddings.norm, lower.model.final_norm = nn.Identity(), nn.Identity()
        for weight in upper.model.embeddings.parameters():
            weight.requires_grad_(False)
        return lower.model.eval(), upper

    def _below(self, ids: Tensor, mask: Tensor) -> Tensor:
        with torch.no_grad():
            below: Tensor = self._lower(input_ids=ids, attention_mask=mask).last_hidden_state
        return below

    def _logits(self, module: nn.Module, batch: Row) -> Tensor:
        read, mask = batch[0], batch[1]
        longest = int(mask.sum(1).max())
        read, mask = read[:, :longest], mask[:, :longest]
        hidden = read.float() if read.is_floating_point() else self._below(read, mask)
        logits: Tensor = module(inputs_embeds=hidden, attention_mask=mask).logits
        return logits


class _Skipped(nn.Module):
    """In the place of a layer that the other half runs; the layers keep their names."""

    def __init__(self, attention_type: str) -> None:
        super().__init__()
        self.attention_type = attention_type

    def forward(self, hidden_states: Tensor, **_: Any) -> Tensor:
        return hidden_states
