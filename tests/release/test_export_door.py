"""The door of exports: what passes is sealed and entered, what falls short leaves nothing but an entry."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_cli import good, run
from tests.text_models import SENTENCES, random_checkpoint
from xinglin.errors import CheckpointError, GateClosedError, InvalidInputError, UnknownNameError
from xinglin.ledger.chain import entries
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.quantisation import FILE, read_grids
from xinglin.release.export.package import EXPORT, open_export, verify_export
from xinglin.release.export.probe import (
    EIGHT_BIT,
    EXACT,
    Measured,
    ProbeSet,
    alternate,
    difference,
    report,
    require_pass,
    shortfalls,
)
from xinglin.release.export.qdq import linear_weights, require_scales, scales_of
from xinglin.release.export.targets import TARGETS, target
from xinglin.store import Store

pytest.importorskip("torch")
LABELS = ("甲", "乙", "丙")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier trained for 8 bits over a few steps, with its float graph beside it."""
    from xinglin.release.export import export_onnx
    from xinglin.train.options import FineTuneOptions
    from xinglin.train.quantize import fine_tune_quantised

    place = tmp_path_factory.mktemp("trained")
    start = random_checkpoint(place / "start", LABELS, exported=False)
    options = FineTuneOptions(epochs=40, batch_size=7, head="kept", learning_rate=2e-3, threads=1)
    texts, targets = [*SENTENCES], [i % 3 for i in range(len(SENTENCES))]
    fine_tune_quantised(start, texts, targets, LABELS, options, place / "qat", name="qat", data=())
    export_onnx(place / "qat")
    return place / "qat"


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Any]:
    place = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINGLIN_HOME", str(place / "home"))
        said = json.loads(
            good("model", "export", str(trained), "--to", "onnx-int8", "--out", str(place / "out"), "--json")
        )
        ledger = [json.loads(line) for line in good("audit", "list").splitlines()]
    return place / "out", said, ledger


def test_an_export_is_measured_sealed_and_entered(
    trained: Path, exported: tuple[Path, dict[str, Any], Any]
) -> None:
    out, said, ledger = exported
    body = verify_export(out)
    identity = verify_checkpoint(trained).id
    assert body["checkpoint"] == said["checkpoint"] == identity
    assert body["probe"]["n"] == said["n"] == 200
    assert {"model.int8.onnx", "config.json", "tokenizer.json"} <= set(body["files"])
    assert "未经注册" in body["disclaimer"]["zh"]
    assert [entry["action"] for entry in ledger] == ["model.export"]
    assert ledger[0]["subjects"] == [identity]
    assert ledger[0]["detail"]["lost_high"] == said["lost_high"] <= EIGHT_BIT.otherwise
    assert said["bytes"] < 0.7 * said["source_bytes"]
    assert said["max_delta"] > 0
    run, runs_on = open_export(out)
    assert runs_on.startswith("onnxruntime")
    ids = np.array([[1, 7, 9, 2]])
    assert run({"input_ids": ids, "attention_mask": np.ones_like(ids)}).shape == (1, 3)


def test_the_scales_of_the_file_are_those_that_were_trained(
    trained: Path, exported: tuple[Path, dict[str, Any], Any]
) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(exported[0] / "model.int8.onnx"))
    found = dict(scales_of(model))
    grids, weights = read_grids(trained), linear_weights(trained)
    assert set(grids) == set(weights)
    assert len(grids) == 8
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    for name, grid in grids.items():
        assert found[f"{name}.input.q"] == np.float32(grid.scale)
        levels, scales = constants[f"{name}.weight.levels"], constants[f"{name}.weight.scales"]
        assert levels.dtype == np.int8
        assert np.array_equal(levels.T * scales[:, None], weights[name]), (
            "the file's weights are the trained ones"
        )
    floats = [name for name, value in constants.items() if value.dtype == np.float32 and value.size > 1000]
    assert {name.split(".")[1] for name in floats} == {"head"}


