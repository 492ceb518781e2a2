"""Embeddings of the knowledge graph by PyKEEN, scored on held-out triples, and disease heads made of them.

TransE (Bordes et al. 2013) and RotatE (Sun et al. 2019, arXiv 1902.10197) are trained on sampled negatives weighted
by their own score; ComplEx (Trouillon et al. 2016, arXiv 1606.06357) by a softmax over all entities, as tail and as
head (Lacroix et al. 2018, arXiv 1806.07297). Saved as safetensors and JSON, no pickle.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDataError,
    MissingExtraError,
    UnknownNameError,
)
from xinglin.model.knowledge import EntityGraph, split
from xinglin.model.quiet import quiet_loggers
from xinglin.model.saving import saving
from xinglin.train.link_ranks import Score, figures, filtered_ranks, popularity

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
Array = NDArray[np.float64]
WEIGHTS, DESCRIPTION = "embeddings.safetensors", "embeddings.json"
INITIAL_DEVIATION = 0.02
"""Standard deviation of a fresh head in ``transformers``."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained."""

    kind: str
    """Class of PyKEEN."""
    complex: bool
    """Whether a vector of ``dim`` numbers is ``dim / 2`` complex ones."""
    margin: float | None
    """Of the loss over sampled negatives, weighted by their own score; ``None``: softmax over all entities."""


RECIPES = {
    "transe": Recipe("TransE", False, 6.0),
    "rotate": Recipe("RotatE", True, 6.0),
    "complex": Recipe("ComplEx", True, None),
}
LEARNING_RATE = 0.01
NEGATIVES = 32
BATCH = 1024
"""Triples a step; fewer in a small graph, so that an epoch has about ``STEPS``."""
STEPS = 32
EVERY, PATIENCE = 10, 3
"""Validation every so many epochs; training ends after so many validations without gain."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors of entities and relations; complex vectors as pairs (real, imaginary) of neighbouring columns."""

    model: str
    keys: tuple[str, ...]
    relations: tuple[str, ...]
    entity: Floats
    """(entities, dim)."""
    relation: Floats
    """(relations, dim)."""
    description: dict[str, Any]
    """What stands in ``embeddings.json``: settings, digests, metrics."""


def embed_graph(
    graph: EntityGraph,
    model: str,
    dim: int,
    epochs: int,
    seed: int,
    out: Path,
    *,
    valid: float = 0.03,
    test: float = 0.05,
    report: Callable[[int, int, float], None] | None = None,
) -> Embeddings:
    """Train, score on held-out triples and save.

    Args:
        graph: the graph.
        model: ``transe``, ``rotate`` or ``complex``.
        dim: numbers a vector, even.
        epochs: at most so many; fewer when validation stops gaining.
        seed: of the split and of training.
        out: folder to write; replaced whole.
        valid: share of the triples that decides when to stop.
        test: share of the triples that is scored.
        report: called with (epochs done, epochs, validation MRR).

    Raises:
        UnknownNameError: there is no such model.
        ConfigurationError: a setting is out of bounds.
        MissingExtraError: PyKEEN is not installed.
    """
    if model not in RECIPES:
        raise UnknownNameError(f"expected a model of {', '.join(RECIPES)}; got {model!r}: choose one of them")
    if dim < 2 or dim % 2 or epochs < 1 or valid <= 0 or test <= 0 or valid + test >= 0.5:
        raise ConfigurationError(
            "expected an even dim, at least one epoch, and shares for validation and test above 0 and below a half "
            f"together; got dim {dim}, epochs {epochs}, {valid} and {test}"
        )
    rest, held = split(graph, test, seed)
    train, watched = split(rest, valid / (1.0 - test), seed + 1)
    if not len(held) or not len(watched):
        raise ConfigurationError(
            f"expected triples to validate and test on; got {len(watched)} and {len(held)}: the graph is too small"
        )
    entity, relation, score, best = _trained(train, watched, graph, RECIPES[model], dim, epochs, seed, report)
    ranks = filtered_ranks(score, held.triples, graph.triples)
    floor = filtered_ranks(popularity(train), held.triples, graph.triples)
    description = {
        "format": 1,
        "model": model,
        "dim": dim,
        "epochs": epochs,
        "best_epoch": best,
        "seed": seed,
        "graph": graph.digest,
        "triples": {"train": len(train), "validation": len(watched), "test": len(held)},
        "keys": list(graph.keys),
        "relations": list(graph.relations),
        "metrics": figures(ranks, floor, seed),
    }
    with saving(out) as folder:
        from safetensors.numpy import save_file

        save_file({"entity": entity, "relation": relation}, str(folder / WEIGHTS))
        description["sha256"] = sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    return Embeddings(model, graph.keys, graph.relations, entity, relation, description)


