"""A text classifier on ONNX Runtime and ``tokenizers`` alone: no torch, no network.

A text longer than one window is read in several: at most ``MAX_WINDOWS`` windows of ``MAX_LENGTH`` tokens, spread
evenly from the first token to the last, whose logits are averaged. Up to about 2,000 tokens every token is read;
of a longer text the windows are a sample, never only its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, DeviceError, InputTooLargeError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.parts import CONFIG, check_parts, read_json
from xinglin.model.providers import CPU, chosen, require_sound, start
from xinglin.model.sizes import CLS, PAD, SEP
from xinglin.model.tokenizer import load_tokenizer
from xinglin.terms.characters import without_surrogates

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

INT8, FP32 = "model.int8.onnx", "model.onnx"
CALIBRATION = "calibration.json"
OF_CHECKPOINT = "xinglin.checkpoint"
"""Key of the ONNX metadata that holds the id of the checkpoint it was exported from."""
MAX_CHARACTERS = 20_000
"""Longest text, the same bound as :func:`xinglin.terms.read`."""
MAX_LENGTH = 256
"""Tokens of a window, the two special ones included."""
MAX_WINDOWS = 8
MAX_TOKENS = 4096
"""Padded tokens of one run of the fp32 model, so that memory stays bounded for any number of texts."""
Output = Literal["logits", "pooled"]
Precision = Literal["int8", "fp32"]
FILES: dict[Precision, str] = {"int8": INT8, "fp32": FP32}
"""By preference."""


@dataclass(frozen=True, eq=False)
class TextClassifier:
    """A checkpoint ready to answer; build it with :meth:`load`. Safe to share between threads."""

    id: str
    labels: tuple[str, ...]
    manifest: dict[str, Any] = field(repr=False)
    calibration: dict[str, Any] | None = field(repr=False)
    """Contents of ``calibration.json``; ``None`` when the logits were never calibrated."""
    precision: Precision
    max_length: int
    """Tokens of a window."""
    width: int
    """Length of a pooled vector."""
    folder: Path = field(repr=False)
    """Where it was loaded from."""
    threads: int
    """Threads of one run."""
    _session: InferenceSession = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)

    @staticmethod
    def load(folder: Path, *, threads: int = 1, precision: Precision | None = None) -> TextClassifier:
        """Verify a checkpoint and open its ONNX file: ``model.int8.onnx`` if there, else ``model.onnx``.

        Args:
            folder: a sealed checkpoint of a classifier.
            threads: CPU threads for one run (the intra-op pool); 1 is best for single short texts.
            precision: insist on one of the two files; for comparisons.

        Raises:
            CheckpointError: the checkpoint does not verify, is no classifier, or holds no ONNX file of its own.
        """
        checkpoint = verify_checkpoint(folder)
        parts = check_parts(folder)
        if not parts.labels:
            raise CheckpointError(f"{folder}: an encoder has no classes: fine-tune it first (xinglin train)")
        listed = checkpoint.manifest["files"]
        wanted = FILES if precision is None else {precision: FILES[precision]}
        found = next((kind for kind, name in wanted.items() if name in listed), None)
        if found is None:
            raise CheckpointError(
                f"{folder}: expected {' or '.join(wanted.values())}: make it with xinglin release export "
                "FOLDER --int8"
            )
        name = FILES[found]
        session = open_session(folder / name, threads)
        width = _check(session, folder / name, checkpoint.id, len(parts.labels))
        calibration = read_json(folder / CALIBRATION) if CALIBRATION in listed else None
        return TextClassifier(
            id=checkpoint.id,
            labels=parts.labels,
            manifest=checkpoint.manifest,
            calibration=calibration,
            precision=found,
            max_length=min(MAX_LENGTH, _positions(parts.config)),
            width=width,
            folder=folder,
            threads=threads,
            _session=session,
            _tokenizer=load_tokenizer(folder),
        )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of logits a text, one column a label; windows of a long text are averaged.

        Raises:
            InvalidInputError: a text that is empty, white space, or no string.
            InputTooLargeError: a text of more than ``MAX_CHARACTERS`` characters.
        """
        return self._answer(texts, "logits", len(self.labels))

    def pooled(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector a text: the mean over tokens of the last layer, averaged over windows.

        It is what the classification head reads, before the head's own dense layer.

        Raises:
            InvalidInputError, InputTooLargeError: as :meth:`logits`.
        """
        return self._answer(texts, "pooled", self.width)

    def _answer(self, texts: Sequence[str], output: Output, columns: int) -> NDArray[np.float32]:
        if isinstance(texts, str):
            raise InvalidInputError("texts: expected a list of texts, got one text: put it into a list")
        rows: list[list[int]] = []
        owners: list[int] = []
        for place, text in enumerate(texts):
            windows = self._windows(text, place)
            rows += windows
            owners += [place] * len(windows)
        total = np.zeros((len(texts), columns), dtype=np.float32)
        if not rows:
            return total
        for group in self._groups(rows):
            out = self._run([rows[i] for i in group], output)
            # Several windows of one text may stand in one group; plain += would count only the last.
            np.add.at(total, [owners[i] for i in group], out)
        return total / np.bincount(owners, minlength=len(texts)).astype(np.float32)[:, None]

    def _windows(self, text: str, place: int) -> list[list[int]]:
        """Token ids of the windows of one text, special tokens included."""
        if not isinstance(text, str):
            raise InvalidInputError(f"text {place + 1}: expected a string, got {type(text).__name__}")
        if len(text) > MAX_CHARACTERS:
            raise InputTooLargeError(
                f"text {place + 1}: expected at most {MAX_CHARACTERS} characters, got {len(text)}: "
                "文本过长,请分段输入 (split the text)"
            )
        ids: list[int] = []
        if text.strip():
            ids = self._tokenizer.encode(without_surrogates(text), add_special_tokens=False).ids
        if not ids:
            raise InvalidInputError(f"text {place + 1}: expected words, got an empty text: 请输入病情描述")
        return windows_of(ids, self.max_length)

    def _groups(self, rows: list[list[int]]) -> Iterator[list[int]]:
        """Rows that run together, longest first so that neighbours need little padding.

        Dynamic INT8 scales the activations of a whole run by its largest value, so a text's logits would shift with
        its neighbours (measured: by up to a twentieth of their spread). An answer must not depend on who else
        asked; and on a CPU a run of one costs hardly more than its share of a batch. So INT8 runs one by one.
        """
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
        if self.precision == "int8":
            yield from ([i] for i in order)
            return
        while order:
            fit = max(1, MAX_TOKENS // len(rows[order[0]]))
            yield order[:fit]
            order = order[fit:]

    def _run(self, rows: list[list[int]], output: Output) -> NDArray[np.float32]:
        longest = max(map(len, rows))
        ids = np.full((len(rows), longest), PAD, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        found: NDArray[np.float32] = self._session.run([output], {"input_ids": ids, "attention_mask": mask})[
            0
        ]
        return found


def windows_of(ids: list[int], length: int) -> list[list[int]]:
    """Return the windows of one text's token ids, each with its two special tokens, at most ``length`` long."""
    room = length - 2
    return [[CLS, *ids[start : start + room], SEP] for start in window_starts(len(ids), room)]


def window_starts(tokens: int, room: int) -> list[int]:
    """Return where the windows of a text start: as many as it needs, at most ``MAX_WINDOWS``, evenly spread."""
    count = min(MAX_WINDOWS, -(-tokens // room))
    starts: list[int] = np.linspace(0, max(0, tokens - room), count).round().astype(int).tolist()
    return starts


def open_session(model: Path | bytes, threads: int, *, provider: str | None = None) -> InferenceSession:
    """Open an ONNX model, from a file or from memory, with this runtime's settings.

    Args:
        model: the file, or its bytes.
        threads: CPU threads for one run.
        provider: one of :data:`xinglin.model.providers.PROVIDERS`; ``None``: as ``XINGLIN_PROVIDER`` says, else the CPU.

    Raises:
        InvalidInputError: less than one thread.
        UnknownNameError: no such provider.
        DeviceError: the provider is missing, does not start, holds no node of the model, or computes wrong.
        CheckpointError: ONNX Runtime cannot run it.
    """
    import onnxruntime

    if threads < 1:
        raise InvalidInputError(f"threads: expected at least 1, got {threads}")
    name = chosen(provider)
    if name != CPU:
        require_sound(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1  # the graph is one chain: nothing to run beside it
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False  # it plans for one input shape; every text has its own
    options.log_severity_level = 3
    # Idle threads would spin for the next run and starve a small machine's other work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        given = model if isinstance(model, bytes) else str(model)
        return start(name, options, given)
    except DeviceError:
        raise
    except Exception as error:  # ONNX Runtime raises a class of its own for every status
        reason = str(error).splitlines()[0][:200]
        said = "ONNX model" if isinstance(model, bytes) else model.name
        raise CheckpointError(f"{said}: cannot be run ({reason}): export it again") from error


def _check(session: InferenceSession, path: Path, identity: str, labels: int) -> int:
    """Check that an ONNX file is this checkpoint's own and has our inputs and outputs; returns the width."""
    made_from = session.get_modelmeta().custom_metadata_map.get(OF_CHECKPOINT)
    if made_from != identity:
        raise CheckpointError(
            f"{path.name}: exported from checkpoint {str(made_from)[:12]}, the folder holds {identity[:12]}: "
            "export it again (xinglin release export)"
        )
    inputs = {item.name for item in session.get_inputs()}
    outputs = {item.name: item.shape for item in session.get_outputs()}
    if inputs != {"input_ids", "attention_mask"} or not {"logits", "pooled"} <= set(outputs):
        raise CheckpointError(
            f"{path.name}: expected inputs input_ids, attention_mask and outputs logits, pooled; got "
            f"{', '.join(sorted(inputs))} and {', '.join(outputs)}: export it again"
        )
    if outputs["logits"][-1] != labels:
        raise CheckpointError(
            f"{path.name}: {outputs['logits'][-1]} classes, {CONFIG} names {labels}: export it again"
        )
    return int(outputs["pooled"][-1])


def _positions(config: dict[str, Any]) -> int:
    value = config.get("max_position_embeddings", MAX_LENGTH)
    if type(value) is not int or value < 8:
        raise CheckpointError(f"{CONFIG}: max_position_embeddings: expected at least 8, got {value!r:.40}")
    return value
