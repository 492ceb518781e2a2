"""Target ``executorch``: a text classifier as one ``.pte`` file that ExecuTorch runs on a phone, through XNNPACK.

Weights in 8 bits with a scale for each row, activations scaled as they come (PyTorch's pt2e quantisation with the
quantiser of XNNPACK); embeddings, attention scores, softmax and norms in 32 bits. One text at a time, of any length from
2 to 256 tokens: padding would only cost time on a phone. The same runtime answers here as on a phone, with the kernels of
this processor.

ExecuTorch brings many packages of its own; where they do not fit beside the others, install this package with it into a
second environment and export from there.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.model.quiet import quiet_loggers
from xinglin.model.runtime import MAX_LENGTH

if TYPE_CHECKING:
    from xinglin.release.export.probe import Feed, Runner
    from xinglin.release.export.targets import Calibration

FILE = "model.pte"
KINDS = ("int8", "fp32")
NEEDED = "xinglin model export --to executorch"
LEAST = 2
"""Tokens of the shortest text: a size of one would be taken for a constant."""


def export(folder: Path, out: Path, calibration: Calibration = None, /, *, kind: str = "int8") -> list[Path]:
    """Write ``model.pte``.

    Args:
        folder: a sealed classifier.
        out: an existing folder.
        calibration: not used: activations are scaled as they come.
        kind: ``int8`` or ``fp32``.

    Raises:
        InvalidInputError: another kind.
        CheckpointError: it does not verify, is no text classifier, or has an operator that ExecuTorch lacks.
        MissingExtraError: executorch, torch or transformers is not installed.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"kind: expected one of {', '.join(KINDS)}, got {kind[:20]!r}")
    try:
        with _quiet():
            import torch
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                XnnpackDynamicallyQuantizedPartitioner,
                XnnpackPartitioner,
            )
            from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

            from xinglin.release.export.single import Single
            from xinglin.release.export.source import open_source
    except ImportError as error:
        raise MissingExtraError(NEEDED, "phone") from error
    source = open_source(folder)
    if source.inputs != ("input_ids", "attention_mask"):
        raise CheckpointError(f"{folder.name}: executorch: expected a text classifier, got a {source.kind}")
    length = torch.export.Dim("length", min=LEAST, max=MAX_LENGTH)
    free = ({1: length},)
    example = (source.example[0][:1],)
    with _quiet(), torch.no_grad():
        try:
            module = Single(source.module.whole).eval()
            program = torch.export.export(module, example, dynamic_shapes=free, strict=False)
            partitioners: list[Any] = [XnnpackPartitioner()]
            if kind == "int8":
                program = torch.export.export(
                    _quantised(program.module(), example), example, dynamic_shapes=free, strict=False
                )
                partitioners.insert(0, XnnpackDynamicallyQuantizedPartitioner())
            # Every pass of the lowering copies each node's whole history: most of the time, and none of the result.
            for node in program.graph.nodes:
                node.meta.pop("from_node", None)
            # The check of the intermediate form knows none of the operators on whole numbers; the runtime has them.
            edge = to_edge_transform_and_lower(
                program,
                partitioner=partitioners,
                compile_config=EdgeCompileConfig(_check_ir_validity=False),
            )
            body: bytes = edge.to_executorch().buffer
        except (
            Exception
        ) as error:  # the exporter raises whatever its passes raise; the operator stands in the text
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(f"{folder.name}: executorch cannot take it: {reason}") from error
    path = out / FILE
    path.write_bytes(body)
    return [path]


def runner(out: Path, /) -> tuple[Runner, str]:
    """Open the file in ExecuTorch's own runtime; a batch is answered text by text, padding cut off.

    Raises:
        MissingExtraError: executorch is not installed.
        CheckpointError: it is no such file, or needs a kernel that this runtime lacks.
    """
    try:
        with _quiet():
            import torch
            from executorch import version
            from executorch.runtime import Runtime
    except ImportError as error:
        raise MissingExtraError(NEEDED, "phone") from error
    path = out / FILE
    if not path.is_file():
        raise CheckpointError(f"{out}: expected {FILE}: export it again")
    try:
        method = Runtime.get().load_program(path).load_method("forward")
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path.name}: ExecuTorch cannot run it ({reason}): export it again") from error

    def run(feed: Feed) -> NDArray[np.float32]:
        rows = []
        for ids, mask in zip(feed["input_ids"], feed["attention_mask"], strict=True):
            kept = ids[: max(LEAST, int(mask.sum()))][None]
            given = torch.from_numpy(np.ascontiguousarray(kept, dtype=np.int64))
            rows.append(method.execute([given])[0].numpy().copy())
        return np.concatenate(rows)

    return run, f"executorch {getattr(version, '__version__', '')}, XNNPACK, CPU"


def _quantised(module: Any, example: tuple[Any, ...]) -> Any:
    """Round the weights to 8 bits, a scale for each row; activations get theirs at run time."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    wanted = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    prepared = prepare_pt2e(module, XNNPACKQuantizer().set_global(wanted))
    prepared(*example)
    return convert_pt2e(prepared)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep notes of the exporter on its own deprecations and optional parts from the user."""
    with quiet_loggers("torch", "torchao", "executorch", "root"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
