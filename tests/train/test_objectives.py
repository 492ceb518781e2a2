from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import Tensor, nn

from xinglin.errors import ConfigurationError, UnknownNameError
from xinglin.model.knowledge import EntityGraph, entity_graph, is_chinese
from xinglin.model.sizes import CLS, PAD, SEP
from xinglin.model.tokenizer import train_tokenizer
from xinglin.train.objectives import OBJECTIVES, Contrastive, Kepler, objective

WIDTH = 16


class Toy(nn.Module):
    """Mean of token vectors through one layer: the least that can learn."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, 32)
        self.out = nn.Linear(32, WIDTH)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask[..., None].float()
        return self.out((self.tokens(input_ids) * mask).sum(1) / mask.sum(1))


@pytest.fixture(scope="module")
def graph() -> EntityGraph:
    """A corner of the starter graph in which heads share tails, so that masks matter."""
    whole = entity_graph(with_options=False)
    diseases = [i for i, kind in enumerate(whole.kinds) if kind == "disease"][:12]
    rows = whole.triples[np.isin(whole.triples[:, 0], diseases)]
    used, place = np.unique(rows[:, [0, 2]], return_inverse=True)
    place = place.reshape(-1, 2)
    return EntityGraph(
        tuple(whole.keys[i] for i in used),
        tuple(whole.names[i] for i in used),
        tuple(whole.kinds[i] for i in used),
        whole.relations,
        np.column_stack([place[:, 0], rows[:, 1], place[:, 1]]),
    )


@pytest.fixture(scope="module")
def tokenizer(graph: EntityGraph) -> Tokenizer:
    words = [word for pair in graph.wordings for word in pair]
    return train_tokenizer([*(name for names in graph.names for name in names), *words], 3000)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_falls_and_stays_finite(name: str, graph: EntityGraph, tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    toy, aim = Toy(3000), objective(name, graph, tokenizer, WIDTH, batch=32)
    optimiser = torch.optim.Adam([*toy.parameters(), *aim.parameters()], lr=1e-2)
    losses = []
    for step in range(40):
        loss = aim.loss(toy, aim.batch(np.random.default_rng(step % 4)))
        assert loss.ndim == 0
        assert torch.isfinite(loss)
        optimiser.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in toy.parameters() if p.grad is not None)
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_batch_depends_on_the_generator_alone(name: str, graph: EntityGraph, tokenizer: Tokenizer) -> None:
    aim = objective(name, graph, tokenizer, WIDTH)
    one, _, again = (aim.batch(np.random.default_rng(seed)) for seed in (7, 8, 7))
    other = objective(name, graph, tokenizer, WIDTH).batch(np.random.default_rng(7))
    assert one.keys() == again.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], again[key])
        assert torch.equal(one[key], other[key])
    ids, mask = one["input_ids"], one["attention_mask"]
    assert ids.shape[0] == 128
    assert ids.shape[1] <= 24
    assert (ids[:, 0] == CLS).all()
    assert ((ids == SEP).sum(1) == 1).all()
    assert torch.equal(mask.bool(), ids != PAD)


Text = tuple[int, ...]


def _texts(batch: dict[str, Tensor]) -> list[Text]:
    special = (PAD, CLS, SEP)
    return [tuple(i for i in row.tolist() if i not in special) for row in batch["input_ids"]]


def _plain(tokenizer: Tokenizer, *texts: str) -> Text:
    return tuple(i for text in texts for i in tokenizer.encode(text, add_special_tokens=False).ids)


def test_contrastive_pairs_and_masks_equal_brute_force(graph: EntityGraph, tokenizer: Tokenizer) -> None:
    aim = Contrastive(graph, tokenizer, WIDTH, batch=40, max_length=64)
    batch = aim.batch(np.random.default_rng(1))
    texts = _texts(batch)
    queries, keys = texts[:40], texts[40:]
    owners: dict[Text, set[int]] = {}
    for place, names in enumerate(graph.names):
        for name in names:
            owners.setdefault(_plain(tokenizer, name), set()).add(place)
    truths: dict[Text, set[int]] = {}
    for head, relation, tail in graph.triples.tolist():
        zh, en = graph.wordings[relation]
        for name in graph.names[head]:
            said = _plain(tokenizer, name, zh if is_chinese(name) else f" {en}")
            truths.setdefault(said, set()).add(tail)
    assert sum(query in owners for query in queries) == 20
    assert sum(query in truths for query in queries) == 20
    masked = 0
    for i, query in enumerate(queries):
        answers = owners.get(query) or truths[query]
        assert owners[keys[i]] & answers, (query, keys[i])
        assert query != keys[i]
        for j, key in enumerate(keys):
            expected = bool(owners[key] & answers) or bool(owners[key] & owners[keys[i]])
            assert bool(batch["true"][i, j]) == expected, (query, key)
            masked += expected and i != j
    assert masked > 5


def test_what_is_true_is_no_negative(graph: EntityGraph, tokenizer: Tokenizer) -> None:
    aim = Contrastive(graph, tokenizer, WIDTH, batch=8)
    batch = aim.batch(np.random.default_rng(0))
    vectors = torch.randn(16, WIDTH)
    loss = aim.loss(lambda ids, mask: vectors, batch).item()
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).double().numpy()
    query, key, true = unit[:8], unit[8:], batch["true"].numpy()
    total = 0.0
    for i in range(8):
        for own, others, mask in ((query[i], key, true[i]), (key[i], query, true[:, i])):
            logits = [own @ others[j] / 0.07 for j in range(8) if j == i or not mask[j]]
            total += -own @ others[i] / 0.07 + math.log(sum(map(math.exp, logits)))
    assert loss == pytest.approx(total / 16, rel=1e-4)
    everything = aim.loss(lambda ids, mask: vectors, batch | {"true": torch.ones(8, 8, dtype=torch.bool)})
    assert everything.item() == 0.0


@pytest.mark.parametrize("adversarial", [0.0, 1.0])
def test_kepler_equals_a_slow_oracle(graph: EntityGraph, tokenizer: Tokenizer, adversarial: float) -> None:
    n = 24
    aim = Kepler(graph, tokenizer, WIDTH, batch=n, max_length=64, adversarial=adversarial)
    with torch.no_grad():
        aim.relation.weight.normal_()
    batch = aim.batch(np.random.default_rng(5))
    vectors = torch.randn(2 * n, WIDTH)
    loss = aim.loss(lambda ids, mask: vectors, batch).item()

    v = vectors.double().numpy()
    v = (v - v.mean(1, keepdims=True)) / np.sqrt(v.var(1, keepdims=True) + 1e-5)
    r = aim.relation.weight.detach().double().numpy()[batch["relation"].numpy()]
    texts = _texts(batch)
    owners: dict[Text, set[int]] = {}
    for place, spelled in enumerate(graph.names):
        for name in spelled:
            owners.setdefault(_plain(tokenizer, name), set()).add(place)
    known = {tuple(row) for row in graph.triples.tolist()}
    pairs = [
        next((h, t) for h in owners[one] for t in owners[other] if (h, relation, t) in known)
        for one, other, relation in zip(texts[:n], texts[n:], batch["relation"].tolist(), strict=True)
    ]
    heads, tails = zip(*pairs, strict=True)
    names = [{name.casefold() for name in spelled} for spelled in graph.names]

    def d(i: int, head: int, tail: int) -> float:
        return 16 * float(np.abs(v[head] + r[i] - v[n + tail]).mean())

    def logsigmoid(x: float) -> float:
        return -math.log1p(math.exp(-x))

    total, masked = 0.0, 0
    for i in range(n):
        relation = int(batch["relation"][i])
        total -= logsigmoid(9.0 - d(i, i, i))
        for side in ("tail", "head"):
            found = []
            for j in range(n):
                head, tail = (heads[i], tails[j]) if side == "tail" else (heads[j], tails[i])
                own, other = (tails[i], tail) if side == "tail" else (heads[i], head)
                if (head, relation, tail) in known or names[own] & names[other]:
                    masked += j != i
                    continue
                found.append(d(i, i, j) if side == "tail" else d(i, j, i))
            weight = np.exp(-adversarial * np.array(found))
            total -= float(weight / weight.sum() @ [logsigmoid(x - 9.0) for x in found]) / 2
    assert masked > 5
    assert loss == pytest.approx(total / n / 2, rel=1e-4)
    everything = torch.ones(n, n, dtype=torch.bool)
    alone = aim.loss(lambda ids, mask: vectors, batch | {"true_tail": everything, "true_head": everything})
    assert torch.isfinite(alone)


def test_kepler_saves_its_relations_apart(graph: EntityGraph, tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "knowledge.safetensors"
    Contrastive(graph, tokenizer, WIDTH).save(path)
    assert not path.exists()
    aim = Kepler(graph, tokenizer, WIDTH)
    aim.save(path)
    with safe_open(path, "pt") as saved:
        assert list(saved.keys()) == ["relation.weight"]
        assert torch.equal(saved.get_tensor("relation.weight"), aim.relation.weight)
        assert saved.metadata()["relations"].split() == list(graph.relations)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_stay_finite_at_the_edges(name: str, graph: EntityGraph, tokenizer: Tokenizer) -> None:
    aim = objective(name, graph, tokenizer, WIDTH, batch=6)
    batch = aim.batch(np.random.default_rng(0))
    for vectors in (torch.zeros(12, WIDTH), torch.full((12, WIDTH), 1e4), 1e4 * torch.randn(12, WIDTH)):
        vectors.requires_grad_()
        loss = aim.loss(lambda ids, mask, v=vectors: v, batch)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(vectors.grad).all()


def test_wrong_settings_say_what_to_do(graph: EntityGraph, tokenizer: Tokenizer) -> None:
    with pytest.raises(UnknownNameError, match="contrastive"):
        objective("transe", graph, tokenizer, WIDTH)
    with pytest.raises(ConfigurationError, match="at least 2 pairs"):
        Kepler(graph, tokenizer, WIDTH, batch=1)
    with pytest.raises(ConfigurationError, match="temperature"):
        Contrastive(graph, tokenizer, WIDTH, temperature=0)
    bare = EntityGraph(graph.keys, graph.names, graph.kinds, graph.relations, graph.triples[:0])
    with pytest.raises(ConfigurationError, match="triples"):
        Contrastive(bare, tokenizer, WIDTH)
