"""Images over hospitals: real X-rays in two dimensions, windows in three, norms that stay at home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.federate.job import DataNeeds, Job, Strategy
from xinglin.federate.tasks import imaging as module
from xinglin.federate.tasks.protocol import Files, Privacy
from xinglin.federate.tasks.registry import task

pytest.importorskip("torch")
LABELS = ["normal", "pneumonia"]
FLAT: dict[str, Any] = {
    "labels": LABELS,
    "width": 8,
    "batch": 32,
    "learning_rate": 0.01,
    "optimiser": "adamw",
}
SOLID: dict[str, Any] = {**FLAT, "network": "instances-3d", "width": 2, "lower": -1000.0, "upper": 1000.0}


def write(folder: Path, part: str, images: Any, labels: Any) -> None:
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{part}.npy", images)
    rows = [f"{LABELS[int(label)]},p{number}" for number, label in enumerate(labels)]
    (folder / f"{part}.csv").write_text("label,who\n" + "\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    labels = np.arange(8) % 2
    images = generator.normal(-600, 100, (8, 8, 8, 8)).astype(np.int16)
    images[labels == 1, 2:6, 2:6, 2:6] += 900
    write(tmp_path / "ct", "train", images, labels)
    return tmp_path / "ct"


def test_two_hospitals_learn_pneumonia_from_real_thumbnails(data: Path, tmp_path: Path) -> None:
    from xinglin.federate.in_process import federate

    with np.load(data / "imaging" / "pneumoniamnist" / "dev.npz", allow_pickle=False) as found:
        order = np.random.default_rng(0).permutation(len(found["train_images"]))[:900]
        images, labels = found["train_images"][order], found["train_labels"].ravel()[order]
    for number, site in enumerate("ab"):
        part = slice(250 * number, 250 * (number + 1))
        write(tmp_path / site, "train", images[part], labels[part])
    write(tmp_path / "a", "test", images[600:900], labels[600:900])
    made = Job(name="j", task="imaging", rounds=6, data=DataNeeds(dataset="d"), train=FLAT)
    imaging: Any = task("imaging", FLAT)
    joined = federate(made, imaging, {site: imaging.load(Files(tmp_path / site)) for site in "ab"})
    scored = imaging.evaluate(joined["a"], imaging.load(Files(tmp_path / "a", "test")))
    assert scored["n"] == 300
    assert scored["auc"] > 0.85
    assert all(np.array_equal(joined["a"][name], joined["b"][name]) for name in joined["a"])


def test_private_training_changes_every_weight_of_the_flat_network(tmp_path: Path) -> None:
    write(
        tmp_path / "x",
        "train",
        np.random.default_rng(0).integers(0, 256, (20, 12, 12), np.uint8),
        np.arange(20) % 2,
    )
    found: Any = task("imaging", {**FLAT, "patient": "who"})
    start, examples = found.initial(0), found.load(Files(tmp_path / "x"))
    assert examples.patients == [f"p{number}" for number in range(20)]
    private = Privacy(1.0, 1.0, unit="patient", secret=b"test")
    update = found.train(start, examples, options={"steps": 2}, private=private, seed=0)
    assert all(not np.array_equal(update.state[name], start[name]) for name in start)


def test_batch_norms_stay_at_home_and_are_refused_where_privacy_is_asked(windows: Path) -> None:
    from xinglin.federate.in_process import federate

    found: Any = task("imaging", SOLID)
    examples = found.load(Files(windows))
    other = found.load(Files(windows))
    other.rows.columns[0].mul_(0.5)  # another scanner
    made = Job(
        name="j",
        task="imaging",
        rounds=2,
        data=DataNeeds(dataset="d"),
        train=SOLID,
        strategy=Strategy(local_keys=("norm.",)),
    )
    joined = federate(made, found, {"a": examples, "b": other})
    differ = {name for name in joined["a"] if not np.array_equal(joined["a"][name], joined["b"][name])}
    assert differ
    assert all(name.startswith("norm.") for name in differ)
    assert any(name.endswith("running_mean") for name in differ)
    with pytest.raises(ConfigurationError, match="cannot be trained privately"):
        found.train(found.initial(0), examples, options={}, private=Privacy(1.0, 1.0), seed=0)


def test_windows_are_read_as_their_bounds_say_and_learnt(windows: Path) -> None:
    found: Any = task("imaging", SOLID)
    examples = found.load(Files(windows))
    images = examples.rows.columns[0]
    assert tuple(images.shape) == (8, 1, 8, 8, 8)
    assert float(images.min()) >= -1
    raw = np.load(windows / "train.npy")
    assert images[0, 0].numpy() == pytest.approx(np.clip(raw[0], -1000, 1000) / 1000, abs=1e-6)
    start = found.initial(1)
    update = found.train(start, examples, options={"steps": 30, "batch": 0}, private=None, seed=0)
    assert found.evaluate(update.state, examples)["loss"] < found.evaluate(start, examples)["loss"]


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((2, 8, 8, 8), np.uint8), [0, 1], "expected numbers of shape (images, y, x)"),
        (np.full((2, 8, 8), np.nan), [0, 1], "not finite"),
        (np.zeros((3, 8, 8)), [0, 1], "got 3 images, 2 labels"),
        (np.zeros((2, 0, 8)), [0, 1], "expected numbers of shape"),
        (np.array([[["a"]], [["b"]]]), [0, 1], "expected numbers of shape"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, images: Any, labels: list[int], said: str) -> None:
    write(tmp_path / "x", "train", images, labels)
    with pytest.raises(InvalidInputError) as caught:
        task("imaging", FLAT).load(Files(tmp_path / "x"))
    assert said in str(caught.value)


def test_pickles_foreign_labels_and_large_files_are_refused(
    windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "train.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match="without pickled objects"):
        task("imaging", FLAT).load(Files(tmp_path))
    with pytest.raises(MissingDataError, match=r"test\.npy"):
        task("imaging", FLAT).load(Files(tmp_path, "test"))
    odd = np.zeros((1, 6, 8, 8), np.int16)
    write(tmp_path / "odd", "train", odd, [0])
    with pytest.raises(InvalidInputError, match="multiples of 4"):
        task("imaging", SOLID).load(Files(tmp_path / "odd"))
    (windows / "train.csv").write_text("label\n" + "cancer\n" * 8, encoding="utf-8")
    with pytest.raises(InvalidInputError, match="line 2: column 'label'"):
        task("imaging", SOLID).load(Files(windows))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(InputTooLargeError):
        task("imaging", SOLID).load(Files(windows))
