"""The text encoder over hospitals: the halves are the whole, only the upper half travels, it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.records.test_archive import put
from xinglin.errors import CheckpointError, ConfigurationError, InvalidInputError, MissingDataError
from xinglin.federate.tasks import encoder as module
from xinglin.federate.tasks.models import model_folder
from xinglin.federate.tasks.protocol import Archived, Files, Privacy
from xinglin.federate.tasks.registry import task
from xinglin.ledger import give_consent, grant
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.records import create_dataset
from xinglin.store import Store
from xinglin.types import Code, Event, Record

torch = pytest.importorskip("torch")
LABELS = ["肺炎", "胃炎"]
OPTIONS: dict[str, Any] = {
    "labels": LABELS,
    "max_length": 16,
    "layers": 1,
    "learning_rate": 1e-3,
    "optimiser": "adamw",
    "batch": 4,
}
TEXTS = [("咳嗽发热三天,胸痛", 0), ("上腹痛反酸嗳气", 1), ("高热,咳黄痰,气促", 0), ("饭后胃胀,恶心", 1)] * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    rows = [f'"{text}",{LABELS[label]},p{number % 5}' for number, (text, label) in enumerate(TEXTS)]
    (made / "train.csv").write_text("text,label,who\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return made


def test_the_two_halves_are_the_whole_model_and_only_the_upper_one_travels(folder: Path) -> None:
    from xinglin.model.sizes import PAD
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.finetune import encode, open_classifier, padded
    from xinglin.train.options import FineTuneOptions

    found: Any = task("encoder", OPTIONS)
    state = found.initial(3)
    base = model_folder("medical-open-model", "")
    whole: Any = open_classifier(base, LABELS, FineTuneOptions())
    depth = len(whole.model.layers)
    assert any(name.startswith(f"model.layers.{depth - 1}.") for name in state)
    assert not any(name.startswith(("model.embeddings", "model.layers.0.")) for name in state)
    whole.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()}, strict=False)
    ids = padded(encode(load_tokenizer(base), [text for text, _ in TEXTS], 16))
    with torch.no_grad():
        expected = whole.eval()(input_ids=ids, attention_mask=ids != PAD).logits.numpy()
    logits = found.logits(state, found.load(Files(folder)))
    assert logits == pytest.approx(expected, abs=5e-3)  # the lower half is kept in 16 bits
    again = found.initial(3)
    assert all(np.array_equal(state[name], again[name]) for name in state)
    assert not np.array_equal(state["classifier.weight"], found.initial(4)["classifier.weight"])


def test_it_learns_and_what_does_not_fit_in_memory_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Any = task("encoder", OPTIONS)
    start, examples = found.initial(0), found.load(Files(folder))
    update = found.train(start, examples, options={"epochs": 5}, private=None, seed=1)
    before, after = (found.evaluate(state, examples) for state in (start, update.state))
    assert update.examples == len(TEXTS) == after["n"]
    assert after["loss"] < before["loss"] / 2
    assert after["accuracy"] == 1
    monkeypatch.setattr(module, "CACHE", 0)
    large = found.load(Files(folder))
    assert not large.columns[0].is_floating_point()
    assert found.logits(update.state, large) == pytest.approx(found.logits(update.state, examples), abs=5e-3)


def test_private_training_changes_every_weight_also_by_patient_and_where_a_batch_is_empty(
    folder: Path,
) -> None:
    found: Any = task("encoder", {**OPTIONS, "patient": "who", "batch": 1, "steps": 6})
    start, examples = found.initial(0), found.load(Files(folder))
    assert len(set(examples.patients)) == 5
    for unit in ("example", "patient"):
        private = Privacy(1.0, 1.0, unit=unit, secret=b"test")  # type: ignore[arg-type]
        update = found.train(start, examples, options={}, private=private, seed=2)
        assert all(not np.array_equal(update.state[name], start[name]) for name in start)
        assert all(np.isfinite(array).all() for array in update.state.values())


def test_bad_texts_and_bad_jobs_are_named(folder: Path) -> None:
    found: Any = task("encoder", OPTIONS)
    (folder / "test.csv").write_text("text,label\n咳嗽,肝炎\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="line 2: column 'label'") as caught:
        found.load(Files(folder, "test"))
    assert "肝炎" not in str(caught.value)
    (folder / "test.csv").write_text("text,label\n,肺炎\n咳嗽,\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="2 rows were left out"):
        found.load(Files(folder, "test"))
    wrongs = {
        "two different": {"labels": ["一"]},
        "expected 0 to": {"layers": 9},
        "8 to 512": {"max_length": 4},
    }
    for said, wrong in wrongs.items():
        with pytest.raises(ConfigurationError, match=said):
            task("encoder", {**OPTIONS, **wrong})


def test_a_job_names_a_model_never_a_path_and_may_say_which_one_it_must_be(home: Path) -> None:
    for name in ("../secret", "/etc", "a/b", "", ".hidden"):
        with pytest.raises(ConfigurationError, match="no path"):
            model_folder(name, "")
    with pytest.raises(MissingDataError, match="put its folder at"):
        model_folder("unknown-model", "")
    folder = model_folder("medical-open-model", "")
    assert model_folder("medical-open-model", verify_checkpoint(folder).id) == folder
    with pytest.raises(CheckpointError, match="the job wants checkpoint"):
        model_folder("medical-open-model", "0" * 64)
    own = home / "models" / "medical-open-model"
    own.mkdir(parents=True)
    assert model_folder("medical-open-model", "") == own
    with pytest.raises(CheckpointError, match="bears no manifest"):
        model_folder("medical-open-model", "0" * 64)


def test_records_of_the_archive_with_exactly_one_of_the_diagnoses_are_read(store: Store) -> None:
    def record(number: int, text: str, *said: str) -> Record:
        events = tuple(Event(Code("icd10", name, name), kind="condition") for name in said)
        return Record(f"r{number}", f"s{number}", text, events=events)

    with store.write() as connection:
        create_dataset(connection, "notes", by="steward")
        grant(connection, "notes", grantee="federation", purpose="training", by="steward")
        give_consent(connection, "notes", subject=None, purpose="training", basis="waiver", by="board")
    put(
        store,
        "notes",
        record(0, "咳嗽", "肺炎"),
        record(1, "胃痛", "胃炎", "高血压"),
        record(2, "都有", "肺炎", "胃炎"),
    )
    found: Any = task("encoder", OPTIONS)
    examples = found.load(Archived(store, "notes", actor="federation"))
    assert examples.columns[2].tolist() == [0, 1]
    assert (examples.dropped, examples.patients) == (1, ["s0", "s1"])