def read_embeddings(folder: Path) -> Embeddings:
    """Read what :func:`embed_graph` wrote; needs neither torch nor PyKEEN.

    Raises:
        MissingDataError: the folder holds no embeddings.
        CheckpointError: the files are damaged or do not belong together.
    """
    if not (folder / DESCRIPTION).is_file() or not (folder / WEIGHTS).is_file():
        raise MissingDataError(
            f"{folder}: expected {DESCRIPTION} and {WEIGHTS}; run xinglin train graph --out {folder}"
        )
    from safetensors.numpy import load

    body = (folder / WEIGHTS).read_bytes()
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        digest, keys = description["sha256"], tuple(description["keys"])
        model, relations = description["model"], tuple(description["relations"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / DESCRIPTION}: cannot be read ({error}); train it anew") from None
    if sha256(body).hexdigest() != digest:
        raise CheckpointError(
            f"{folder / WEIGHTS}: expected SHA-256 {digest[:12]}, got {sha256(body).hexdigest()[:12]}: train it anew"
        )
    arrays = load(body)
    entity, relation = arrays["entity"], arrays["relation"]
    if len(entity) != len(keys) or len(relation) != len(relations):
        raise CheckpointError(f"{folder}: expected {len(keys)} entities, got {len(entity)}: train it anew")
    return Embeddings(model, keys, relations, entity, relation, description)


def disease_head(embeddings: Embeddings, hidden_size: int, names: Sequence[str], seed: int) -> Floats:
    """Return rows for a classifier over diseases, made of their embeddings.

    The rows are centred and whitened over the diseases asked for; the leading directions are kept when there are
    more than ``hidden_size``, and a seeded orthogonal map turns them into the head's space. The deviation is that of
    a fresh head, so that what differs from one is only which diseases are near each other.

    Args:
        embeddings: of a graph that holds the diseases.
        hidden_size: width of the encoder.
        names: Chinese names of the diseases, in the head's order; at least 2.
        seed: of the map.

    Returns:
        Shape (diseases, hidden_size).

    Raises:
        UnknownNameError: a disease is not in the graph.
    """
    place = {key: i for i, key in enumerate(embeddings.keys)}
    for name in names:
        if f"disease:{name}" not in place:
            from difflib import get_close_matches

            known = [key.removeprefix("disease:") for key in place if key.startswith("disease:")]
            near = get_close_matches(name, known, n=3, cutoff=0.3)
            raise UnknownNameError(
                f"{name!r} is no disease of the graph; nearest: {', '.join(near) or 'none'}"
            )
    if len(names) < 2:
        raise ConfigurationError(f"expected at least two diseases for a head, got {len(names)}")
    rows = embeddings.entity[[place[f"disease:{name}"] for name in names]].astype(np.float64)
    left, size, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = min(hidden_size, int((size > 1e-8 * size[0]).sum()))
    turn, upper = np.linalg.qr(np.random.default_rng(seed).normal(size=(hidden_size, hidden_size)))
    turn *= np.sign(np.diag(upper))  # makes the draw uniform over rotations (Mezzadri 2007)
    head = left[:, :kept] @ turn[:kept]
    return np.asarray(head * (INITIAL_DEVIATION / head.std()), np.float32)


def _trained(
    train: EntityGraph,
    watched: EntityGraph,
    whole: EntityGraph,
    recipe: Recipe,
    dim: int,
    epochs: int,
    seed: int,
    report: Callable[[int, int, float], None] | None,
) -> tuple[Floats, Floats, Score, int]:
    """Train with early stopping; return both matrices, the scorer and the epoch they are of."""
    with _pykeen():
        try:
            import torch
            from pykeen import losses, models, training
            from pykeen.triples import CoreTriplesFactory
        except ImportError as error:
            raise MissingExtraError(f"xinglin train graph ({error.name})", "train") from None
        torch.manual_seed(seed)
        factory = CoreTriplesFactory(
            torch.from_numpy(train.triples.copy()),
            num_entities=len(train.keys),
            num_relations=len(train.relations),
        )
        more: dict[str, Any] = {}
        if recipe.margin is None:
            loss: Any = losses.CrossEntropyLoss()
            # PyKEEN's own start, deviation 1, is far from what a softmax can still move.
            more = dict.fromkeys(("entity_initializer", "relation_initializer"), "xavier_uniform")
        else:
            loss = losses.NSSALoss(margin=recipe.margin, adversarial_temperature=1.0)
        model = getattr(models, recipe.kind)(
            triples_factory=factory,
            embedding_dim=dim // 2 if recipe.complex else dim,
            loss=loss,
            random_seed=seed,
            **more,
        )
        given = {
            "model": model,
            "triples_factory": factory,
            "optimizer": torch.optim.Adam(model.parameters(), lr=LEARNING_RATE),
        }
        if recipe.margin is None:
            loop: Any = training.SymmetricLCWATrainingLoop(**given)
        else:
            sampler = {"num_negs_per_pos": NEGATIVES}
            loop = training.SLCWATrainingLoop(**given, negative_sampler_kwargs=sampler)

        def score(rows: Ids, tails: bool) -> Array:
            asked = np.ascontiguousarray(rows[:, :2] if tails else rows[:, 1:])
            pairs = torch.from_numpy(asked).to(model.device)
            with torch.no_grad():
                found = model.predict_t(pairs) if tails else model.predict_h(pairs)
            return np.asarray(found.cpu().numpy(), np.float64)

        best, kept, since = -1.0, (0, model.state_dict()), 0
        done = 0
        while done < epochs and since < PATIENCE:
            again = done > 0
            done = min(epochs, done + EVERY)
            loop.train(
                factory,
                num_epochs=done,
                batch_size=min(BATCH, max(STEPS, len(train) // STEPS)),
                continue_training=again,
                use_tqdm=False,
            )
            reached = float((1.0 / filtered_ranks(score, watched.triples, whole.triples)).mean())
            if report is not None:
                report(done, epochs, reached)
            since += 1
            if reached > best:
                state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
                best, kept, since = reached, (done, state), 0
        model.load_state_dict(kept[1])
        model.eval()
        return (
            _matrix(model.entity_representations[0]),
            _matrix(model.relation_representations[0]),
            score,
            kept[0],
        )


def _matrix(representation: Any) -> Floats:
    """A representation's rows as real numbers."""
    import torch

    rows = representation(indices=None).detach().cpu()
    if rows.is_complex():
        rows = torch.view_as_real(rows)
    return np.ascontiguousarray(rows.reshape(len(rows), -1).numpy(), dtype=np.float32)


@contextmanager
def _pykeen() -> Iterator[None]:
    """Keep PyKEEN quiet, and the folders it makes on import out of the user's home."""
    before = os.environ.get("PYSTOW_HOME")
    with tempfile.TemporaryDirectory(prefix="xinglin-") as folder:
        if "pykeen" not in sys.modules:
            os.environ["PYSTOW_HOME"] = folder
        try:
            with quiet_loggers("pykeen"), warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"torch\.utils\.data|pykeen")
                yield
        finally:
            if before is None:
                os.environ.pop("PYSTOW_HOME", None)
            else:
                os.environ["PYSTOW_HOME"] = before
