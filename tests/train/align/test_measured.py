"""Retrieval against brute force; chance against a simulation; cubes and batches as they are written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.align.synthetic import write_cubes
from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.model.align.networks import Aligned, WordsConfig
from xinglin.model.sizes import PAD
from xinglin.model.tokenizer import train_tokenizer
from xinglin.train.align.batches import around, drawing, encoded, prepare
from xinglin.train.align.cubes import Cubes, read_rated
from xinglin.train.align.measured import Retrieval, windows_of
from xinglin.train.align.reports import every_text
from xinglin.train.nodules.augment import Changes


def table(seed: int, n: int = 12) -> Retrieval:
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, n // 2, n)
    return Retrieval(generator.normal(size=(n, n)), kinds[:, None] == kinds[None])


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize("depth", [1, 4])
def test_hits_are_those_of_sorting(depth: int, reports: bool, alike: bool) -> None:
    checked = 0
    for seed in range(10):
        found = table(seed)
        fit, same = (found.fit, found.same) if reports else (found.fit.T, found.same.T)
        for row, hit in enumerate(found.hits(depth, reports=reports, alike=alike)):
            first = np.argsort(-fit[row])[:depth]
            right = same[row] if alike else np.arange(len(fit)) == row
            assert hit == float(right[first].any())
            checked += 1
    assert checked == 120


def test_chance_is_what_shuffling_gives() -> None:
    found = table(3)
    generator = np.random.default_rng(0)
    drawn = [
        Retrieval(generator.permuted(found.fit, axis=1), found.same).hits(3, reports=True, alike=True).mean()
        for _ in range(3000)
    ]
    assert found.chance(3, reports=True, alike=True) == pytest.approx(np.mean(drawn), abs=0.01)
    assert found.chance(1, reports=True, alike=False) == pytest.approx(1 / 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cubes(tmp_path_factory.mktemp("cubes"))


@pytest.fixture(scope="module")
def cubes(folder: Path) -> Cubes:
    return read_rated(folder, "train")


def test_the_splits_share_no_scan(folder: Path, cubes: Cubes) -> None:
    valid = read_rated(folder, "valid")
    assert (len(cubes), len(valid)) == (9, 3)
    assert not set(cubes.scans) & set(valid.scans)
    parts = {}
    for part in ("fit", "check"):
        try:
            parts[part] = set(read_rated(folder, part).scans)
        except InvalidInputError:
            parts[part] = set()
    assert parts["fit"] | parts["check"] == set(cubes.scans)
    assert not parts["fit"] & parts["check"]


def test_the_window_holds_the_nodule_and_says_where(cubes: Cubes) -> None:
    window, centre = around(cubes, 0, (3, -5, 6))
    assert window.shape == (20, 32, 32)
    z, y, x = np.argwhere(window > 40).mean(0)
    assert (z, y, x) == pytest.approx(tuple(centre), abs=0.6)
    assert windows_of(cubes).shape == (9, 20, 32, 32)


def test_the_trunk_looks_at_the_nodule_and_away_from_it(cubes: Cubes) -> None:
    """A trunk whose first channel is the density of a place: at the nodule it is the ball's, away from it lung's."""
    tokenizer = train_tokenizer(every_text(0, 400), 400)
    torch.manual_seed(0)
    model = Aligned(WordsConfig(vocab_size=400)).eval()
    first = model.places.stem.first
    with torch.no_grad():
        first[0].weight[0] = 0
        first[0].weight[0, 0, 2:4, 2:4, 2:4] = 1 / 8
    calm = Changes(thick=0.0, gain=0.0, shift_hu=0.0, noise_hu=0.0)
    prepared = prepare(cubes, model, views=2, empty=4, seed=0, changes=calm)
    assert prepared.features.shape == (22, 80, 256)
    assert (prepared.owner < 0).sum() == 4
    assert not (prepared.near & prepared.far).any()
    assert prepared.near[:18].any(1).all()
    assert not prepared.near[18:].any()
    density = prepared.features[:, 0].astype(float)
    assert np.quantile(density[prepared.near], 0.2) > 0.3
    assert np.quantile(density[prepared.far], 0.99) < 0.05
    draw = drawing(cubes, prepared, tokenizer, 8, 0)
    one, two = draw(3, 0, 1), draw(3, 0, 1)
    assert set(one) == {"features", "near", "far", "input_ids", "attention_mask", "truth", "meant"}
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["features"], draw(4, 0, 1)["features"])
    assert one["features"].shape == (10, 80, 256, 1, 1)
    assert (one["truth"].diagonal() == 1).all()
    assert set(one["truth"].unique().tolist()) <= {-1, 0, 1}


def test_long_texts_are_cut_and_padded() -> None:
    tokenizer = train_tokenizer(every_text(0, 400), 400)
    ids, mask = encoded(tokenizer, ["nodule", "nodule, with calcium " * 60])
    assert ids.shape == mask.shape == (2, 96)
    assert ((ids == PAD) == (mask == 0)).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("nodules.csv", {"shard": "99"}),
        ("nodules.csv", {"row": "-1"}),
        ("nodules.csv", {"lidc_texture": "dense"}),
        ("windows_train_labels.csv", {"cube_id": "nobody"}),
        ("windows_train_labels.csv", {"z0": "1e9"}),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, name: str, change: dict[str, str]) -> None:
    folder = write_cubes(tmp_path / "cubes", 4)
    with (folder / name).open() as file:
        rows = list(csv.DictReader(file))
    rows[0] |= change
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises((InvalidInputError, MissingDataError)):
        read_rated(folder, "train")


def test_what_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"nodules\.csv"):
        read_rated(tmp_path, "train")
    with pytest.raises(InvalidInputError, match="split"):
        read_rated(tmp_path, "all")
