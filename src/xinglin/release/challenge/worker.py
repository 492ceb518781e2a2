"""The process that answers with a model: puts up its barriers, loads, answers, one thread, in the order of the ids.

Run as ``python -m xinglin.release.challenge.worker``: reads one JSON request on its standard input, writes one JSON
answer on its standard output. Before it imports a library it leaves the network and closes files; the last thing before
it opens the model is to close processes and sockets.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xinglin.release.challenge import jail

BATCH = 16
MAX_TOKENS = 512
Run = Callable[[list[list[int]]], Any]


def main() -> None:
    """Answer one request."""
    barriers = jail.leave_network()
    request: dict[str, Any] = json.load(sys.stdin)
    # Libraries ask for a temporary folder while they are imported; Python would try to write in each that it knows.
    tempfile.tempdir = "/nonexistent"
    barriers += jail.limit(request["cpu_seconds"], request["memory_mib"])
    folder = Path(request["folder"])
    barriers += jail.close_files([*jail.libraries(), folder])
    load = _onnx if request["kind"] == "onnx" else _transformers
    load_now = load(folder)
    barriers += jail.lock()
    if not request["weak"] and not jail.STRONG & set(barriers):
        json.dump({"barriers": barriers}, sys.stdout)
        return
    tokens, run = load_now()
    texts: dict[str, str] = request["texts"]
    ids = sorted(texts)
    rows: dict[str, list[float]] = {}
    for first in range(0, len(ids), BATCH):
        chosen = ids[first : first + BATCH]
        for key, row in zip(chosen, _softmax(run(tokens([texts[key] for key in chosen]))), strict=True):
            rows[key] = [float(value) for value in row]
    json.dump({"barriers": barriers, "rows": rows}, sys.stdout)


def _onnx(folder: Path) -> Callable[[], tuple[Callable[[Sequence[str]], list[list[int]]], Run]]:
    import numpy as np
    import onnxruntime
    import tokenizers  # noqa: F401  imported before the doors close

    def load() -> tuple[Callable[[Sequence[str]], list[list[int]]], Run]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            (folder / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        names = [item.name for item in session.get_inputs()]

        def run(rows: list[list[int]]) -> Any:
            ids = _padded(rows)
            given = {
                "input_ids": ids,
                "attention_mask": np.array(
                    [[1] * len(row) + [0] * (ids.shape[1] - len(row)) for row in rows]
                ),
                "token_type_ids": np.zeros_like(ids),
            }
            return session.run(None, {name: given[name].astype(np.int64) for name in names})[0]

        return _tokens(folder, MAX_TOKENS), run

    return load


def _transformers(folder: Path) -> Callable[[], tuple[Callable[[Sequence[str]], list[list[int]]], Run]]:
    import tokenizers  # noqa: F401
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.set_num_threads(1)  # the order of every sum is then fixed

    def load() -> tuple[Callable[[Sequence[str]], list[list[int]]], Run]:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
        ).eval()

        def run(rows: list[list[int]]) -> Any:
            ids = torch.from_numpy(_padded(rows))
            mask = torch.zeros_like(ids)
            for number, row in enumerate(rows):
                mask[number, : len(row)] = 1
            with torch.no_grad():
                return model(input_ids=ids, attention_mask=mask).logits.double().numpy()

        positions = getattr(config, "max_position_embeddings", MAX_TOKENS)
        return _tokens(folder, min(MAX_TOKENS, positions)), run

    return load


def _tokens(folder: Path, most: int) -> Callable[[Sequence[str]], list[list[int]]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return lambda texts: [tokenizer.encode(text).ids or [0] for text in texts]


def _padded(rows: list[list[int]]) -> Any:
    import numpy as np

    table = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def _softmax(logits: Any) -> Any:
    import numpy as np

    table = np.asarray(logits, float)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise FloatingPointError
    table = np.exp(table - table.max(axis=1, keepdims=True))
    return table / table.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
