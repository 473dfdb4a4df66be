"""Small networks of Keras, written as ONNX and run beside Keras; for tests of the writers."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import write_model

SIZE = 12


def shake(model, seed=0):
    """Weights and statistics that a slip would not leave alone."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        positive = variable.path.endswith("variance")
        if variable.dtype == "float32":
            variable.assign(rng.uniform(0.3 if positive else -0.7, 0.9, variable.shape))
    return model


def network(build, size=SIZE):
    """A network of a 3-channel image; `build` adds what is tested."""
    images = keras.Input((size, size, 3), name="images")
    return shake(keras.Model(images, build(images)))


def written(model):
    """Content of the file, and the kinds of its nodes."""
    graph = OnnxGraph()
    (output,) = write_model(graph, model, ["images"])
    rank = len(model.output_shape)
    content = graph.to_bytes(
        {"images": ["batch", 3, *model.input_shape[1:3]]},
        {output: ["batch", *(f"size{i}" for i in range(1, rank))]},
    )
    return content, [node.kind for node in graph.nodes]


def assert_same(model, low=-1.0, high=1.0):
    """The file gives the numbers of the model; the kinds of its nodes."""
    content, kinds = written(model)
    shape = (2, *model.input_shape[1:])
    images = np.random.default_rng(1).uniform(low, high, shape).astype(np.float32)
    expected = ops.convert_to_numpy(model(images, training=False))
    session = pytest.importorskip("onnxruntime").InferenceSession(content)
    (found,) = session.run(None, {"images": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
    found = found.transpose(0, 2, 3, 1) if found.ndim == 4 else found
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    return kinds


def conv(filters=4, size=3, **settings):
    return layers.Conv2D(filters, size, **settings)
