"""The rows of the edge's table as functions from a text to logits, each on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH = 128
Answer = Callable[[str], NDArray[np.float32]]


def torch_rows(folder: Path) -> dict[str, Answer]:
    """Return torch in 32 bits, the pipeline of ``transformers``, and torch with dynamic INT8 layers."""
    import warnings

    import torch
    from transformers import AutoModelForSequenceClassification, pipeline
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(1)
    disable_progress_bar()
    ids_of = tokens(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    piped = pipeline(
        "text-classification",
        model=str(folder),
        device="cpu",
        truncation=True,
        max_length=LENGTH,
        top_k=None,
        function_to_apply="none",
    )
    place = {name: i for i, name in model.config.id2label.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its own removal
        small = torch.ao.quantization.quantize_dynamic(
            AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval(),
            {torch.nn.Linear},
            dtype=torch.qint8,
        )

    def by(network: Any) -> Answer:
        def run(text: str) -> NDArray[np.float32]:
            given = torch.from_numpy(ids_of(text))
            with torch.no_grad():
                found = network(input_ids=given, attention_mask=torch.ones_like(given)).logits
            return np.asarray(found.numpy()[0], np.float32)

        return run

    def through(text: str) -> NDArray[np.float32]:
        found = np.empty(len(place), np.float32)
        for item in piped([text])[0]:
            found[place[item["label"]]] = item["score"]
        return found

    return {"torch fp32": by(model), "transformers pipeline fp32": through, "torch dynamic INT8": by(small)}


def onnx_row(path: Path, folder: Path) -> Answer:
    """Return ONNX Runtime on a file."""
    from xinglin.release.export.onnx_run import open_file

    return _fed(open_file(path)[0], folder)


def openvino_row(path: Path, folder: Path) -> Answer:
    """Return OpenVINO on the same file, float32 outside of INT8."""
    from xinglin.release.export.openvino_ir import open_ir

    return _fed(open_ir(path)[0], folder)


def _fed(run: Any, folder: Path) -> Answer:
    ids_of = tokens(folder)

    def answer(text: str) -> NDArray[np.float32]:
        ids = ids_of(text)
        return np.asarray(run({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0], np.float32)

    return answer


def tokens(folder: Path) -> Callable[[str], NDArray[np.int64]]:
    """Return the tokenizer of a checkpoint: a text to ids (1, tokens), the beginning of a long one."""
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.finetune import encode

    tokenizer = load_tokenizer(folder)
    return lambda text: np.array(encode(tokenizer, [text], LENGTH), np.int64)
