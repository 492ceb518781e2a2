"""Models to enter: ONNX graphs made by hand, tiny transformers, a tokenizer of single characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.release.challenge.contest import ORDERED

CHARACTERS = [
    "[PAD]",
    "[UNK]",
    "第",
    "问",
    "咳",
    "嗽",
    "胸",
    "闷",
    "骨",
    "折",
    "外",
    "伤",
    "孩",
    "子",
    "发",
    "热",
]
SPEAKS = {"内科": "咳嗽胸闷", "外科": "骨折外伤", "儿科": "孩子发热"}


def tokenizer() -> dict[str, Any]:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    made = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(CHARACTERS)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return dict(json.loads(made.to_str()))


def config() -> dict[str, Any]:
    return {"id2label": {str(number): label for number, label in enumerate(ORDERED)}}


def onnx_model() -> onnx.ModelProto:
    """Counts the characters that speak for each department: right on every case of the contest."""
    table = np.zeros((len(CHARACTERS), 3), np.float32)
    for label, characters in SPEAKS.items():
        for character in characters:
            table[CHARACTERS.index(character), ORDERED.index(label)] = 1.0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"], axis=0),
        helper.make_node("ReduceSum", ["each", "axis"], ["logits"], keepdims=0),
    ]
    return made(nodes, {"table": table, "axis": np.array([1], np.int64)})


def made(nodes: list[Any], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def endless() -> onnx.ModelProto:
    """A loop without an end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", 3]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n", 3]),
        ],
    )
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"], axis=0),
        helper.make_node("ReduceSum", ["each", "axis"], ["first"], keepdims=0),
        helper.make_node("Loop", ["", "true", "first"], ["logits"], body=body),
    ]
    constants = {
        "table": np.zeros((len(CHARACTERS), 3), np.float32),
        "axis": np.array([1], np.int64),
        "true": np.array(True),
    }
    return made(nodes, constants)


def greedy(elements: int) -> onnx.ModelProto:
    """A file of a few hundred bytes that asks for a tensor of so many floats."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceSum", ["huge", "zero"], ["total"], keepdims=0),
        helper.make_node("Gather", ["table", "input_ids"], ["each"], axis=0),
        helper.make_node("ReduceSum", ["each", "axis"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "total"], ["logits"]),
    ]
    constants = {
        "shape": np.array([elements], np.int64),
        "zero": np.array([0], np.int64),
        "table": np.zeros((len(CHARACTERS), 3), np.float32),
        "axis": np.array([1], np.int64),
    }
    return made(nodes, constants)


def not_a_number() -> onnx.ModelProto:
    model = onnx_model()
    table = numpy_helper.to_array(model.graph.initializer[0]) * np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(table.astype(np.float32), "table"))
    return model


def write_onnx(folder: Path, model: onnx.ModelProto | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes((model or onnx_model()).SerializeToString())
    (folder / "config.json").write_text(json.dumps(config()), encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()), encoding="utf-8")
    return folder


def write_transformers(folder: Path, seed: int = 0) -> Path:
    """A tiny BERT with random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    made = BertConfig(
        vocab_size=len(CHARACTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label=dict(enumerate(ORDERED)),
        label2id={label: number for number, label in enumerate(ORDERED)},
    )
    BertForSequenceClassification(made).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()), encoding="utf-8")
    return folder
