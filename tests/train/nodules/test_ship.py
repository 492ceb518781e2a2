"""The whole command on painted nodules: labels in, a sealed detector out that points at them."""

from __future__ import annotations

import csv
import lzma

import numpy as np
import pytest

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.reading import averaged, window_logits
from xinglin.model.vision.runtime import InstanceMaps


def painted(folder, count: int, seed: int = 0):
    """Noisy lung with a tube in every window and a ball in every second one; returns where the balls are."""
    generator = np.random.default_rng(seed)
    images = np.empty((count, 20, 32, 32), np.uint8)
    places = generator.uniform((5, 7, 7), (14, 24, 24), (count, 3))
    grid = np.indices((20, 32, 32))
    for i in range(count):
        hu = -850 + 40 * generator.standard_normal((20, 32, 32))
        tube = np.hypot(grid[1] - generator.uniform(4, 28), grid[2] - generator.uniform(4, 28))
        hu += 880 * np.clip(2.5 - tube, 0, 1)
        if i % 2:
            away = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(grid, places[i], strict=True)))
            hu += (30 - hu) * np.clip(4 - away, 0, 1)
        images[i] = np.clip((hu + 1000) / 16, 0, 88)
    with lzma.open(folder / "windows.npy.xz", "wb", preset=0) as file:
        np.save(file, images)
    with (folder / "windows_train_labels.csv").open("w", newline="") as file:
        rows = [(f"w{i}", "valid" if i % 5 == 0 else "train", i % 2, f"s{i}") for i in range(count)]
        csv.writer(file).writerows([("window_id", "split", "label", "seriesuid"), *rows])
    return images, places


@pytest.mark.slow
def test_from_labels_to_places(tmp_path):
    from xinglin.train.nodules.recipe import NoduleOptions
    from xinglin.train.nodules.ship import train_nodules

    data = tmp_path / "data"
    data.mkdir()
    images, places = painted(data, 240)
    options = NoduleOptions(width=8, weak_epochs=8, centre_epochs=8, batch=16)
    seen: list[str] = []

    def stop(stage, tick):
        seen.append(stage)
        if len(seen) == 30:  # in the third pass of stage 1
            raise KeyboardInterrupt

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train_nodules(data, out, options, report=stop)
    assert not out.exists()
    assert (tmp_path / ".model.training").is_dir()
    steps: list[tuple[str, int]] = []
    made = train_nodules(data, out, options, report=lambda stage, tick: steps.append((stage, tick.step)))
    assert 1 < steps[0][1] < 30  # resumed, not begun anew
    assert {stage for stage, _ in steps} == {"weak", "centres"}
    assert not (tmp_path / ".model.training").exists()
    assert verify_checkpoint(out).id == made.id
    assert made.manifest["settings"]["supervision"] == "window labels only"
    network = InstanceMaps.load(out)
    hidden = np.flatnonzero((np.arange(240) % 5 == 0) & (np.arange(240) % 2 == 1))
    maps = averaged(network, scaled(hounsfield(images[hidden])))
    from xinglin.apps.imaging.nodules import in_window

    found = [in_window(network, one, hu) for one, hu in zip(maps, hounsfield(images[hidden]), strict=True)]
    away = np.linalg.norm(np.array([one.point for one in found]) - places[hidden], axis=1)
    assert len(away) == 24
    assert np.median(away) < 1.0
    assert made.manifest["metrics"]["valid_auroc_fp32"]["value"] > 0.9
    # The same windows one by one and together, in either precision: an answer does not depend on its neighbours.
    for precision in ("fp32", "int8"):
        one = InstanceMaps.load(out, precision=precision)
        batch = scaled(hounsfield(images[:6]))
        together = window_logits(one, one.maps(batch))
        apart = [window_logits(one, one.maps(image[None]))[0] for image in batch]
        assert together == pytest.approx(np.array(apart), abs=1e-4)
    (out / "model.safetensors").write_bytes((out / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        InstanceMaps.load(out)


def test_labels_of_one_kind_are_refused(tmp_path):
    from xinglin.train.nodules.ship import train_nodules

    painted(tmp_path, 10)
    table = tmp_path / "windows_train_labels.csv"
    table.write_text(table.read_text().replace("train,1", "train,0"))
    with pytest.raises(InvalidInputError, match="with and without"):
        train_nodules(tmp_path, tmp_path / "out")


def test_a_curve_through_logits_is_found_again():
    from xinglin.train.nodules.ship import platt

    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, 4000)
    labels = (generator.random(4000) < 1 / (1 + np.exp(-(1.7 * logits - 0.6)))).astype(np.int64)
    assert platt(logits, labels) == pytest.approx((1.7, -0.6), abs=0.15)
