"""The reference graph of the providers' self-test as ONNX; run only when its formula changes: writes ``reference.onnx``."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from xinglin.model.providers import REFERENCE, reference_weights


def reference_graph() -> ModelProto:
    """Return the graph: token ids (rows, tokens) to shares (rows, 8), with the operators of a small encoder."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["states"], "gather"),
        helper.make_node(
            "LayerNormalization", ["states", "gain", "shift"], ["normal"], "norm", axis=-1, epsilon=1e-5
        ),
        helper.make_node("MatMul", ["normal", "inner"], ["hidden"], "inner"),
        helper.make_node("Relu", ["hidden"], ["kept"], "relu"),
        helper.make_node("MatMul", ["kept", "outer"], ["raw"], "outer"),
        helper.make_node("Softmax", ["raw"], ["shares"], "softmax", axis=-1),
        helper.make_node("ReduceMean", ["shares", "axes"], ["scores"], "mean", keepdims=0),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in reference_weights().items()]
    constants.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    graph = helper.make_graph(
        nodes,
        "reference",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "tokens"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 8])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checker.check_model(model)
    return model


if __name__ == "__main__":
    REFERENCE.write_bytes(reference_graph().SerializeToString(deterministic=True))
