"""Every task through the product's own rounds: admission, budget, training, aggregation, measuring, ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.federate.hospitals import allow, run_direct
from tests.federate.tasks import test_decoder, test_encoder, test_imaging
from xinglin.federate.job import job_from
from xinglin.federate.permit import describe
from xinglin.federate.tasks.registry import task
from xinglin.ledger import verify
from xinglin.store import Store, open_store

pytest.importorskip("torch")
pytest.importorskip("flwr")
model = test_decoder.model
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "encoder": ({**test_encoder.OPTIONS, "patient": "who"}, {}),
    "decoder-lora": (test_decoder.OPTIONS, {}),
    "imaging": (test_imaging.SOLID, {"local_keys": ["norm."]}),
}


def write(name: str, folder: Path, number: int) -> None:
    """Write what one hospital has: a training and a test part."""
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        if name == "imaging":
            images = np.random.default_rng(number).normal(-600, 100, (8, 8, 8, 8)).astype(np.int16)
            test_imaging.write(folder, part, images, np.arange(8) % 2)
        elif name == "encoder":
            rows = [
                f'"{text}",{test_encoder.LABELS[label]},p{place}'
                for place, (text, label) in enumerate(test_encoder.TEXTS[number:])
            ]
            (folder / f"{part}.csv").write_text("text,label,who\n" + "\n".join(rows) + "\n", encoding="utf-8")
        else:
            rows = [f'{question},"{answer}"' for question, answer in test_decoder.PAIRS[number:]]
            (folder / f"{part}.csv").write_text(
                "question,answer\n" + "\n".join(rows) + "\n", encoding="utf-8"
            )
    describe(folder, f"site {number}", licence="CC0-1.0", basis="synthetic")


@pytest.mark.parametrize(("name", "private"), [("encoder", True), ("decoder-lora", True), ("imaging", False)])
def test_a_job_runs_to_its_end(name: str, private: bool, model: Path, tmp_path: Path, store: Store) -> None:
    train, strategy = SETTINGS[name]
    sections: dict[str, Any] = {
        "job": {"name": "walk", "task": name, "rounds": 1, "timeout": 60.0},
        "data": {"dataset": "notes"},
        "train": train,
        "strategy": strategy,
    }
    if private:
        unit = "patient" if "patient" in train else "example"
        sections["privacy"] = {"unit": unit, "epsilon": 8.0, "delta": 1e-2, "max_grad_norm": 1.0}
    job = job_from(sections)
    folders = {f"site-{number}": tmp_path / "data" / str(number) for number in (1, 2)}
    for number, (site, folder) in enumerate(folders.items(), 1):
        write(name, folder, number)
        allow(tmp_path / "run" / "sites" / site, job, epsilon=10.0 if private else None, delta=1e-2)
    state = run_direct(job, folders, tmp_path / "run", store)
    initial = task(name, job.train).initial(job.seed)
    assert set(state) == {key for key in initial if not key.startswith("norm.")}
    assert any(not np.array_equal(state[key], initial[key]) for key in state)
    for site in folders:
        own = open_store(f"sqlite:///{tmp_path / 'run' / 'sites' / site / 'xinglin.db'}")
        with own.read() as connection:
            verify(connection)
        own.close()
