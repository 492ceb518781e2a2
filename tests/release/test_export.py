"""An export says what torch says, at every length and batch, and comes from no other place than its checkpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.cli.test_cli import good
from tests.text_models import SENTENCES, random_checkpoint
from xinglin.errors import CheckpointError
from xinglin.model.checkpoint import amending, seal_checkpoint, verify_checkpoint
from xinglin.model.runtime import FP32, INT8, TextClassifier
from xinglin.release import export_onnx, export_report, quantise_int8
from xinglin.release.export.report import sample_texts

pytest.importorskip("torch")
LABELS = tuple(f"病{i}" for i in range(40))
LENGTHS = (2, 5, 64, 65, 200, 256)


@dataclass(frozen=True)
class Exported:
    """What the command made and said."""

    folder: Path
    sealed: str
    """Id before the export."""
    said: dict[str, Any]
    ledger: list[dict[str, Any]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """One export for all tests here, by the command: tracing takes ten seconds."""
    place = tmp_path_factory.mktemp("export")
    folder = random_checkpoint(place / "random", LABELS, exported=False)
    sealed = verify_checkpoint(folder).id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINGLIN_HOME", str(place / "home"))
        said = json.loads(good("release", "export", str(folder), "--int8", "--json"))
        ledger = [json.loads(line) for line in good("audit", "list").splitlines()]
    return Exported(folder, sealed, said, ledger)


@pytest.fixture(scope="module")
def folder(exported: Exported) -> Path:
    return exported.folder


def test_the_command_reports_and_enters_the_ledger(exported: Exported) -> None:
    assert exported.said["id"] == exported.sealed == verify_checkpoint(exported.folder).id
    assert [item["precision"] for item in exported.said["parities"]] == ["int8", "fp32"]
    assert [entry["action"] for entry in exported.ledger] == ["release.export"]
    assert exported.ledger[0]["subjects"] == [exported.sealed]
    assert exported.ledger[0]["detail"] == exported.said


@pytest.fixture(scope="module")
def torch_model(folder: Path) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "random")
    return tmp_path / "random"


def inputs(rows: int, length: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Random tokens; every row but the first is padded, down to two tokens."""
    draw = np.random.default_rng(1000 * rows + length)
    ids = draw.integers(5, 100, (rows, length))
    mask = np.ones_like(ids)
    for row in range(1, rows):
        mask[row, max(2, length // (row + 1)) :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


def by_torch(model: Any, given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    import torch

    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    with torch.no_grad():
        logits = model(**tensors).logits
        states = model.model(**tensors).last_hidden_state
        mask = tensors["attention_mask"].unsqueeze(-1)
        return logits.numpy(), ((states * mask).sum(1) / mask.sum(1)).numpy()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", LENGTHS)
def test_onnx_says_what_torch_says(folder: Path, torch_model: Any, rows: int, length: int) -> None:
    given = inputs(rows, length)
    session = onnxruntime.InferenceSession(str(folder / FP32))
    logits, pooled = session.run(["logits", "pooled"], given)
    expected, expected_pooled = by_torch(torch_model, given)
    assert expected.std() > 0.1, "a comparison of nothing with nothing"
    np.testing.assert_allclose(logits, expected, atol=2e-5 * expected.std() + 1e-5)
    np.testing.assert_allclose(pooled, expected_pooled, atol=1e-4)


def test_the_comparison_would_see_another_window(folder: Path, torch_model: Any) -> None:
    """Parity at 200 tokens is worth something only if the sliding window matters there."""
    from transformers import AutoModelForSequenceClassification

    wider = AutoModelForSequenceClassification.from_pretrained(folder, local_attention=512).eval()
    for length, seen in ((30, False), (200, True)):
        given = inputs(1, length)
        difference = np.abs(by_torch(wider, given)[0] - by_torch(torch_model, given)[0]).max()
        assert bool(difference > 1e-3) is seen, (length, difference)


def test_int8_is_near_and_small(folder: Path) -> None:
    report = export_report(folder, [*SENTENCES, *sample_texts(40)])
    int8, fp32 = report.parities
    assert (int8.precision, fp32.precision) == ("int8", "fp32")
    assert report.texts == 40 + len(SENTENCES)
    assert report.id == verify_checkpoint(folder).id
    assert fp32.max_delta < 1e-4 * fp32.spread
    assert fp32.agreement == 1.0
    assert fp32.max_delta < int8.max_delta < 0.1 * int8.spread
    assert int8.agreement >= 0.9
    assert int8.bytes == (folder / INT8).stat().st_size
    assert int8.bytes < 0.45 * fp32.bytes
    assert report.as_json()["parities"][0]["bytes"] == int8.bytes


def test_int8_answers_do_not_depend_on_the_company(folder: Path) -> None:
    model = TextClassifier.load(folder)
    assert model.precision == "int8"
    texts = [*SENTENCES, "发热咳嗽" * 200]
    together = model.logits(texts)
    assert np.array_equal(together, np.concatenate([model.logits([text]) for text in texts]))
    assert np.array_equal(model.pooled(texts[::-1])[::-1], model.pooled(texts))


def test_what_stays_in_float(folder: Path) -> None:
    import onnx

    graph = onnx.load(str(folder / INT8)).graph
    types = {item.name: item.data_type for item in graph.initializer if np.prod(item.dims) > 1000}
    floats = {name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT}
    assert {name.split(".")[1] for name in floats} == {"head", "classifier"}
    assert sum(kind == onnx.TensorProto.INT8 for kind in types.values()) == 2 * 4 + 1
    quantised = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    for name, kind in types.items():
        if kind == onnx.TensorProto.INT8 and "tok_embeddings" not in name:
            assert np.abs(quantised[name].astype(int)).max() <= 64, "not the reduced range of 7 bits"


def test_the_files_name_their_checkpoint_and_no_machine(folder: Path) -> None:
    sealed = verify_checkpoint(folder)
    for name in (FP32, INT8):
        session = onnxruntime.InferenceSession(str(folder / name))
        assert session.get_modelmeta().custom_metadata_map["xinglin.checkpoint"] == sealed.id
        raw = (folder / name).read_bytes()
        for trace in (b"site-packages", b".py", b'File "', str(Path.home()).encode() + b"/"):
            assert trace not in raw, (name, trace)


def test_only_int8_can_be_kept(copy: Path) -> None:
    before = verify_checkpoint(copy)
    quantise_int8(copy, keep_fp32=False)
    after = verify_checkpoint(copy)
    assert after.id == before.id
    assert FP32 not in after.manifest["files"]
    assert TextClassifier.load(copy).precision == "int8"
    with pytest.raises(CheckpointError, match="export it first"):
        quantise_int8(copy)


def test_an_encoder_is_not_exported(copy: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    save_file(
        {k: v for k, v in weights.items() if not k.startswith("classifier")}, copy / "model.safetensors"
    )
    for name in (FP32, INT8):
        (copy / name).unlink()
    seal_checkpoint(copy, name="e", kind="encoder", data=[], settings={}, seeds=[], metrics={})
    with pytest.raises(CheckpointError, match="expected a classifier, it is an encoder"):
        export_onnx(copy)


def test_a_graph_that_is_not_ours_is_not_quantised(copy: Path) -> None:
    import onnx

    with amending(copy) as new:
        model = onnx.load(str(new / FP32))
        for node in model.graph.node:
            if node.op_type == "Gather":
                node.input[0] = "elsewhere"
        for item in model.graph.initializer:
            if item.name.endswith("tok_embeddings.weight"):
                item.name = "elsewhere"
        onnx.save(model, str(new / FP32))
    before = (copy / INT8).read_bytes()
    with pytest.raises(CheckpointError, match="has no Gather over tok_embeddings"):
        quantise_int8(copy)
    assert (copy / INT8).read_bytes() == before
    verify_checkpoint(copy)


def test_without_torch_the_door_says_what_to_install(folder: Path) -> None:
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *a):\n"
        "        if name.split('.')[0] in ('torch', 'onnx', 'transformers'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from pathlib import Path\n"
        "from xinglin.errors import MissingExtraError\n"
        "from xinglin.release import export_onnx, export_report, quantise_int8\n"
        "for door in (export_onnx, quantise_int8, export_report):\n"
        "    try:\n"
        "        door(Path(sys.argv[1]))\n"
        "    except MissingExtraError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.count('pip install "xinglin[train]"') == 3
