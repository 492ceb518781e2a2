"""What the nodule benchmark trains: small budgets, one cell a choice, kept so that a rerun goes on where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from xinglin.model.vision.centring import centre
from xinglin.model.vision.images import WINDOW, hounsfield, scaled
from xinglin.model.vision.peaks import highest
from xinglin.model.vision.pooling import Pooling, evidence, pool
from xinglin.train.loop import Plan, train
from xinglin.train.nodules.batches import drawing, steps_of
from xinglin.train.nodules.objectives import WeakObjective
from xinglin.train.nodules.recipe import NoduleOptions, read_maps
from xinglin.train.nodules.windows import Windows, read_cubes

KEEP = Path(os.environ.get("XINGLIN_HOME", Path.home() / ".xinglin")) / "cache" / "nodule-benchmark"
OPTIONS = NoduleOptions(weak_epochs=4)
VIEWS = 4


def cell(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a cell's arrays and seconds, trained now or read from an earlier run."""
    path = KEEP / f"{name}.json"
    if path.is_file():
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    else:
        start, cpu = time.perf_counter(), time.process_time()
        body = make()
        body |= {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body), encoding="utf-8")
    return body


def weak_cell(
    name: str,
    windows: Windows,
    network: Callable[[], nn.Module],
    *,
    how: Pooling = "log-sum-exp",
    stride: int,
    first: float,
    epochs: int = OPTIONS.weak_epochs,
    rate: float = OPTIONS.learning_rate,
) -> dict[str, Any]:
    """Train a network from window labels; validation logits, raw peaks and peaks moved to the nearest blob."""
    fit, valid = windows.where(~windows.valid), windows.where(windows.valid)

    def make() -> dict[str, Any]:
        torch.manual_seed(0)
        made = network()
        run(name, WeakObjective(made, how), fit, epochs, rate)
        pooled = read_maps(made, valid.images, lambda maps: pool(maps, how).view(-1, 1, 1, 1, 1), VIEWS)
        where = valid.where(valid.labels == 1)
        heat = read_maps(made, where.images, lambda maps: evidence(maps, how)[:, None], VIEWS)[:, 0]
        raw = [highest(map_, stride, first, WINDOW) for map_ in heat]
        moved = [
            centre(hounsfield(image), tuple(point)) for image, point in zip(where.images, raw, strict=True)
        ]
        return {
            "logits": pooled.ravel().tolist(),
            "raw": np.array(raw).tolist(),
            "moved": [found.point for found in moved],
            "parameters": sum(item.numel() for item in made.parameters()),
            "epochs": epochs,
        }

    return cell(name, make)


def run(name: str, module: nn.Module, fit: Windows, epochs: int, rate: float) -> None:
    """Train with the recipe's own loop and batches."""
    steps = steps_of(fit, epochs, OPTIONS.batch)
    plan = Plan(steps, rate, 0.15, 0.01, 0, max(1, steps // 4), f"{name}-{fit.digest}-{epochs}", threads=1)
    train(module, drawing(fit, OPTIONS.batch, 0, OPTIONS.changes), plan, KEEP / f"{name}.state")


def pretrained(folder: Path, size: Any, steps: int) -> Any:
    """Return a VideoMAE encoder after masked reconstruction of windows cut anywhere from all cubes, no label read."""
    from safetensors.torch import load_file, save_file

    from xinglin.model.vision.vit import MASKED, TUBELET, MaskedCubes

    torch.manual_seed(0)
    module = MaskedCubes(size)
    kept = KEEP / f"pretrained-{steps}.safetensors"
    if not kept.is_file():
        cubes = read_cubes(folder)
        tokens = int(np.prod([edge // TUBELET for edge in WINDOW]))

        def draw(step: int, process: int, processes: int) -> dict[str, torch.Tensor]:
            generator = np.random.default_rng((0, step))
            images = []
            for index in generator.integers(0, len(cubes), OPTIONS.batch):
                low = [int(generator.integers(0, 50 - edge + 1)) for edge in WINDOW]
                images.append(cubes[index][tuple(slice(a, a + e) for a, e in zip(low, WINDOW, strict=True))])
            hidden = generator.permuted(
                np.tile(np.arange(tokens) < round(MASKED * tokens), (len(images), 1)), axis=1
            )
            seen = torch.from_numpy(scaled(hounsfield(np.stack(images))))[:, None]
            return {"images": seen, "hidden": torch.from_numpy(hidden.astype(np.float32))}

        plan = Plan(
            steps, 1.5e-3, 0.1, 0.05, 0, max(1, steps // 4), f"pretrain-{len(cubes)}-{steps}", threads=1
        )
        train(module, draw, plan, KEEP / "pretrain.state")
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_file(module.state_dict(), str(kept))
    module.load_state_dict(load_file(str(kept)))
    return module.encoder()


def smaller(windows: Windows, quick: bool) -> Windows:
    """A few windows of each kind for a run that only checks that everything works."""
    if not quick:
        return windows
    chosen = np.zeros(len(windows), bool)
    for label in (0, 1):
        for valid in (False, True):
            same = np.flatnonzero((windows.labels == label) & (windows.valid == valid))
            chosen[same[: 12 if valid else 40]] = True
    return replace(windows.where(chosen), digest=windows.digest + "-quick")
