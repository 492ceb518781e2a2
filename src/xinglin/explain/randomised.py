"""The same network with weights that say nothing, for the sanity check of Adebayo et al. (2018).

Every weight matrix of the ONNX file is permuted at random: each keeps the distribution of its entries and loses
what was learnt. Norms, biases and positions, which are vectors, stay. Works on the exported file, without torch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xinglin.errors import MissingExtraError
from xinglin.model.runtime import FILES, TextClassifier, open_session


def randomised_classifier(classifier: TextClassifier, seed: int = 0) -> TextClassifier:
    """Return the classifier with permuted weights; labels, tokenizer and calibration are the same.

    It lives in memory only, and carries the id of the checkpoint it was made from: never save or ship it.

    Raises:
        MissingExtraError: onnx is not installed.
        CheckpointError: the file cannot be run.
    """
    try:
        import onnx
        from onnx import TensorProto, numpy_helper
    except ModuleNotFoundError as error:
        raise MissingExtraError("the check with randomised weights", "explain") from error
    model = onnx.load(str(classifier.folder / FILES[classifier.precision]))
    generator = np.random.default_rng(seed)
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8)
    for tensor in model.graph.initializer:
        if len(tensor.dims) < 2 or tensor.data_type not in kinds:
            continue
        weights = numpy_helper.to_array(tensor)
        permuted = generator.permutation(weights.ravel()).reshape(weights.shape)
        tensor.CopyFrom(numpy_helper.from_array(permuted, tensor.name))
    return replace(classifier, _session=open_session(model.SerializeToString(), classifier.threads))
