"""A small 2-D network on pneumoniamnist: 28 x 28 chest radiographs of children, pneumonia yes or no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

EPOCHS, BATCH, RATE = 4, 64, 3e-3
Array = np.ndarray[Any, Any]


def scores(path: Path, quick: bool) -> tuple[Array, Array, str]:
    """Train on the train part; return labels and probabilities of the validation part and what was done."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with np.load(path, allow_pickle=False) as data:
        images, labels = data["train_images"], data["train_labels"].ravel()
        held, truth = data["val_images"], data["val_labels"].ravel()
    if quick:
        images, labels = images[:256], labels[:256]
    network = nn.Sequential(
        *_block(1, 24), *_block(24, 48, 2), *_block(48, 48), *_block(48, 96, 2), *_block(96, 96),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, 1),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    epochs = 1 if quick else EPOCHS
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    generator = np.random.default_rng(0)
    for _ in range(epochs):
        order = generator.permutation(len(images))
        for k in range(len(images) // BATCH):
            chosen = order[k * BATCH : (k + 1) * BATCH]
            seen = _scaled(images[chosen])
            if generator.random() < 0.5:
                seen = seen.flip(-1)
            moves = generator.integers(-2, 3, 2).tolist()
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(torch.roll(seen, moves, (2, 3)))[:, 0],
                torch.from_numpy(labels[chosen].astype(np.float32)),
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        logits = network(_scaled(held)) + network(_scaled(held).flip(-1))
    count = sum(item.numel() for item in network.parameters())
    return (
        truth.astype(np.int64),
        torch.sigmoid(logits[:, 0] / 2).numpy(),
        f"CNN of {count:,} parameters, {epochs} epochs",
    )


def _block(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def _scaled(images: Array) -> torch.Tensor:
    return (torch.from_numpy(images.astype(np.float32)) / 127.5 - 1)[:, None]
