"""The suite asks every operator of our models; a right device passes, a wrong one fails by the operator's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner

from xinglin.cli import model_conformance
from xinglin.errors import CheckpointError, InvalidInputError, NotPlacedError, UnknownNameError
from xinglin.ledger.signature import new_key
from xinglin.release.conformance import backend, check_report, conform, signed, suite
from xinglin.release.conformance.backends import Answer, Backend
from xinglin.release.conformance.vectors import Suite
from xinglin.release.export.operators import SEED, graphs, probe_inputs, renewed, steps_of, uses

onnx = pytest.importorskip("onnx")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "devices.md"


@pytest.fixture(scope="module")
def asked() -> Suite:
    return suite()


@pytest.fixture(scope="module")
def cpu() -> Backend:
    return backend("cpu")[0]


@pytest.fixture(scope="module")
def report(asked: Suite, cpu: Backend) -> dict[str, Any]:
    return conform(cpu, asked, name="cpu", versions={"onnxruntime": "x"})


def test_every_operator_of_every_shipped_graph_is_asked(asked: Suite) -> None:
    files = graphs()
    assert len(files) >= 5
    used = {node.op_type for path in files.values() for node in onnx.load(str(path)).graph.node}
    assert len(used) > 30
    assert {case.operator for case in asked.cases} == used | {"model"}
    assert [case.name for case in asked.cases if case.operator == "model"] == list(files)


def test_the_cpu_passes_and_comparisons_compare_something(asked: Suite, report: dict[str, Any]) -> None:
    assert report["passed"], report["failed_operators"]
    assert len(report["results"]) == len(asked.cases) > 100
    for case in asked.cases:
        if case.operator == "model":
            assert all(answer.std() > 0.01 for answer in case.answers.values()), case.name


def test_the_suite_is_the_same_every_time_and_its_digest_covers_what_is_asked(asked: Suite) -> None:
    assert suite().digest == asked.digest
    assert suite(precision="fp16").digest != asked.digest
    some = suite([next(iter(graphs().values())).parent])
    assert some.digest != asked.digest
    assert 0 < len(some.cases) < len(asked.cases)


def wrong(right: Backend, operator: str, spoil: Callable[[NDArray[Any]], NDArray[Any]]) -> Backend:
    """A device that spoils one operator when it meets it alone, and a whole model that has it."""

    def run(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Answer:
        answer = right(model, feeds)
        nodes = onnx.load_from_string(model).graph.node
        if any(node.op_type == operator for node in nodes):
            return Answer({name: spoil(value) for name, value in answer.values.items()}, answer.left)
        return answer

    return run


@pytest.mark.parametrize(
    ("operator", "spoil"),
    [
        ("Softmax", lambda value: value * 1.01),
        ("Conv", lambda value: value[..., ::-1]),
        ("Gelu", lambda value: np.full_like(value, np.nan)),
        ("MatMulInteger", lambda value: value + 1),
        ("And", np.logical_not),
        ("ReduceSum", lambda value: value[..., None]),
        ("Cast", lambda value: np.clip(value, -127, 127) * 1.1),
    ],
)
def test_a_wrong_operator_is_named(asked: Suite, cpu: Backend, operator: str, spoil: Any) -> None:
    few = Suite(
        tuple(
            case
            for case in asked.cases
            if case.operator in (operator, "Add") or case.name == "lung-words/text.onnx"
        ),
        asked.precision,
        asked.models,
    )
    found = conform(wrong(cpu, operator, spoil), few, name="wrong", versions={})
    assert not found["passed"]
    assert found["failed_operators"] == [operator]


def test_an_operator_that_a_device_lacks_is_named_and_one_it_declines_is_listed(
    asked: Suite, cpu: Backend
) -> None:
    def lacking(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Answer:
        kinds = [node.op_type for node in onnx.load_from_string(model).graph.node]
        if kinds == ["Resize"]:
            raise RuntimeError("Resize is not implemented")
        if kinds == ["Shape"] or (len(kinds) > 1 and "Resize" in kinds):
            raise NotPlacedError("all on the CPU")
        return cpu(model, feeds)

    found = conform(lacking, asked, name="lacking", versions={})
    assert found["failed_operators"] == ["Resize"]
    assert found["declined_operators"] == ["Shape", "model"]
    assert found["failed_models"] == ["lung-words/model.onnx"], "a whole model on the CPU is a failure"
    reasons = [item["reason"] for item in found["results"] if item["operator"] == "Resize"]
    assert reasons
    assert all("not implemented" in reason for reason in reasons)


def test_a_report_comes_back_signed(asked: Suite, report: dict[str, Any], tmp_path: Path) -> None:
    public = new_key(tmp_path / "vendor.pem")
    sent = json.loads(json.dumps(signed(report, tmp_path / "vendor.pem")))
    assert check_report(sent, asked, public)
    edited = json.loads(json.dumps(sent))
    edited["device"] = "better"
    with pytest.raises(InvalidInputError):
        check_report(edited, asked, public)
    with pytest.raises(InvalidInputError, match="another suite"):
        check_report(sent, suite(precision="fp16"), public)
    with pytest.raises(InvalidInputError, match="another file"):
        check_report([], asked, public)
    stranger = new_key(tmp_path / "other.pem")
    with pytest.raises(InvalidInputError):
        check_report(sent, asked, stranger)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["results"][0].update(difference=9.0),
        lambda body: body["results"][0].update(verdict="refused"),
        lambda body: body["results"][0].update(difference=9.0, allowed=10.0),
        lambda body: body["results"].pop(),
        lambda body: body.update(results="all fine"),
        lambda body: body.update(passed=False),
    ],
)
def test_a_signed_report_that_contradicts_itself_is_refused(
    asked: Suite, report: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    public = new_key(tmp_path / "vendor.pem")
    body = json.loads(json.dumps(report))
    change(body)
    with pytest.raises(InvalidInputError, match=r"does not follow|in order"):
        check_report(signed(body, tmp_path / "vendor.pem"), asked, public)


def test_openvino_is_asked_and_its_wrong_model_is_named(asked: Suite) -> None:
    """A real second implementation. It runs every operator right, and one of our 8-bit models wrong."""
    pytest.importorskip("openvino")
    device, versions = backend("openvino-native")
    few = Suite(
        tuple(
            case
            for case in asked.cases
            if case.operator in ("Softmax", "LayerNormalization") or case.name.startswith("lung-nodules")
        ),
        asked.precision,
        asked.models,
    )
    found = conform(device, few, name="openvino-native", versions=versions)
    assert found["failed_operators"] == []
    assert found["failed_models"] in ([], ["lung-nodules/model.int8.onnx"])


def test_the_page_says_what_the_models_use() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page, uses(steps_of(graphs()))) == page, (
        "renew it: python -m xinglin.release.export.operators docs/devices.md"
    )
    with pytest.raises(InvalidInputError, match="put them"):
        renewed("no marks", [])


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no ONNX file"):
        suite([tmp_path])
    with pytest.raises(InvalidInputError, match="precision"):
        suite(precision="int4")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="openvino-native"):
        backend("npu")
    value = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [value], []))
    with pytest.raises(InvalidInputError, match="pixels"):
        probe_inputs(model)
    assert SEED == 20


def test_the_command(tmp_path: Path) -> None:
    app = typer.Typer()
    model_conformance.register(app)
    app.command("other")(lambda: None)
    folder = next(path.parent for name, path in graphs().items() if name.startswith("lung-words"))
    public = new_key(tmp_path / "vendor.pem")
    said = CliRunner().invoke(
        app, ["conformance", "--model", str(folder), "--json", "--key", str(tmp_path / "vendor.pem")]
    )
    assert said.exit_code == 0, said.output
    sent = tmp_path / "report.json"
    sent.write_text(said.stdout, encoding="utf-8")
    checked = CliRunner().invoke(
        app, ["conformance", "--model", str(folder), "--check", str(sent), "--public-key", public]
    )
    assert checked.exit_code == 0, checked.output
    assert "通过 passed" in checked.output
    sent.write_text("{", encoding="utf-8")
    broken = CliRunner().invoke(app, ["conformance", "--check", str(sent), "--public-key", public])
    assert isinstance(broken.exception, InvalidInputError)
    alone = CliRunner().invoke(app, ["conformance", "--check", str(sent)])
    assert isinstance(alone.exception, InvalidInputError)
