"""Execution providers of ONNX Runtime, by one name; what was asked for is used, or it is an error by that name.

ONNX Runtime by itself answers from the CPU when a provider is missing, fails to start, or declines a node: it warns
at most. Here a session is kept only if the provider is in it and holds at least one node of the graph. Nodes that it
left to the CPU are counted from the session's own record of the assignment, and logged. The first session on a provider
other than the CPU also answers a small reference graph, whose numbers NumPy knows: a device that computes wrong is
refused before it sees a patient.

Names of the providers: ONNX Runtime's documentation, "Execution Providers". Key of the record:
``session.record_ep_graph_assignment_info`` (``onnxruntime_session_options_config_keys.h``).
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import DeviceError, NotPlacedError, UnknownNameError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

log = logging.getLogger("xinglin.model")

VARIABLE = "XINGLIN_PROVIDER"
CPU = "cpu"
PROVIDERS = {
    CPU: "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cann": "CANNExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Our name -> ONNX Runtime's."""
PACKAGES = {
    CPU: "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
    "cann": "onnxruntime-cann",
    "coreml": "onnxruntime (macOS)",
}
"""Distribution that brings a provider; only one of them can be installed at a time."""
RECORD = "session.record_ep_graph_assignment_info"
REFERENCE = Path(__file__).with_name("reference.onnx")
TOLERANCE = 5e-3
"""Largest difference of the reference graph, whose answers lie from 0 to 1: room for 16-bit floats, none for errors."""
OPTIONS: dict[str, dict[str, str]] = {"openvino": {"device_type": "CPU", "precision": "FP32"}}
"""Options of a provider. OpenVINO would compute a 32-bit model in bfloat16 where the processor can."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the nodes of one session really lie."""

    provider: str
    """Our name of what was asked for."""
    session: tuple[str, ...]
    """ONNX Runtime's providers of the session, by preference."""
    nodes: dict[str, int] | None
    """Nodes by ONNX Runtime's provider; ``None``: this version of ONNX Runtime keeps no record."""
    on_cpu: tuple[str, ...]
    """Operators of the nodes that an accelerator left to the CPU, each once."""

    @property
    def left(self) -> int | None:
        """Nodes on the CPU beside an accelerator; ``None``: not known."""
        if self.provider == CPU:
            return 0
        return None if self.nodes is None else self.nodes.get(PROVIDERS[CPU], 0)


@dataclass(frozen=True, slots=True)
class Device:
    """One line of the table of devices."""

    provider: str
    installed: bool
    """Whether this ONNX Runtime has the provider."""
    works: bool
    """Whether the self-test passed."""
    placement: Placement | None
    """Of the reference graph."""
    difference: float | None
    """Largest difference of the reference graph to NumPy."""
    reason: str
    """Why not, or how to install it."""


def chosen(provider: str | None = None) -> str:
    """Return the provider to use: the given one, else that of ``XINGLIN_PROVIDER``, else the CPU.

    Raises:
        UnknownNameError: it is none of :data:`PROVIDERS`.
    """
    name = provider or os.environ.get(VARIABLE) or CPU
    if name not in PROVIDERS:
        near = get_close_matches(name.lower(), PROVIDERS, n=1, cutoff=0.4) or list(PROVIDERS)
        raise UnknownNameError(
            f"provider {name[:40]!r}: expected one of {', '.join(PROVIDERS)}; nearest: {', '.join(near)}"
        )
    return name


def start(provider: str, options: object, model: str | bytes) -> InferenceSession:
    """Start a session on one provider; never on another instead.

    Raises:
        DeviceError: the provider is not in this ONNX Runtime, does not start, took no node of the graph, or fails the
            self-test.
    """
    import onnxruntime

    require_installed(provider)
    name = PROVIDERS[provider]
    if provider == CPU:
        return onnxruntime.InferenceSession(model, options, providers=[name])
    options.add_session_config_entry(RECORD, "1")  # type: ignore[attr-defined]
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=[(name, OPTIONS.get(provider, {})), PROVIDERS[CPU]], enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime raises a class of its own for every status
        reason = str(error).splitlines()[0][:200]
        raise DeviceError(
            f"{provider}: {name} does not start ({reason}): check its driver, or use --provider {CPU}"
        ) from error
    found = placement(session, provider)
    if found.left:
        log.warning(
            "%s: %d 个节点由 CPU 计算 nodes are left to the CPU (%s)",
            *(provider, found.left, ", ".join(found.on_cpu[:8])),
        )
    return session


