"""What an exported graph asks of a device: every operator with its opset, attributes, element types and shapes.

A graph is walked node by node with the reference implementation that the ONNX project publishes in NumPy
(``onnx.reference``), on seeded inputs. So element types and shapes are those that really occur, and each node's inputs
and right answers are at hand for :mod:`xinglin.release.conformance`. ``python -m xinglin.release.export.operators FILE``
renews the table in a page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.model.shipped import SHIPPED

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Arrays = dict[str, NDArray[Any]]

SEED = 20
ROWS, TOKENS = 2, 12
CUBE = 16
"""Voxels along each edge of a probe window."""
BEGIN, END = "<!-- operators: begin -->", "<!-- operators: end -->"


@dataclass(frozen=True, eq=False)
class Step:
    """One node of a graph with what went in and what came out."""

    model: str
    node: NodeProto
    opset: int
    inputs: Arrays
    """By name, an omitted optional input left out."""
    constants: frozenset[str]
    """Names of those inputs that the graph stores."""
    outputs: Arrays

    @property
    def operator(self) -> str:
        """Name, with the domain unless it is ONNX's own."""
        return f"{self.node.domain}::{self.node.op_type}" if self.node.domain else self.node.op_type

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes as plain values; a tensor or graph as its kind."""
        import onnx

        found: dict[str, Any] = {}
        for item in self.node.attribute:
            value = onnx.helper.get_attribute_value(item)
            if isinstance(value, bytes):
                value = value.decode()
            plain = isinstance(value, (int, float, str, list))
            found[item.name] = value if plain else type(value).__name__
        return found


@dataclass(slots=True)
class Use:
    """One operator over all the graphs."""

    operator: str
    opset: int
    count: int = 0
    models: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    """Element types, inputs -> outputs."""
    shapes: set[str] = field(default_factory=set)
    """Shapes of the inputs at the probe's size."""
    attributes: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        lists = ("models", "types", "shapes", "attributes")
        plain: dict[str, Any] = {"operator": self.operator, "opset": self.opset, "count": self.count}
        return plain | {name: sorted(getattr(self, name)) for name in lists}


def graphs(folders: Sequence[Path] | None = None) -> dict[str, Path]:
    """Return the ONNX files by ``folder/file``: of the folders, by default of every model that comes with the package.

    Raises:
        CheckpointError: no ONNX file.
    """
    chosen = sorted(SHIPPED.iterdir()) if folders is None else list(folders)
    found = {
        f"{folder.name}/{path.name}": path for folder in chosen for path in sorted(folder.glob("*.onnx"))
    }
    if not found:
        raise CheckpointError(
            f"{', '.join(map(str, chosen))}: no ONNX file: export it first (xinglin model export)"
        )
    return found


def probe_inputs(model: ModelProto) -> Arrays:
    """Return seeded inputs of a graph: token ids with one padded row, or windows of noise.

    Raises:
        InvalidInputError: an input that is none of ours.
    """
    draw = np.random.default_rng(SEED)
    found: Arrays = {}
    for item in model.graph.input:
        if item.name == "input_ids":
            found[item.name] = draw.integers(5, 100, (ROWS, TOKENS))
        elif item.name == "attention_mask":
            mask = np.ones((ROWS, TOKENS), np.int64)
            mask[1, TOKENS // 2 :] = 0
            found[item.name] = mask
        elif item.name == "images":
            found[item.name] = draw.normal(size=(1, 1, CUBE, CUBE, CUBE)).astype(np.float32)
        else:
            raise InvalidInputError(
                f"input {item.name!r}: expected input_ids, attention_mask or images: no probe is known for another"
            )
    return found


def walk(name: str, model: ModelProto, feeds: Mapping[str, NDArray[Any]]) -> Iterator[Step]:
    """Run a graph node by node with ONNX's reference implementation.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    try:
        from onnx import numpy_helper
        from onnx.reference import ReferenceEvaluator

        from xinglin.release.export.reference_operators import OPERATORS
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model conformance", "train") from error
    graph = model.graph
    values: Arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    constants = frozenset(values)
    values.update(feeds)
    opsets = {item.domain: item.version for item in model.opset_import}
    for node in graph.node:
        inputs = {key: values[key] for key in node.input if key}
        evaluator = ReferenceEvaluator(node, opsets=opsets, new_ops=list(OPERATORS))
        answers = evaluator.run(None, inputs)
        outputs = {key: np.asarray(value) for key, value in zip(node.output, answers, strict=False) if key}
        values |= outputs
        yield Step(name, node, opsets[node.domain], inputs, constants & frozenset(inputs), outputs)


def uses(steps: Iterable[Step]) -> list[Use]:
    """Gather steps by operator, in alphabetical order."""
    found: dict[str, Use] = {}
    for step in steps:
        use = found.setdefault(step.operator, Use(step.operator, step.opset))
        use.count += 1
        use.models.add(step.model)
        use.types.add(f"{_types(step.inputs.values())} → {_types(step.outputs.values())}")
        use.shapes.add(" ".join(_shape(value) for value in step.inputs.values()) or "–")
        attributes = {key: value for key, value in step.attributes.items() if value != "TensorProto"}
        if attributes:
            use.attributes.add(json.dumps(attributes, sort_keys=True, ensure_ascii=False))
    return [found[name] for name in sorted(found)]


def table(rows: Sequence[Use]) -> str:
    """Render the operators as a Markdown table, Chinese first."""
    lines = [
        "| 算子 operator | 算子集 opset | 节点 nodes | 元素类型 element types | 输入形状 input shapes | 属性 attributes |",
        "|---|---|---|---|---|---|",
    ]
    for use in rows:
        cells = (
            use.operator,
            str(use.opset),
            str(use.count),
            "<br>".join(sorted(use.types)),
            _few(sorted(use.shapes, key=lambda text: (-len(text), text))),
            _few([f"`{text}`" for text in sorted(use.attributes)]) or "–",
        )
        lines.append("| " + " | ".join(cells) + " |")
    models = sorted({name for use in rows for name in use.models})
    lines += ["", f"{len(rows)} 个算子 operators, {sum(use.count for use in rows)} 个节点 nodes, in:"]
    lines += [f"`{name}`" + ("," if name != models[-1] else ".") for name in models]
    return "\n".join(lines)


def renewed(page: str, rows: Sequence[Use]) -> str:
    """Return a page with the table between its two marks written anew.

    Raises:
        InvalidInputError: it has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidInputError(f"the page has no {BEGIN} and {END}: put them where the table belongs")
    return f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}"


def steps_of(files: Mapping[str, Path]) -> Iterator[Step]:
    """Walk several graphs on their probes."""
    import onnx

    for name, path in files.items():
        model = onnx.load(str(path))
        yield from walk(name, model, probe_inputs(model))


def _few(items: Sequence[str], most: int = 4) -> str:
    more = f" … +{len(items) - most}" if len(items) > most else ""
    return "<br>".join(items[:most]) + more


def _shape(value: NDArray[Any]) -> str:
    return "[" + ",".join(map(str, value.shape)) + "]"


def _types(values: Iterable[NDArray[Any]]) -> str:
    return ", ".join(dict.fromkeys(str(value.dtype) for value in values)) or "–"


if __name__ == "__main__":
    chosen = Path(sys.argv[1])
    text = renewed(chosen.read_text(encoding="utf-8"), uses(steps_of(graphs())))
    chosen.write_text(text, encoding="utf-8")
