"""Vectors of the conformance suite: made anew each time from the models and a seed, so that nothing large is stored.

A case is one node as a model has it: operator, attributes, element types, and which inputs the graph stores. Of nodes
that agree in all of these the first is taken. Its inputs are those that the walk of the model brought to it, its answers
those of ONNX's reference implementation. Then each model whole, on seeded inputs with one padded row.

The suite's digest covers what is asked (nodes, types, shapes, tolerances, the models' own digests, the seed), not the
answers, whose last bits differ between processors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.release.export.operators import SEED, Arrays, Step, graphs, probe_inputs, walk
from xinglin.store.keys import canonical_json, digest

Precision = Literal["fp32", "fp16"]
FORMAT = "xinglin-conformance-1"
OPERATOR: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2}
"""Largest difference of an operator, as a share of the largest right answer."""
WHOLE: dict[Precision, float] = {"fp32": 1e-3, "fp16": 5e-2}
"""Largest difference of a whole model in float, as a share of the spread of its right answers."""
WHOLE_INT8 = 5e-2
"""The same of a model that rounds to 8 bits inside: one value on the edge of two levels is a step of the scale."""
LEVELS = ("QuantizeLinear", "DynamicQuantizeLinear")
"""Operators whose whole-number answers may be off by one level: a tie rounds either way by the last bit."""
ROUNDS = {*LEVELS, "MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv"}


@dataclass(frozen=True, eq=False)
class Case:
    """One question to a device with its right answers."""

    name: str
    """``Conv 2``, or ``lung-nodules/model.onnx`` for a whole model."""
    operator: str
    """``Conv``; of a whole model, ``model``."""
    model: bytes = field(repr=False)
    """ONNX."""
    inputs: Arrays = field(repr=False)
    answers: Arrays = field(repr=False)
    tolerance: float
    """Of float answers, as a share of their largest magnitude (an operator) or of their spread (a whole model)."""
    asked: dict[str, Any] = field(repr=False)
    """What the digest covers."""

    def allowed(self, name: str) -> float:
        """Return the largest absolute difference of one answer."""
        right = self.answers[name]
        if right.dtype.kind != "f":
            return 1.0 if self.operator in LEVELS and right.dtype.kind in "iu" else 0.0
        finite = right[np.isfinite(right)]
        if not finite.size:
            return 0.0
        size = float(finite.std()) if self.operator == "model" else float(np.abs(finite).max())
        return self.tolerance * max(size, 1e-6)


@dataclass(frozen=True, eq=False)
class Suite:
    """All cases and what they are of."""

    cases: tuple[Case, ...]
    precision: Precision
    models: dict[str, str]
    """SHA-256 of each model's file."""

    @property
    def digest(self) -> str:
        """SHA-256 over what is asked."""
        body = {
            "format": FORMAT,
            "seed": SEED,
            "precision": self.precision,
            "models": self.models,
            "cases": [case.asked for case in self.cases],
        }
        return digest(canonical_json(body))


def suite(folders: Sequence[Path] | None = None, *, precision: Precision = "fp32") -> Suite:
    """Make the suite from the ONNX files of the folders, by default of every model that comes with the package.

    Args:
        folders: exported models.
        precision: ``fp16`` allows what a device that computes in 16 bits must be allowed; its report says so.

    Raises:
        CheckpointError: no ONNX file.
        InvalidInputError: an unknown precision, or a model with inputs that are none of ours.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model conformance", "train") from error
    if precision not in OPERATOR:
        raise InvalidInputError(f"precision: expected one of {', '.join(OPERATOR)}, got {precision!r}")
    seen: set[str] = set()
    numbers: Counter[str] = Counter()
    single: list[Case] = []
    whole: list[Case] = []
    models: dict[str, str] = {}
    for name, path in graphs(folders).items():
        data = path.read_bytes()
        models[name] = sha256(data).hexdigest()
        model = onnx.load_from_string(data)
        feeds = probe_inputs(model)
        values: Arrays = dict(feeds)
        rounds = False
        for step in walk(name, model, feeds):
            values |= step.outputs
            rounds = rounds or step.operator in ROUNDS
            signature = _signature(step)
            if signature not in seen:
                seen.add(signature)
                numbers[step.operator] += 1
                single.append(_single(step, numbers[step.operator], OPERATOR[precision]))
        answers = {item.name: values[item.name] for item in model.graph.output}
        tolerance = max(WHOLE_INT8, WHOLE[precision]) if rounds else WHOLE[precision]
        asked = {"name": name, "tolerance": tolerance, "inputs": _described(feeds)}
        whole.append(Case(name, "model", data, feeds, answers, tolerance, asked))
    single.sort(key=lambda case: case.operator)
    return Suite((*single, *whole), precision, models)


def _signature(step: Step) -> str:
    described = [[key in step.constants, str(value.dtype), value.ndim] for key, value in step.inputs.items()]
    return json.dumps([step.operator, step.opset, step.attributes, described], sort_keys=True)


def _single(step: Step, number: int, tolerance: float) -> Case:
    """One node as a model of its own; what the graph stores stays stored, unless nothing else would be asked."""
    from onnx import TensorProto, helper, numpy_helper

    stored = step.constants if len(step.constants) < len(step.inputs) else frozenset()
    given = {name: value for name, value in step.inputs.items() if name not in stored}

    def described(values: Mapping[str, NDArray[Any]], *, shaped: bool) -> list[Any]:
        return [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape if shaped else None
            )
            for name, value in values.items()
        ]

    graph = helper.make_graph(
        [step.node],
        step.operator,
        described(given, shaped=True),
        described(step.outputs, shaped=False),
        [numpy_helper.from_array(step.inputs[name], name) for name in sorted(stored)],
    )
    if any(item.data_type == TensorProto.UNDEFINED for item in graph.initializer):
        raise InvalidInputError(f"{step.operator}: a stored input has no element type")
    domains = [("", step.opset)] if not step.node.domain else [("", 20), (step.node.domain, step.opset)]
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    name = f"{step.operator} {number}"
    asked = {
        "name": name,
        "opset": step.opset,
        "attributes": json.loads(json.dumps(step.attributes)),
        "inputs": _described(given),
        "stored": _described({key: step.inputs[key] for key in sorted(stored)}),
        "tolerance": tolerance,
    }
    return Case(name, step.operator, model.SerializeToString(), given, step.outputs, tolerance, asked)


def _described(values: Mapping[str, NDArray[Any]]) -> list[list[Any]]:
    return [[str(value.dtype), list(value.shape)] for value in values.values()]