def placement(session: InferenceSession, provider: str) -> Placement:
    """Return where a session's nodes lie.

    Raises:
        DeviceError: the provider is not in the session.
        NotPlacedError: it holds none of the session's nodes.
    """
    name = PROVIDERS[provider]
    held = tuple(session.get_providers())
    if name not in held:
        raise DeviceError(
            f"{provider}: asked for {name}, the session runs on {', '.join(held) or 'nothing'}: check its driver, or use "
            f"--provider {CPU}"
        )
    nodes: Counter[str] | None = None
    on_cpu: dict[str, None] = {}
    if provider != CPU and hasattr(session, "get_provider_graph_assignment_info"):
        nodes = Counter()
        for part in session.get_provider_graph_assignment_info():
            inside = part.get_nodes()
            nodes[part.ep_name] += len(inside)
            if part.ep_name == PROVIDERS[CPU]:
                on_cpu |= dict.fromkeys(node.op_type for node in inside)
        if not nodes.get(name):
            raise NotPlacedError(
                f"{provider}: {name} is in the session but holds none of its nodes: the model would run "
                f"on the CPU. Use --provider {CPU}, or see xinglin model conformance for what the device lacks"
            )
    return Placement(provider, held, None if nodes is None else dict(nodes), tuple(on_cpu))


@cache
def require_sound(provider: str) -> float:
    """Run the self-test of a provider, once a process; returns the largest difference to NumPy.

    Raises:
        DeviceError: it does not start, or the reference graph comes out wrong.
    """
    _, difference = _tested(provider)
    return difference


def check_answers(provider: str, run: Callable[[NDArray[np.int64]], NDArray[np.float32]]) -> float:
    """Compare a device's answers to the reference graph with NumPy's; returns the largest difference.

    Args:
        provider: for the message.
        run: gives (rows, 8) for token ids (rows, 6).

    Raises:
        DeviceError: another shape, NaN, or a difference beyond :data:`TOLERANCE`.
    """
    ids = reference_ids()
    found, expected = run(ids), reference_answers(ids)
    if found.shape != expected.shape:
        raise DeviceError(
            f"{provider}: the reference graph gave shape {found.shape}, expected {expected.shape}"
        )
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # asked so that NaN is refused as well
        raise DeviceError(
            f"{provider}: computes wrong: the reference graph differs by {difference:.3g}, at most {TOLERANCE:g} is "
            f"allowed: do not use this device; run xinglin model conformance --provider {provider}"
        )
    return difference


def devices(provider: str | None = None) -> list[Device]:
    """Return what each provider (or one) really does here: installed, started, where the nodes lie, the difference."""
    return [_device(name) for name in ([chosen(provider)] if provider else PROVIDERS)]


def require_installed(provider: str) -> None:
    """Check that this ONNX Runtime has a provider.

    Raises:
        DeviceError: it has not.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in available:
        raise DeviceError(
            f"{provider}: this ONNX Runtime has no {PROVIDERS[provider]}, only {', '.join(available)}: install "
            f"{PACKAGES[provider]} in place of onnxruntime, or use --provider {CPU}"
        )


def _device(provider: str) -> Device:
    installed = True
    try:
        require_installed(provider)
    except DeviceError as error:
        installed = False
        return Device(provider, installed, False, None, None, str(error))
    try:
        found, difference = _tested(provider)
    except DeviceError as error:
        return Device(provider, installed, False, None, None, str(error))
    return Device(provider, installed, True, found, difference, "")


def _tested(provider: str) -> tuple[Placement, float]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = start(provider, options, str(REFERENCE))

    def run(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        answers: NDArray[np.float32] = session.run(["scores"], {"ids": ids})[0]
        return answers

    return placement(session, provider), check_answers(provider, run)


def reference_ids() -> NDArray[np.int64]:
    """Return the token ids (2, 6) that the self-test asks for."""
    return (np.arange(12, dtype=np.int64).reshape(2, 6) * 7) % 32


def reference_weights() -> dict[str, NDArray[np.float32]]:
    """Return the weights of the reference graph: a formula, so that nothing needs to be stored for the comparison."""

    def waves(rows: int, columns: int, step: float) -> NDArray[np.float32]:
        place = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
        return np.sin(step * place + 0.5).astype(np.float32)

    return {
        "table": waves(32, 16, 0.37),
        "inner": waves(16, 24, 0.73),
        "outer": waves(24, 8, 1.19),
        "gain": waves(1, 16, 0.91)[0] + 1.5,
        "shift": waves(1, 16, 0.59)[0],
    }


def reference_answers(ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the reference graph's answers (rows, 8) by NumPy: Gather, LayerNormalization, MatMul, Relu, Softmax, mean."""
    weights = {name: value.astype(np.float64) for name, value in reference_weights().items()}
    states = weights["table"][ids]
    centred = states - states.mean(-1, keepdims=True)
    states = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    states = states * weights["gain"] + weights["shift"]
    scores = np.maximum(states @ weights["inner"], 0) @ weights["outer"]
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: NDArray[np.float32] = (powers / powers.sum(-1, keepdims=True)).mean(1).astype(np.float32)
    return shares
