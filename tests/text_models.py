"""Checkpoints made on the spot: a bag of words without torch, and a transformer with random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from xinglin.model.checkpoint import reseal_checkpoint, seal_checkpoint
from xinglin.model.runtime import FP32, OF_CHECKPOINT
from xinglin.model.sizes import MAX_POSITIONS
from xinglin.model.tokenizer import save_tokenizer, train_tokenizer

SENTENCES = (
    "患者男性,58岁,胸痛3天,心电图显示ST段压低",
    "发热咳嗽咳痰三天,伴胸闷气促,既往高血压病史",
    "腹痛腹泻一天,恶心呕吐,无发热",
    "头痛头晕,眼前发黑,胳膊抬不起来,干活提不起劲,老想躺着",
    "fever and cough for three days, denies chest pain, history of hypertension",
    "最近总是觉得日子没有意思不想动弹",
    "sudden severe headache with neck stiffness and vomiting",
)
WIDTH = 32


def word_checkpoint(
    folder: Path,
    labels: Sequence[str],
    taught: Mapping[str, str] | None = None,
    *,
    seed: int = 0,
    name: str = "words",
    data: Sequence[Mapping[str, object]] = (),
    limits: str = "",
) -> Path:
    """Write a sealed classifier whose logits are a linear function of the mean embedding of the tokens.

    Args:
        folder: where.
        labels: the classes.
        taught: label -> a text that shall lead to it.
        seed: of the random embeddings and of the rows of the other labels.
        name: in the manifest.
        data: in the manifest.
        limits: in the manifest.
    """
    from safetensors.numpy import save_file

    generator = np.random.default_rng(seed)
    tokenizer = train_tokenizer(SENTENCES * 3, 400)
    size = tokenizer.get_vocab_size()
    embeddings = generator.normal(size=(size, WIDTH)).astype(np.float32)
    head = 0.1 * generator.normal(size=(len(labels), WIDTH)).astype(np.float32)
    for label, text in (taught or {}).items():
        row = embeddings[tokenizer.encode(text).ids].mean(axis=0)
        head[list(labels).index(label)] = 24 * row / (row @ row)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "modernbert",
        "dtype": "float32",
        "vocab_size": size,
        "hidden_size": WIDTH,
        "max_position_embeddings": MAX_POSITIONS,
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    weights = {"model.embeddings.tok_embeddings.weight": embeddings, "classifier.weight": head}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    save_tokenizer(tokenizer, folder)
    sealed = seal_checkpoint(
        folder,
        name=name,
        kind="classifier",
        data=data,
        settings={},
        seeds=[seed],
        metrics={},
        limits=limits,
    )
    _export_words(folder / FP32, embeddings, head, sealed.id)
    reseal_checkpoint(folder)
    return folder


def _export_words(path: Path, embeddings: np.ndarray, head: np.ndarray, identity: str) -> None:  # type: ignore[type-arg]
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants = [
        numpy_helper.from_array(embeddings, "embeddings"),
        numpy_helper.from_array(head.T.copy(), "head"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
    ]
    nodes = [
        helper.make_node("Gather", ["embeddings", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "head"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", columns])
        for name, columns in (("logits", len(head)), ("pooled", WIDTH))
    ]
    graph = helper.make_graph(nodes, "words", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key=OF_CHECKPOINT, value=identity)
    onnx.save(model, str(path))


def random_checkpoint(
    folder: Path,
    labels: Sequence[str],
    *,
    size: str = "tiny",
    seed: int = 0,
    exported: bool = True,
    texts: Sequence[str] = SENTENCES,
) -> Path:
    """Write a sealed ModernBERT with random weights, exported to ONNX and INT8; needs the training extra.

    ``texts`` are what its tokenizer is made from.
    """
    import torch
    from transformers import ModernBertForSequenceClassification
    from transformers.utils.logging import disable_progress_bar

    from xinglin.model.sizes import build_config
    from xinglin.release.export import export_onnx, quantise_int8

    torch.manual_seed(seed)
    disable_progress_bar()
    tokenizer = train_tokenizer([*texts] * 3, 400)
    model = ModernBertForSequenceClassification(build_config(size, tokenizer.get_vocab_size(), labels)).eval()
    with torch.no_grad():  # logits that differ about as much as a trained model's
        model.classifier.weight.mul_(20)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    seal_checkpoint(folder, name="random", kind="classifier", data=[], settings={}, seeds=[seed], metrics={})
    if exported:  # ten seconds
        export_onnx(folder)
        quantise_int8(folder)
    return folder
