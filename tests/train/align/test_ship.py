"""``xinglin train align`` on cubes of our own: resumed, sealed, exported; a dense ball is told from a soft one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.align.synthetic import write_cubes
from xinglin.errors import CheckpointError
from xinglin.model.align.networks import WordsConfig, body_of, config_of, read_towers
from xinglin.model.align.runtime import LungWords
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.train.align.cubes import read_rated
from xinglin.train.align.measured import windows_of
from xinglin.train.align.recipe import AlignOptions
from xinglin.train.align.ship import train_align
from xinglin.train.loop import Tick
from xinglin.train.nodules.augment import Changes

CALM = Changes(thick=0.0, gain=0.02, shift_hu=10.0, noise_hu=10.0)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "bert"},
        {"vocab_size": 0},
        {"width": "16"},
        {"stride": 3},
        {"surprise": 1},
        {"space": 9999},
    ],
)
def test_a_configuration_of_another_model_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        config_of(body_of(WordsConfig(vocab_size=400)) | change)
    assert config_of(body_of(WordsConfig(vocab_size=400))) == WordsConfig(vocab_size=400)


@pytest.mark.slow
def test_from_cubes_to_a_model_that_knows_calcium(tmp_path: Path) -> None:
    data, out = write_cubes(tmp_path / "cubes", 32), tmp_path / "words"
    options = AlignOptions(epochs=12, batch=8, changes=CALM)
    stopped: list[int] = []

    def stop(tick: Tick) -> None:
        stopped.append(tick.step)
        if tick.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_align(data, out, options, report=stop)
    made = train_align(data, out, options, report=lambda tick: stopped.append(tick.step))
    assert stopped[-1] == options.epochs * (len(read_rated(data, "fit")) // 8)
    assert verify_checkpoint(out).id == made.id
    assert not (tmp_path / ".words.training").exists()
    words, valid = LungWords.load(out), read_rated(data, "valid")
    places = words.places(scaled(hounsfield(windows_of(valid))))
    fits = words.fit(places, words.sentences(["calcified nodule", "未见钙化的结节"]))
    dense = np.array([nodule.ratings["calcification"] < 6 for nodule in valid.nodules])
    margin = fits[:, 0] - fits[:, 1]
    assert margin[dense].min() > margin[~dense].max()
    tower = read_towers(out)
    with torch.no_grad():
        theirs = tower.places(torch.from_numpy(scaled(hounsfield(windows_of(valid))))[:, None]).numpy()
    assert np.abs(theirs - places).max() < 1e-3
