"""Two objectives that write the knowledge graph into an encoder's weights, taken beside the language model's loss.

Both see entities as text alone, so that what is learnt lives in the encoder and no table of entities is needed
afterwards. ``encode(input_ids, attention_mask)`` is any function to one vector a text; the caller pools.

- :class:`Contrastive`: InfoNCE within the batch (van den Oord et al. 2018, arXiv 1807.03748), both ways, over two
  kinds of pairs: two spellings of one entity (SapBERT, Liu et al. 2021, arXiv 2010.11784), and the wording of head
  and relation with a spelling of the tail. Where we differ from SapBERT: InfoNCE in place of its multi-similarity
  loss with mined triplets, and the relations.
- :class:`Kepler`: TransE over encoded entities (Wang et al. 2021, TACL, arXiv 1911.06136; Bordes et al. 2013).
  Where we differ: entities are read by a name, not a description; the negatives are the other heads and tails of
  the batch, weighted by their own score (self-adversarial, Sun et al. 2019, arXiv 1902.10197); vectors are
  layer-normalised and the distance is divided by the width, so that one margin fits every size.

In both, what is true is never a negative: a tail that the graph also joins to this head, the entity itself, an
entity that shares a spelling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xinglin.errors import ConfigurationError, UnknownNameError
from xinglin.model.knowledge import EntityGraph, is_chinese
from xinglin.model.sizes import CLS, PAD, SEP

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Encode = Callable[[Tensor, Tensor], Tensor]
"""(n, length) token ids and (n, length) attention mask -> (n, hidden)."""
Ids = NDArray[np.int64]
DISTANCE_SCALE = 16.0
"""Two unrelated layer-normalised vectors lie about 1.13 apart in each component, so about 18 in all."""


class Objective(nn.Module, ABC):
    """One loss over batches of pairs from the graph.

    A batch depends on the generator alone, so that a resumed run sees the batches of one that was not stopped.
    """

    def __init__(
        self,
        graph: EntityGraph,
        tokenizer: Tokenizer,
        hidden_size: int,
        *,
        batch: int = 64,
        max_length: int = 24,
    ) -> None:
        """Cut every spelling once.

        Args:
            graph: entities with their spellings, and triples.
            tokenizer: the encoder's.
            hidden_size: width of the encoder's vectors.
            batch: pairs a batch, at least 2.
            max_length: tokens of one text with [CLS] and [SEP], at least 8; longer names are cut.

        Raises:
            ConfigurationError: a bound is broken, or the graph has nothing to learn from.
        """
        super().__init__()
        if batch < 2 or max_length < 8:
            raise ConfigurationError(
                f"expected at least 2 pairs of at least 8 tokens, got {batch} of {max_length}: raise them"
            )
        if not len(graph):
            raise ConfigurationError("expected a graph with triples to learn from; got none: load one")
        self.graph, self.size, self.max_length, self.hidden_size = graph, batch, max_length, hidden_size
        self._start = np.concatenate([[0], np.cumsum([len(names) for names in graph.names])])
        flat = [spelling for names in graph.names for spelling in names]
        self._pieces = _cut(tokenizer, flat)
        self._chinese = np.array([is_chinese(spelling) for spelling in flat])
        # English words within a text begin with a space.
        words = [form for zh, en in graph.wordings for form in (f" {en}", zh)]
        self._words = _cut(tokenizer, words)
        self._same = _sharing(graph)
        self._codes = np.unique(self._code(*graph.triples.T))

    @abstractmethod
    def batch(self, generator: np.random.Generator) -> dict[str, Tensor]:
        """Draw a batch: tensors only, to be handed to :meth:`loss`."""

    @abstractmethod
    def loss(self, encode: Encode, batch: dict[str, Tensor]) -> Tensor:
        """Return the scalar loss; finite whenever the vectors are."""

    def save(self, path: Path) -> None:
        """Write the objective's own parameters, if it has any, apart from the encoder's."""
        from safetensors.torch import save_file

        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        if state:
            save_file(
                state, str(path), {"relations": " ".join(self.graph.relations), "graph": self.graph.digest}
            )

    def true(self, head: Ids, relation: Ids, tail: Ids) -> NDArray[np.bool_]:
        """Whether each triple (arrays that broadcast) is in the graph."""
        code = self._code(head, relation, tail)
        place = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        return np.asarray(self._codes[place] == code)

    def same(self, one: Ids, other: Ids) -> NDArray[np.bool_]:
        """Whether two entities are one, or share a spelling."""
        return np.asarray(self._same[one] == self._same[other])

    def _code(self, head: Ids, relation: Ids, tail: Ids) -> Ids:
        return (head * len(self.graph.relations) + relation) * len(self.graph.keys) + tail

    def _spelling(self, entity: Ids, generator: np.random.Generator) -> Ids:
        """A spelling of each entity, uniformly: its place among all spellings."""
        first, count = self._start[entity], self._start[entity + 1] - self._start[entity]
        return np.asarray(first + np.floor(generator.random(len(entity)) * count).astype(np.int64))

    def _worded(self, spelling: int, relation: int) -> list[int]:
        """A head in front of its relation's words, in the language of its spelling; the words are never cut."""
        words = self._words[2 * relation + int(self._chinese[spelling])]
        room = self.max_length - 2 - len(words)
        return self._pieces[spelling][: max(1, room)] + words

    def _padded(self, rows: list[list[int]]) -> dict[str, Tensor]:
        rows = [[CLS, *row[: self.max_length - 2], SEP] for row in rows]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), PAD, dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


