"""What an export is probed on: labelled texts of one's own, or, without any, inputs that come from no patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.model.parts import CONFIG, check_parts, read_json
from xinglin.model.tokenizer import load_tokenizer
from xinglin.release.export.probe import Feed, ProbeSet
from xinglin.release.export.report import rendered_texts

TEXTS = 200
SEQUENCES = 40
WINDOWS = 24
LONGEST = 128
"""Tokens of a probe text; of a longer one the beginning."""
MOST = 5_000
"""Labelled texts that are read."""
SHAPE = (20, 32, 32)
"""Voxels of a probe window."""


def default_probe(folder: Path, kind: str) -> ProbeSet:
    """Return the probe set of a kind of checkpoint: the same for the same checkpoint, without any data set."""
    if kind == "classifier":
        return _rendered(folder)
    generator = np.random.default_rng(0)
    if kind == "decoder":
        config = read_json(folder / CONFIG)
        vocabulary = int(config["vocab_size"])
        longest = min(64, int(config.get("max_position_embeddings", 64)))
        drawn = [generator.integers(0, vocabulary, (1, 4 + 7 * i % (longest - 4))) for i in range(SEQUENCES)]
        return ProbeSet(tuple({"input_ids": ids} for ids in drawn), "random tokens")
    return ProbeSet(tuple(_window(generator) for _ in range(WINDOWS)), "balls in noise")


def _rendered(folder: Path) -> ProbeSet:
    """Sentences of the graph's diseases; labelled by them where they are the classes."""
    place = {name: i for i, name in enumerate(check_parts(folder).labels)}
    texts = rendered_texts(TEXTS)
    feeds = text_feeds(folder, [text for text, _ in texts])
    truth = [place.get(disease, -1) for _, disease in texts]
    if min(truth) < 0:
        return ProbeSet(feeds, "sentences rendered from the starter graph")
    return ProbeSet(
        feeds, "sentences rendered from the starter graph, with their diseases", np.array(truth, np.int64)
    )


def labelled_probe(folder: Path, path: Path) -> ProbeSet:
    """Return a probe set from JSON lines ``{"text": ..., "label": ...}``; labels are the checkpoint's classes.

    Raises:
        InvalidInputError: a line of another shape, an unknown label, too few or too many lines.
        MissingDataError: there is no such file.
    """
    place = {name: i for i, name in enumerate(check_parts(folder).labels)}
    texts, truth = [], []
    for number, row in read_lines(path):
        text, label = row.get("text"), row.get("label")
        if not isinstance(text, str) or not text.strip() or not isinstance(label, str):
            raise InvalidInputError(f"{path.name}:{number}: expected text and label, both words")
        if label not in place:
            raise InvalidInputError(
                f"{path.name}:{number}: label: expected one of the model's {len(place)} classes, got {label[:60]!r}"
            )
        texts.append(text)
        truth.append(place[label])
        if len(texts) > MOST:
            raise InvalidInputError(f"{path.name}: expected at most {MOST} lines")
    return ProbeSet(
        text_feeds(folder, texts), f"{path.name}, labelled", np.array(truth, np.int64), natural=True
    )


def text_feeds(folder: Path, texts: Sequence[str]) -> tuple[Feed, ...]:
    """Return one feed a text: ids and mask of shape (1, tokens)."""
    tokenizer = load_tokenizer(folder)
    feeds: list[Feed] = []
    for text in texts:
        ids = tokenizer.encode(text[: 8 * LONGEST]).ids
        if len(ids) > LONGEST:
            ids = [*ids[: LONGEST - 1], ids[-1]]
        row = np.array([ids], np.int64)
        feeds.append({"input_ids": row, "attention_mask": np.ones_like(row)})
    return tuple(feeds)


def _window(generator: np.random.Generator) -> Feed:
    """A scaled window with a bright ball somewhere: the detector's maps have a highest place to agree on."""
    grid = np.indices(SHAPE).astype(np.float32)
    at = np.array([generator.uniform(5, edge - 5) for edge in SHAPE], np.float32).reshape(3, 1, 1, 1)
    ball = ((grid - at) ** 2).sum(0) < generator.uniform(2, 5) ** 2
    noise = generator.normal(-0.6, 0.15, SHAPE) + 0.9 * ball
    return {"images": noise.astype(np.float32)[None, None]}
