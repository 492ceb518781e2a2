"""What was asked for is used or refused by name: absent, silent on the CPU, wrong in its numbers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli import model_devices
from xinglin.errors import DeviceError, NotPlacedError, UnknownNameError
from xinglin.model import providers
from xinglin.model.providers import PROVIDERS, REFERENCE, devices, placement, reference_answers, reference_ids
from xinglin.model.runtime import TextClassifier, open_session
from xinglin.model.shipped import shipped_folder

ABSENT = [name for name, real in PROVIDERS.items() if real not in onnxruntime.get_available_providers()]


def test_the_cpu_works_and_says_so() -> None:
    (device,) = devices("cpu")
    assert device.works
    assert device.installed
    assert device.difference is not None
    assert device.difference < 1e-5


@pytest.mark.parametrize("name", ABSENT)
def test_a_provider_that_is_not_there_is_an_error_by_name(name: str) -> None:
    with pytest.raises(DeviceError, match=f"(?s)^{name}: .*{PROVIDERS[name]}.*install"):
        open_session(REFERENCE, 1, provider=name)
    (device,) = devices(name)
    assert not device.installed
    assert not device.works


def test_onnx_runtime_itself_would_have_answered_from_the_cpu() -> None:
    """The reason for all this: without the check the question is answered, and nobody hears from where."""
    assert "CUDAExecutionProvider" in [PROVIDERS[name] for name in ABSENT]
    with pytest.warns(UserWarning, match="not in available"):
        session = onnxruntime.InferenceSession(str(REFERENCE), providers=["CUDAExecutionProvider"])
    assert session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(DeviceError, match=r"cuda: asked for CUDA.*runs on CPUExecutionProvider"):
        placement(session, "cuda")


def test_the_environment_chooses_for_a_whole_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(providers.VARIABLE, ABSENT[0])
    with pytest.raises(DeviceError, match=f"^{ABSENT[0]}: "):
        TextClassifier.load(shipped_folder())
    monkeypatch.setenv(providers.VARIABLE, "cpu")
    assert TextClassifier.load(shipped_folder()).logits(["胸痛3天"]).shape == (1, 1208)
    monkeypatch.setenv(providers.VARIABLE, "cudaa")
    with pytest.raises(UnknownNameError, match="nearest: cuda"):
        TextClassifier.load(shipped_folder())


@dataclass
class Node:
    op_type: str


@dataclass
class Part:
    ep_name: str
    nodes: list[Node]

    def get_nodes(self) -> list[Node]:
        return self.nodes


@dataclass
class Claiming:
    """A session that says CUDA; its record says where its nodes lie."""

    parts: list[Part]

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def get_provider_graph_assignment_info(self) -> list[Part]:
        return self.parts


def test_a_device_that_says_cuda_and_runs_on_the_cpu_is_caught() -> None:
    liar: Any = Claiming([Part("CPUExecutionProvider", [Node("MatMul"), Node("Softmax")])])
    with pytest.raises(NotPlacedError, match="would run on the CPU"):
        placement(liar, "cuda")


def test_nodes_beside_the_device_are_counted() -> None:
    mixed: Any = Claiming(
        [
            Part("CUDAExecutionProvider", [Node("MatMul")] * 5),
            Part("CPUExecutionProvider", [Node("GatherND"), Node("Range"), Node("Range")]),
        ]
    )
    found = placement(mixed, "cuda")
    assert found.left == 3
    assert found.on_cpu == ("GatherND", "Range")
    assert found.nodes == {"CUDAExecutionProvider": 5, "CPUExecutionProvider": 3}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda right: right + 0.02, "computes wrong"),
        (lambda right: right[:, ::-1], "computes wrong"),
        (lambda right: np.full_like(right, np.nan), "computes wrong"),
        (lambda right: right[:1], "shape"),
    ],
)
def test_a_device_that_computes_wrong_is_caught(spoil: Any, said: str) -> None:
    with pytest.raises(DeviceError, match=f"cann: .*{said}"):
        providers.check_answers("cann", lambda ids: spoil(reference_answers(ids)))
    assert providers.check_answers("cann", reference_answers) == 0
    half = providers.check_answers(
        "cann", lambda ids: reference_answers(ids).astype(np.float16).astype(np.float32)
    )
    assert 0 < half < providers.TOLERANCE, "16-bit floats must pass"


def test_the_stored_graph_is_the_formula() -> None:
    onnx = pytest.importorskip("onnx")
    from xinglin.model.reference_graph import reference_graph

    stored, made = onnx.load(str(REFERENCE)), reference_graph()
    assert [node.op_type for node in stored.graph.node] == [node.op_type for node in made.graph.node]
    pairs = zip(stored.graph.initializer, made.graph.initializer, strict=True)
    for left, right in pairs:
        np.testing.assert_allclose(
            onnx.numpy_helper.to_array(left), onnx.numpy_helper.to_array(right), atol=1e-6
        )
    assert reference_answers(reference_ids()).std() > 0.01, "a comparison of nothing with nothing"


def runner() -> typer.Typer:
    app = typer.Typer()
    model_devices.register(app)
    app.command("other")(lambda: None)
    return app


def test_the_command_shows_every_device() -> None:
    said = CliRunner().invoke(runner(), ["devices"])
    assert said.exit_code == 0, said.output
    assert all(f"\n{name} " in said.output for name in PROVIDERS)
    assert "可用 works" in said.output
    refused = CliRunner().invoke(runner(), ["devices", "--provider", ABSENT[0]])
    assert isinstance(refused.exception, DeviceError)


def test_the_root_option_reaches_every_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(providers.VARIABLE, "cpu")
    model_devices.use_provider(None)
    assert os.environ[providers.VARIABLE] == "cpu"
    model_devices.use_provider("openvino")
    assert providers.chosen() == "openvino"
    with pytest.raises(UnknownNameError, match="openvino"):
        model_devices.use_provider("openvin")


OPENVINO = """
import logging, sys
from pathlib import Path
from xinglin.model.providers import devices, placement
from xinglin.model.runtime import TextClassifier, open_session
(device,) = devices("openvino")
assert device.works and device.placement.nodes["OpenVINOExecutionProvider"] > 0, device
from xinglin.model.shipped import shipped_folder
import os
os.environ["XINGLIN_PROVIDER"] = "openvino"
found = TextClassifier.load(shipped_folder()).logits(["患者58岁,胸痛3天"])
os.environ["XINGLIN_PROVIDER"] = "cpu"
right = TextClassifier.load(shipped_folder()).logits(["患者58岁,胸痛3天"])
assert abs(found - right).max() < 0.05 * right.std(), abs(found - right).max()
assert found.argmax() == right.argmax()
print("nodes", device.placement.nodes)
"""


@pytest.mark.slow
def test_a_real_second_device() -> None:
    """OpenVINO in an interpreter of its own, since only one build of ONNX Runtime fits into one."""
    python = os.environ.get("XINGLIN_TEST_OPENVINO")
    if not python:
        pytest.skip("no interpreter with onnxruntime-openvino: set XINGLIN_TEST_OPENVINO")
    source = Path(providers.__file__).parents[2]
    done = subprocess.run(
        [python, "-c", OPENVINO],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(source)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "OpenVINOExecutionProvider" in done.stdout


def test_importing_the_providers_opens_nothing() -> None:
    code = "import sys; import xinglin.model.providers; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert logging.getLogger("xinglin.model")