def test_onnx_runtime_and_openvino_say_the_same(exported: tuple[Path, dict[str, Any], Any]) -> None:
    pytest.importorskip("openvino")
    from xinglin.release.export.openvino_ir import open_ir

    ours, _ = open_export(exported[0])
    theirs, runs_on = open_ir(exported[0] / "model.int8.onnx")
    assert "float32" in runs_on
    draw = np.random.default_rng(0)
    deltas, spread = [], []
    for length in range(4, 64, 3):
        ids = draw.integers(5, 100, (1, length))
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        one, other = ours(feed), theirs(feed)
        deltas.append(float(np.abs(one - other).max()))
        spread.append(one)
    assert len(deltas) == 20
    assert max(deltas) < 0.05 * float(np.std(spread)), "float noise may turn a level here and there, no more"


def test_a_changed_file_is_named(exported: tuple[Path, dict[str, Any], Any], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported[0], copy)
    raw = bytearray((copy / "model.int8.onnx").read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / "model.int8.onnx").write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"model\.int8\.onnx is not the file that was exported"):
        open_export(copy)
    (copy / "model.int8.onnx").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(CheckpointError, match="it is damaged or none"):
        TARGETS["onnx-int8"].open().runner(copy)
    shutil.copyfile(exported[0] / "model.int8.onnx", copy / "model.int8.onnx")
    (copy / "more.onnx").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"more\.onnx is not in export\.json"):
        verify_export(copy)
    (copy / "more.onnx").unlink()
    body = json.loads((copy / EXPORT).read_text())
    for change in ({"target": "toaster"}, {"format": 2}, {"files": {}}, {"files": {"../x": "0" * 64}}):
        (copy / EXPORT).write_text(json.dumps(body | change))
        with pytest.raises(CheckpointError):
            verify_export(copy)


def test_scales_that_are_nan_are_refused_before_anything_is_run(
    exported: tuple[Path, dict[str, Any], Any], tmp_path: Path
) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(exported[0] / "model.int8.onnx"))
    item = next(item for item in model.graph.initializer if item.name.endswith("Wo.weight.scales"))
    broken = numpy_helper.to_array(item).copy()
    broken[3] = np.nan
    item.CopyFrom(numpy_helper.from_array(broken, item.name))
    with pytest.raises(CheckpointError, match=r"Wo\.weight\.dq: expected scales that are finite"):
        require_scales(model)
    onnx.save(model, str(tmp_path / "model.int8.onnx"))
    with pytest.raises(CheckpointError, match="finite"):
        TARGETS["onnx-int8"].open().runner(tmp_path)


def test_what_falls_short_leaves_nothing_but_an_entry(trained: Path, tmp_path: Path, store: Store) -> None:
    """Scales that are far too coarse: a real export that is really bad."""
    from xinglin.model.checkpoint import amending
    from xinglin.release.export import export_model

    bad = tmp_path / "bad"
    shutil.copytree(trained, bad)
    with amending(bad) as new:
        body = json.loads((new / FILE).read_text())
        body["activations"] = {
            name: [scale * 1e4, zero] for name, (scale, zero) in body["activations"].items()
        }
        (new / FILE).write_text(json.dumps(body))
    out = tmp_path / "out"
    with pytest.raises(GateClosedError, match=r"refused, 200 rows.*agreement lost.*Nothing was written"):
        export_model(bad, "onnx-int8", out, store=store)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    with store.read() as connection:
        actions = [entry.action for entry in entries(connection)]
    assert actions == ["model.export.refused"]


def test_a_folder_of_somebody_elses_is_not_replaced(trained: Path, tmp_path: Path, store: Store) -> None:
    from xinglin.release.export import export_model

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InvalidInputError, match="is there already"):
        export_model(trained, "onnx", tmp_path / "mine", store=store)
    with pytest.raises(InvalidInputError, match="is a checkpoint"):
        export_model(trained, "onnx", trained, store=store)
    with pytest.raises(InvalidInputError, match="gguf: expected a checkpoint of kind decoder"):
        export_model(trained, "gguf", tmp_path / "out", store=store)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["mine"]