class Contrastive(Objective):
    """InfoNCE over synonyms and relations in one batch."""

    def __init__(
        self,
        graph: EntityGraph,
        tokenizer: Tokenizer,
        hidden_size: int,
        *,
        batch: int = 64,
        max_length: int = 24,
        temperature: float = 0.07,
        synonyms: float = 0.5,
    ) -> None:
        """Add the temperature of the softmax and the share of pairs that are synonyms, in [0, 1]."""
        super().__init__(graph, tokenizer, hidden_size, batch=batch, max_length=max_length)
        if temperature <= 0 or not 0.0 <= synonyms <= 1.0:
            raise ConfigurationError(
                f"expected a temperature above 0 and a share of synonyms in [0, 1], got {temperature}, {synonyms}"
            )
        self.temperature = temperature
        self._several = np.flatnonzero(np.diff(self._start) > 1)
        self._synonyms = round(synonyms * batch) if len(self._several) else 0

    def batch(self, generator: np.random.Generator) -> dict[str, Tensor]:
        """Draw queries, their keys and which other keys are true of a query.

        Returns:
            ``input_ids`` and ``attention_mask`` of ``size`` queries, then as many keys; ``true`` (size, size).
        """
        entity = generator.choice(self._several, self._synonyms) if self._synonyms else np.empty(0, np.int64)
        one = self._spelling(entity, generator)
        first, count = self._start[entity], self._start[entity + 1] - self._start[entity]
        step = 1 + np.floor(generator.random(len(entity)) * (count - 1)).astype(np.int64)
        other = first + (one - first + step) % np.maximum(count, 1)
        rows = self.graph.triples[generator.integers(0, len(self.graph), self.size - self._synonyms)]
        head, relation, tail = rows.T
        said, answer = self._spelling(head, generator), self._spelling(tail, generator)
        queries = [self._pieces[place] for place in one]
        queries += [self._worded(int(place), int(name)) for place, name in zip(said, relation, strict=True)]
        keys = [self._pieces[place] for place in np.concatenate([other, answer])]
        wanted = np.concatenate([entity, tail])
        true = self.same(wanted[:, None], wanted)
        true[self._synonyms :] |= self.true(head[:, None], relation[:, None], wanted)
        return self._padded(queries + keys) | {"true": torch.from_numpy(true)}

    def loss(self, encode: Encode, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean of the losses query -> key and key -> query."""
        vectors = functional.normalize(
            encode(batch["input_ids"], batch["attention_mask"]).float(), dim=-1, eps=1e-6
        )
        query, key = vectors.chunk(2)
        logits = query @ key.T / self.temperature
        diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(batch["true"] & ~diagonal, float("-inf"))
        target = torch.arange(len(logits), device=logits.device)
        return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


class Kepler(Objective):
    """TransE with a margin over encoded names; the relations' vectors are the objective's own parameters."""

    def __init__(
        self,
        graph: EntityGraph,
        tokenizer: Tokenizer,
        hidden_size: int,
        *,
        batch: int = 64,
        max_length: int = 24,
        margin: float = 9.0,
        adversarial: float = 1.0,
    ) -> None:
        """Add the margin and the sharpness of the weights of negatives; 0 weighs them all the same."""
        super().__init__(graph, tokenizer, hidden_size, batch=batch, max_length=max_length)
        if margin <= 0 or adversarial < 0:
            raise ConfigurationError(
                f"expected a margin above 0 and a sharpness of at least 0, got {margin}, {adversarial}"
            )
        self.margin, self.adversarial = margin, adversarial
        self.relation = nn.Embedding(len(graph.relations), hidden_size)
        nn.init.normal_(self.relation.weight, std=0.02)

    def batch(self, generator: np.random.Generator) -> dict[str, Tensor]:
        """Draw triples and which other tails and heads are true in their place.

        Returns:
            ``input_ids`` and ``attention_mask`` of ``size`` heads, then as many tails; ``relation`` (size,);
            ``true_tail`` and ``true_head`` (size, size): row the triple, column the other triple's entity.
        """
        rows = self.graph.triples[generator.integers(0, len(self.graph), self.size)]
        head, relation, tail = rows.T
        spelled = np.concatenate([self._spelling(head, generator), self._spelling(tail, generator)])
        of_tail = self.same(tail[:, None], tail) | self.true(head[:, None], relation[:, None], tail)
        of_head = self.same(head[:, None], head) | self.true(head, relation[:, None], tail[:, None])
        return self._padded([self._pieces[place] for place in spelled]) | {
            "relation": torch.from_numpy(relation.copy()),
            "true_tail": torch.from_numpy(of_tail),
            "true_head": torch.from_numpy(of_head),
        }

    def loss(self, encode: Encode, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean over triples of the positive's and the weighted negatives' log-sigmoid losses."""
        vectors = encode(batch["input_ids"], batch["attention_mask"]).float()
        head, tail = functional.layer_norm(vectors, (self.hidden_size,)).chunk(2)
        moved = self.relation(batch["relation"]).float()
        positive = -functional.logsigmoid(self.margin - self.distance(head, moved, tail))
        by_tail = self.distance(head[:, None], moved[:, None], tail)
        by_head = self.distance(head, moved[:, None], tail[:, None])
        negative = self._negatives(by_tail, batch["true_tail"]) + self._negatives(by_head, batch["true_head"])
        return (positive + negative / 2).mean() / 2

    @staticmethod
    def distance(head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        """Return ``16 mean |h + r - t|`` over the last dimension."""
        return DISTANCE_SCALE * (head + relation - tail).abs().mean(-1)

    def _negatives(self, distance: Tensor, true: Tensor) -> Tensor:
        """Weighted loss of each row's negatives; 0 for a row that has none."""
        score = (self.adversarial * -distance.detach()).masked_fill(true, float("-inf"))
        weight = torch.where(true, 0.0, torch.softmax(score, dim=1).nan_to_num(0.0))
        return (weight * -functional.logsigmoid(distance - self.margin)).sum(1)


OBJECTIVES: dict[str, type[Contrastive] | type[Kepler]] = {"contrastive": Contrastive, "kepler": Kepler}


def objective(
    name: str,
    graph: EntityGraph,
    tokenizer: Tokenizer,
    hidden_size: int,
    *,
    batch: int = 64,
    max_length: int = 24,
) -> Objective:
    """Return an objective with its own defaults.

    Raises:
        UnknownNameError: there is no objective of that name.
    """
    if name not in OBJECTIVES:
        raise UnknownNameError(f"expected an objective of {', '.join(OBJECTIVES)}; got {name!r}: choose one")
    return OBJECTIVES[name](graph, tokenizer, hidden_size, batch=batch, max_length=max_length)


def _cut(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]


def _sharing(graph: EntityGraph) -> Ids:
    """The same number for entities that share a spelling, directly or through others."""
    owner: dict[str, int] = {}
    parent = list(range(len(graph.keys)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, names in enumerate(graph.names):
        for name in names:
            parent[root(place)] = root(owner.setdefault(name.casefold(), place))
    return np.array([root(place) for place in range(len(parent))], np.int64)
