"""From the detector's trunk to places that know words: one command, resumable, a minute or two of one core.

The trunk is frozen, so that it looks at every window once; what is trained is a head that sees one place at a time, and
the text tower.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from xinglin.model.align.networks import Aligned, WordsConfig
from xinglin.model.tokenizer import train_tokenizer
from xinglin.model.vision.cnn import ConvolutionalInstances
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.train.align.batches import drawing, encoded, prepare
from xinglin.train.align.cubes import Cubes
from xinglin.train.align.objective import AlignObjective
from xinglin.train.align.reports import every_text
from xinglin.train.loop import Plan, Report, Trained, train
from xinglin.train.nodules.augment import Changes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WARMUP, DECAY = 0.1, 0.02
SPOKEN = 3000
"""Texts that the vocabulary is learnt on."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """What decides the weights, beside the data and the detector that is started from."""

    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3
    views: int = 2
    """Windows of each nodule that the trunk looks at, once, before the training."""
    empty: int = 300
    """Windows without a nodule, likewise."""
    vocabulary: int = 400
    space: int = 64
    seed: int = 0
    changes: Changes = field(
        default_factory=lambda: Changes(thick=0.2, gain=0.05, shift_hu=30.0, noise_hu=25.0)
    )


def train_words(
    cubes: Cubes,
    detector: ConvolutionalInstances,
    options: AlignOptions,
    state: Path,
    *,
    threads: int | None = 1,
    report: Report | None = None,
) -> tuple[Aligned, Tokenizer, Trained]:
    """Train both towers.

    Args:
        cubes: to train on.
        detector: whose trunk the image tower has, and keeps as it is.
        options: settings.
        state: folder of the resumable state.
        threads: CPU threads.
        report: called after every step.
    """
    tokenizer = train_tokenizer(every_text(options.seed, SPOKEN), options.vocabulary)
    torch.manual_seed(options.seed)
    model = Aligned(WordsConfig(vocab_size=tokenizer.get_vocab_size(), space=options.space))
    model.places.stem.load_state_dict(detector.stem.state_dict())
    model.places.stem.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    model.eval()
    if threads is not None:
        torch.set_num_threads(threads)
    prepared = prepare(
        cubes, model, views=options.views, empty=options.empty, seed=options.seed, changes=options.changes
    )
    steps = options.epochs * (len(cubes) // options.batch)
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    digest.update(cubes.digest.encode())
    digest.update(tokenizer.to_str().encode())
    for tensor in detector.stem.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    plan = Plan(
        steps=steps,
        learning_rate=options.learning_rate,
        warmup=WARMUP,
        weight_decay=DECAY,
        seed=options.seed,
        save_every=max(1, steps // 4),
        digest=digest.hexdigest(),
        threads=threads,
    )
    trained = train(
        AlignObjective(model),
        drawing(cubes, prepared, tokenizer, options.batch, options.seed),
        plan,
        state,
        report=report,
    )
    return model.eval(), tokenizer, trained


@torch.no_grad()
def place_vectors(model: Aligned, windows: NDArray[np.uint8], batch: int = 32) -> Floats:
    """Return the vectors of every place of stored windows, (n, space, z/2, y/2, x/2)."""
    found = []
    for start in range(0, len(windows), batch):
        images = torch.from_numpy(scaled(hounsfield(windows[start : start + batch])))[:, None]
        found.append(model.places(images).numpy())
    return np.concatenate(found)


@torch.no_grad()
def sentence_vectors(model: Aligned, tokenizer: Tokenizer, texts: Sequence[str]) -> Floats:
    """Return the vectors of sentences, (n, space)."""
    ids, mask = encoded(tokenizer, texts)
    vectors: Floats = model.sentences(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    return vectors
