"""Loading: which engine a folder gives, and every way in which a folder can be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.apps.diagnosis.conftest import TAUGHT
from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import diagnose
from xinglin.apps.diagnosis import differential as module
from xinglin.apps.diagnosis.conformance.vectors import read_vectors
from xinglin.apps.diagnosis.differential import PACK_FILE, Differential, load_differential, load_encoder
from xinglin.apps.diagnosis.pack import write_pack
from xinglin.errors import (
    CheckpointError,
    ConfigurationError,
    InvalidInputError,
    MissingDataError,
    UnknownNameError,
)
from xinglin.ledger import entries
from xinglin.model.checkpoint import reseal_checkpoint
from xinglin.store import Store

SEED = "患者男性,58岁,胸痛3天,心电图显示ST段压低"


@pytest.fixture
def copy(words: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(words, folder)
    return folder


def test_the_engine_that_a_folder_gives(words: Path, tmp_path: Path) -> None:
    assert load_differential().engine_name == "both", "the default is stated in one place"
    assert load_differential().encoder is not None
    both = load_differential(words)
    assert (both.engine_name, both.encoder is not None) == ("both", True)
    graph = load_differential(words, engine="graph")
    assert (graph.engine_name, graph.encoder) == ("graph", None)
    assert graph is load_differential(engine="graph"), "nothing is loaded twice"
    write_pack(read_vectors()[0], tmp_path / PACK_FILE)
    fitted = load_differential(tmp_path)
    assert (fitted.engine_name, fitted.pack.name) == ("graph", "conformance")


def test_a_pack_and_a_text_model_in_one_folder(tmp_path: Path) -> None:
    pack = read_vectors()[0]
    folder = word_checkpoint(tmp_path / "both", [disease.name for disease in pack.diseases])
    write_pack(pack, folder / PACK_FILE)
    with pytest.raises(CheckpointError, match=r"pack\.json"):
        load_differential(folder)
    reseal_checkpoint(folder)
    loaded = load_differential(folder)
    assert (loaded.engine_name, loaded.pack.version) == ("both", pack.version)
    assert loaded.join is not None
    assert loaded.join.pack == pack.version
    assert load_differential(folder, engine="graph").pack.version == pack.version


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    for engine in (None, "graph", "model", "both"):
        for folder in (tmp_path, tmp_path / "absent"):
            with pytest.raises(MissingDataError, match=r"neither pack\.json nor manifest\.json"):
                load_differential(folder, engine=engine)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="expected graph, model, both; got 'neural'"):
        load_differential(engine="neural")  # type: ignore[arg-type]


def test_labels_that_the_graph_does_not_know(tmp_path: Path) -> None:
    folder = word_checkpoint(tmp_path / "m", ["急性心肌梗死", "急性心肌梗塞死", "胃炎症"])
    with pytest.raises(UnknownNameError, match="2 of the text model's 3 labels") as error:
        load_differential(folder)
    assert "'急性心肌梗塞死' (nearest 急性心肌梗死)" in str(error.value)
    assert load_differential(folder, engine="graph").encoder is None


def test_a_checkpoint_that_was_changed(copy: Path) -> None:
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CheckpointError, match=r"model\.onnx"):
        load_differential(copy)
    assert load_differential(copy, engine="graph").encoder is None


def test_a_truncated_checkpoint(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_differential(copy)


def test_a_checkpoint_that_was_never_exported(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    reseal_checkpoint(copy)
    with pytest.raises(CheckpointError, match="xinglin release export"):
        load_differential(copy)


def test_a_calibration_that_is_none(copy: Path) -> None:
    path = copy / "calibration.json"
    path.write_text(json.dumps({"n": 5, "metrics": {}}), encoding="utf-8")
    reseal_checkpoint(copy)
    loaded = load_differential(copy)
    assert loaded.join is not None
    assert loaded.join.name == "uncalibrated join"
    path.write_text(json.dumps({"format": 1, "weights": {}, "pack": "old", "model": "x"}), encoding="utf-8")
    reseal_checkpoint(copy)
    with pytest.raises(ConfigurationError, match="pack 'old'"):
        load_differential(copy)


def test_without_a_shipped_model(monkeypatch: pytest.MonkeyPatch) -> None:
    import xinglin.model.shipped as shipped

    def none(name: str = "medical-open-model") -> Path:
        raise UnknownNameError(f"there is no model {name!r}")

    monkeypatch.setattr(shipped, "shipped_folder", none)
    for engine in ("model", "both"):
        with pytest.raises(MissingDataError, match=rf"engine {engine} needs a text model.*--model DIR"):
            load_differential(engine=engine)  # type: ignore[arg-type]
    assert load_differential().engine_name == "graph", "without a text model the graph answers"


def test_with_a_shipped_model(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xinglin.model.shipped as shipped

    monkeypatch.setattr(shipped, "shipped_folder", lambda name="medical-open-model": words)
    assert load_differential().engine_name == "both"
    assert load_differential(engine="model").engine_name == "model"
    monkeypatch.setattr(module, "DEFAULT_ENGINE", "graph")
    assert load_differential().engine_name == "graph"


def test_the_python_door_and_its_ledger_name_the_text_model(words: Path, store: Store) -> None:
    given = diagnose(SEED, model=words, engine="both", store=store)
    identity = load_encoder(words).id
    assert given["model"]["encoder"] == {"id": identity, "name": "words"}
    assert diagnose(SEED, model=words, engine="graph")["model"]["encoder"] is None
    with store.read() as connection:
        (entry,) = entries(connection)
    kept: dict[str, Any] = entry.detail["model"]
    assert kept["encoder"]["id"] == identity
    assert kept["engine"] == "both"
    assert "weights" not in kept, "they depend on how much the patient said"


def test_the_first_line_of_a_model_fits_the_store(joined: Differential) -> None:
    from xinglin.apps.diagnosis.render import model_json
    from xinglin.apps.diagnosis.wording import model_line

    line = model_line(model_json(joined))
    assert joined.encoder is not None
    assert joined.pack.version in line
    assert joined.encoder.id[:12] in line
    assert line != model_line(model_json(joined.using("model")))
    assert model_line(model_json(joined.using("graph"))) == f"starter {joined.pack.version}"
    long = model_json(joined) | {"id": "x" * 300, "encoder": {"id": "f" * 64, "name": "y" * 300}}
    assert len(model_line(long)) == 100
    assert TAUGHT in joined.encoder.labels