def test_labelled_texts_give_accuracy_and_calibration(trained: Path, tmp_path: Path) -> None:
    rows = [{"text": f"{text}{i}", "label": LABELS[i % 3]} for i, text in enumerate(SENTENCES * 4)]
    path = tmp_path / "probe.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    said = good(
        "model", "export", str(trained), "--to", "onnx", "--out", str(tmp_path / "out"), "--probe", str(path)
    )
    assert "准确率 accuracy" in said
    assert "ECE" in said
    body = verify_export(tmp_path / "out")
    assert body["probe"]["metric"] == "accuracy"
    assert body["probe"]["n"] == 28
    for wrong, why in (
        ({"text": "a", "label": "丁"}, "expected one of the model's 3 classes"),
        ({"text": "", "label": "甲"}, "expected text and label"),
    ):
        path.write_text(json.dumps(wrong))
        refused = run(
            *(
                "model",
                "export",
                str(trained),
                "--to",
                "onnx",
                "--out",
                str(tmp_path / "o"),
                "--probe",
                str(path),
            )
        )
        assert refused.returncode != 0
        assert why in refused.stderr
    path.write_text("\n".join(json.dumps(row) for row in rows[:5]))
    refused = run(
        *("model", "export", str(trained), "--to", "onnx", "--out", str(tmp_path / "o"), "--probe", str(path))
    )
    assert "expected at least 20 inputs, got 5" in refused.stderr


def test_targets_are_listed_and_the_nearest_is_named() -> None:
    listed = good("model", "export", "x", "--to", "list")
    assert all(name in listed for name in (*TARGETS, "web"))
    with pytest.raises(UnknownNameError, match="nearest: onnx"):
        target("onxx")
    refused = run("model", "export", "medical-open-model", "--to", "onnx")
    assert "--out" in refused.stderr


def measured(answers: np.ndarray, milliseconds: float) -> Measured:  # type: ignore[type-arg]
    times = np.full(len(answers), milliseconds)
    return Measured(answers.astype(np.float32), times, times)


def test_the_gate_names_every_shortfall_and_lets_nan_through_nowhere() -> None:
    draw = np.random.default_rng(0)
    truth = np.arange(30) % 4
    source = 3 * np.eye(4)[truth] + draw.normal(0, 0.3, (30, 4))
    probe = ProbeSet(tuple({"x": np.zeros(1)} for _ in range(30)), "numbers", truth, natural=True)

    def of(answers: np.ndarray, slow: float = 1.0, size: int = 100) -> Any:  # type: ignore[type-arg]
        return report(
            *("t", "c", probe, measured(source, 1.0), measured(answers, slow)),
            size=size,
            source_size=100,
            runs_on="numpy",
        )

    require_pass(of(source), EXACT)
    assert of(source).ece is not None
    probe = replace(probe, natural=False)
    assert of(source).ece is None, "of written cases the calibration says nothing"
    found = of(-source, slow=2.0, size=200)
    short = shortfalls(found, EXACT)
    assert [line.split(" ")[0] for line in short][:4] == ["max", "accuracy", "median", "size"]
    assert found.lost == 1.0
    with pytest.raises(GateClosedError, match="accuracy lost"):
        require_pass(found, EXACT)
    broken = source.copy()
    broken[3, 2] = np.nan
    assert any("max difference" in line for line in shortfalls(of(broken), EIGHT_BIT))
    assert shortfalls(of(source), replace(EXACT, slower=0.9)) == ["median time over the source's 1 > 0.9"]
    with pytest.raises(InvalidInputError, match="expected answers of shape"):
        difference(source[:3].astype(np.float32), source.astype(np.float32))


def test_both_sides_answer_every_input_in_turn() -> None:
    order: list[str] = []

    def side(name: str, factor: float) -> Any:
        def run(feed: Any) -> Any:
            order.append(name)
            return factor * feed["x"][None].astype(np.float32)

        return run

    feeds = [{"x": np.array([i, i + 1.0])} for i in range(5)]
    one, two = alternate([side("a", 1.0), side("b", 2.0)], feeds, warm=1)
    assert order == ["a", "b"] * 6
    assert np.array_equal(2 * one.answers, two.answers)
    assert one.wall.shape == one.cpu.shape == (5,)
