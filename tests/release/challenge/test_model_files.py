"""What a model may consist of: hostile zips, ONNX files and configurations, each made for real."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.release.challenge.contest import ORDERED
from tests.release.challenge.models import config, onnx_model, tokenizer, write_onnx
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.release.challenge import model_files
from xinglin.release.challenge.model_files import check_model, unpack
from xinglin.release.challenge.onnx_check import check_onnx


def test_a_plain_model_passes_and_its_digest_is_of_its_files(tmp_path: Path) -> None:
    one, other = write_onnx(tmp_path / "a"), write_onnx(tmp_path / "b")
    (other / "README.md").write_text("x")
    found = check_model(one, ORDERED, 10)
    assert (found.kind, found.labels) == ("onnx", ORDERED)
    assert found.digest == check_model(other, ORDERED, 10).digest
    (other / "tokenizer.json").write_text(json.dumps(tokenizer() | {"version": "1.1"}))
    assert found.digest != check_model(other, ORDERED, 10).digest


@pytest.mark.parametrize(
    "name", ["model.py", "pytorch_model.bin", "model.pkl", "modeling_x.py", "weights", ".x"]
)
def test_code_pickles_and_unknown_files_are_refused(tmp_path: Path, name: str) -> None:
    folder = write_onnx(tmp_path / "m")
    (folder / name).write_text("import os")
    with pytest.raises(InvalidInputError, match="not taken"):
        check_model(folder, ORDERED, 10)


def test_links_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    folder = write_onnx(tmp_path / "m")
    (folder / "README.md").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInputError, match="links"):
        check_model(folder, ORDERED, 10)
    (folder / "README.md").unlink()
    (folder / "README.md").mkdir()
    with pytest.raises(InvalidInputError, match="folders"):
        check_model(folder, ORDERED, 10)
    (folder / "README.md").rmdir()
    os.mkfifo(folder / "README.md")
    with pytest.raises(InvalidInputError, match="plain files"):
        check_model(folder, ORDERED, 10)
    (folder / "README.md").unlink()
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(InvalidInputError, match="one of"):
        check_model(folder, ORDERED, 10)
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    with pytest.raises(InvalidInputError, match=r"config\.json"):
        check_model(folder, ORDERED, 10)
    with pytest.raises(InvalidInputError, match="nothing"):
        check_model(tmp_path / "none", ORDERED, 10)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_onnx(tmp_path / "m")
    with (folder / "model.onnx").open("ab") as stream:
        stream.truncate(2 << 20)
    with pytest.raises(InputTooLargeError):
        check_model(folder, ORDERED, 1)
    monkeypatch.setattr(model_files, "MAX_SMALL", 10)
    with pytest.raises(InputTooLargeError):
        check_model(folder, ORDERED, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id2label": {"0": "x", "1": "y", "2": "z"}}, "labels of the challenge"),
        ({"id2label": {"0": ORDERED[0], "1": ORDERED[0]}}, "each once"),
        ({"id2label": {"1": ORDERED[0]}}, "numbered from 0"),
        ({"id2label": {}}, "id2label"),
        ({"id2label": [1]}, "id2label"),
        ({"id2label": {str(n): ORDERED[0] for n in range(9)}}, "id2label"),
    ],
)
def test_labels_must_be_the_challenges(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = write_onnx(tmp_path / "m")
    (folder / "config.json").write_text(json.dumps(config() | change))
    with pytest.raises(InvalidInputError, match=said):
        check_model(folder, ORDERED, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["MyForSequenceClassification"]},
        {"architectures": ["BertForSequenceClassification", "x"]},
        {"architectures": None},
        {"auto_map": {"AutoModel": "modeling.Evil"}},
        {"custom_pipelines": {}},
        {"quantization_config": {}},
    ],
)
def test_safetensors_models_are_standard_architectures(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = write_onnx(tmp_path / "m")
    (folder / "model.onnx").rename(folder / "model.safetensors")
    plain = config() | {"architectures": ["BertForSequenceClassification"]}
    (folder / "config.json").write_text(json.dumps(plain))
    assert check_model(folder, ORDERED, 10).kind == "safetensors"
    (folder / "config.json").write_text(json.dumps(plain | change))
    with pytest.raises(InvalidInputError, match="standard architecture"):
        check_model(folder, ORDERED, 10)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_unpacks(tmp_path: Path) -> None:
    folder = write_onnx(tmp_path / "m")
    archive = packed(tmp_path / "m.zip", {path.name: path.read_bytes() for path in folder.iterdir()})
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out", 10)
    assert check_model(tmp_path / "out", ORDERED, 10).digest == check_model(folder, ORDERED, 10).digest


@pytest.mark.parametrize(
    "name", ["../config.json", "/etc/cron.d/x", "a/config.json", "..\\config.json", "x.py"]
)
def test_a_zip_with_paths_is_refused(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "m.zip", {name: b"x"})
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidInputError, match="not taken"):
        unpack(archive, tmp_path / "out", 10)
    assert not list((tmp_path / "out").iterdir())


def test_bombs_links_lies_and_rubbish(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    bomb = packed(tmp_path / "bomb.zip", {"model.onnx": b"\0" * (8 << 20)})
    assert bomb.stat().st_size < 20_000
    with pytest.raises(InputTooLargeError, match="far more"):
        unpack(bomb, out, 100)
    with pytest.raises(InputTooLargeError, match="MiB"):
        unpack(bomb, out, 1)
    link = zipfile.ZipInfo("config.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInputError, match="links"):
        unpack(tmp_path / "link.zip", out, 10)
    # The directory says 10 bytes, the data hold 1,000.
    lie = packed(tmp_path / "lie.zip", {"config.json": os.urandom(1000)})
    data = lie.read_bytes().replace(struct.pack("<I", 1000), struct.pack("<I", 10))
    lie.write_bytes(data)
    with pytest.raises(InvalidInputError):
        unpack(lie, out, 10)
    two = packed(tmp_path / "two.zip", {"config.json": b"a", "confiG.json": b"b"})
    two.write_bytes(two.read_bytes().replace(b"confiG", b"config"))
    with pytest.raises(InvalidInputError, match="twice"):
        unpack(tmp_path / "two.zip", out, 10)
    (tmp_path / "no.zip").write_bytes(b"PK rubbish")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        unpack(tmp_path / "no.zip", out, 10)


def outside(where: str) -> bytes:
    """A model one of whose tensors lies in another file."""
    model = onnx_model()
    tensor = numpy_helper.from_array(np.zeros((3, 3), np.float32), "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "location alone":
        tensor.ClearField("external_data")
        model.graph.initializer.append(tensor)
    elif where == "data alone":
        tensor.data_location = TensorProto.DEFAULT
        model.graph.initializer.append(tensor)
    elif where == "attribute":
        model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    elif where == "sparse":
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, tensor, [3, 3]))
    else:
        inner = helper.make_graph([], "inner", [], [], [tensor])
        node = helper.make_node("If", ["x"], ["c"], then_branch=inner, else_branch=inner)
        model.graph.node.append(node)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "where", ["initializer", "location alone", "data alone", "attribute", "sparse", "subgraph"]
)
def test_data_outside_the_file_are_found_wherever_they_are(where: str) -> None:
    with pytest.raises(InvalidInputError, match="outside the file"):
        check_onnx(outside(where))


def test_operators_functions_and_training_graphs() -> None:
    check_onnx(onnx_model().SerializeToString())
    custom = onnx_model()
    custom.graph.node.append(helper.make_node("Evil", ["x"], ["y"], domain="evil.ops"))
    imported = onnx_model()
    imported.opset_import.append(helper.make_opsetid("evil.ops", 1))
    inner = onnx_model()
    graph = helper.make_graph([helper.make_node("Evil", [], ["y"], domain="evil.ops")], "inner", [], [])
    inner.graph.node.append(helper.make_node("Loop", ["x"], ["z"], body=graph))
    for model in (custom, imported, inner):
        with pytest.raises(InvalidInputError, match="operators of its own"):
            check_onnx(model.SerializeToString())
    function = onnx_model()
    function.functions.append(helper.make_function("", "F", [], [], [], []))
    with pytest.raises(InvalidInputError, match="functions"):
        check_onnx(function.SerializeToString())
    training = onnx_model()
    training.training_info.add()
    with pytest.raises(InvalidInputError, match="training"):
        check_onnx(training.SerializeToString())


def test_deep_and_endless_graphs() -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(12):
        graph = helper.make_graph([helper.make_node("Loop", [], ["z"], body=graph)], "g", [], [])
    model = onnx_model()
    model.graph.node.append(helper.make_node("Loop", [], ["z"], body=graph))
    with pytest.raises(InvalidInputError, match="nested"):
        check_onnx(model.SerializeToString())


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_read_and_never_breaks(data: bytes) -> None:
    try:
        check_onnx(data)
    except InvalidInputError:
        return
    onnx.ModelProto.FromString(data)  # what passes is at least a message


@given(st.integers(0, 5000), st.integers(0, 255))
def test_a_changed_byte_never_breaks(place: int, value: int) -> None:
    data = bytearray(onnx_model().SerializeToString())
    data[place % len(data)] = value
    with suppress(InvalidInputError):
        check_onnx(bytes(data))
