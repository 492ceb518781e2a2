"""What answers the suite: a provider of ONNX Runtime, or OpenVINO's own runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from xinglin.errors import CheckpointError, MissingExtraError, UnknownNameError
from xinglin.model.providers import CPU, PROVIDERS, chosen, placement
from xinglin.model.runtime import open_session
from xinglin.release.export.operators import Arrays

NATIVE = "openvino-native"
BACKENDS = (*PROVIDERS, NATIVE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device said."""

    values: Arrays
    """By name of the output."""
    left: int | None = None
    """Nodes that were left to the CPU; ``None``: not known."""


Backend = Callable[[bytes, Mapping[str, NDArray[Any]]], Answer]
"""Runs an ONNX model; raises any error for what it cannot run."""


def backend(name: str) -> tuple[Backend, dict[str, str]]:
    """Return a backend and the versions it runs with.

    Raises:
        UnknownNameError: none of :data:`BACKENDS`.
        MissingExtraError: OpenVINO is not installed.
    """
    if name == NATIVE:
        return _openvino()
    if name not in PROVIDERS:
        raise UnknownNameError(f"provider {name[:40]!r}: expected one of {', '.join(BACKENDS)}")
    return _onnxruntime(chosen(name))


def _onnxruntime(provider: str) -> tuple[Backend, dict[str, str]]:
    import onnxruntime

    def run(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Answer:
        session = open_session(model, 1, provider=provider)
        left = placement(session, provider).left if provider != CPU else 0
        names = [item.name for item in session.get_outputs()]
        return Answer(dict(zip(names, session.run(names, dict(feeds)), strict=True)), left)

    return run, {"onnxruntime": onnxruntime.__version__}


def _openvino() -> tuple[Backend, dict[str, str]]:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("xinglin model conformance --provider openvino-native", "edge") from error
    core = openvino.Core()
    # It would compute a 32-bit model in bfloat16 where the processor can.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}

    def run(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Answer:
        compiled = core.compile_model(core.read_model(model, b""), "CPU", options)
        answers = compiled(dict(feeds))
        values = {port.get_any_name(): value for port, value in answers.items()}
        if not values:
            raise CheckpointError("OpenVINO compiled a model without outputs")
        return Answer(values, 0)

    return run, {"openvino": openvino.__version__}
